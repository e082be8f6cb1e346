"""Reference data: refused in words or loaded whole; what was known before stays known."""

from __future__ import annotations

import contextlib
import threading
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loaders.database import connect
from loaders.errors import RatehouseError
from loaders.reference import (
    KINDS,
    ReferenceRefused,
    ReferenceResult,
    load_folder,
    load_reference,
)
from loaders.settings import project_root
from tests.loaders.conftest import Warehouse

FILES = {
    "rating_version": "rating_version,valid_from,valid_to\n1,,2026-04-01\n",
    "lata": "npanxx,lata\n212555,132\n",
    "local_calling_area": "calling_area_code,from_state,from_rate_centre,to_state,to_rate_centre\n"
    "NYC,NY,NWYRCYZN01,NY,NWYRCYZN02\n",
    "usf_factor": "fund_code,factor_percent\nown_state,3.2\n",
    "usf_safe_harbour": "harbour_code,interstate_percent\nown_harbour,50\n",
    "exchange_rate": "rate_source,from_currency,to_currency,rate,valid_from,valid_to\n"
    "main,EUR,USD,1.08,,2026-10-01\nmain,EUR,USD,1.085,2026-10-01,\n",
    "calendar": "calendar_code,zone_rule,time_zone\nUK,fixed,Europe/London\n",
    "calendar_day": "calendar_code,calendar_date\nUK,2026-12-25\n",
    "deck": "deck_code,deck_name,side,currency_code,calendar_code\n"
    "R,Retail,retail,USD,UK\nC,Cost,wholesale,USD,\n",
    "plan": "plan_code,plan_name,deck_code,is_default\nP,Standard,R,yes\n",
    "visited_network": "network_code,zone_code\nFRAF1,europe\n",
    "roaming_deck": "plan_code,zone_code,usage_type,deck_code\nP,europe,voice,R\n",
    "account": "account_code,customer_name,time_zone,plan_code\nA1,Acme,America/New_York,P\n"
    "A2,Beta,UTC,\n",
    "service": "service_code,account_code\nS1,A1\nS2,A2\n",
    "service_identifier": "service_code,identifier_kind,identifier_value,direction,valid_to\n"
    "S1,number,12125550100,both,2026-06-01\n"
    "S1,pattern,1212{!},outbound,\n"
    "S2,pattern,1212{!},inbound,\n",
    "discount": "discount_code,discount_name,price_scope,scope_code,percent\n"
    "LOYAL,Loyalty,account,A1,5\n",
    "surcharge": "surcharge_code,surcharge_name,charge_rule,fund_code,base_rule,harbour_code\n"
    "USF,Universal service,fund,own_state,lines,own_harbour\n",
    "tax_rate": "tax_code,tax_name,jurisdiction,percent\nSALES,Sales tax,US/NY,8.875\n",
    "exemption": "account_code,exempt_from,certificate\nA2,tax,NY-12345\n",
    "destination_group": "destination_group_code,prefix\nUK,44\n",
    "tier_schedule": "schedule_code,schedule_name,pricing,unit_size\n"
    "MINUTES,By the minute,graduated,60\n",
    "tier": "schedule_code,above,up_to,unit_price\nMINUTES,0,1000,0.10\nMINUTES,1000,,0.05\n",
    "volume_price": "volume_code,volume_name,price_scope,scope_code,schedule_code,usage_type\n"
    "V,Minutes,account,A1,MINUTES,voice\n",
    "spend_limit": "limit_code,limit_name,limit_rule,price_scope,scope_code,amount\n"
    "MIN,Commitment,minimum,account,A1,100\n",
    "allowance": "allowance_code,allowance_name,plan_code,unit,size,grant_rule\n"
    "MIN,Minutes,P,seconds,6000,\nPACK,Pack,,seconds,600,once\n",
    "allowance_rule": "allowance_code,destination_group_code,multiplier\nMIN,UK,1.5\n",
    "allowance_pool": "pool_code,member_kind,member_code\nALL,account,A1\nALL,service,S2\n",
    "allowance_purchase": "purchase_code,allowance_code,pool_code,valid_from\n"
    "B1,PACK,ALL,2026-10-01\n",
    "rate": "deck_code,prefix,price_per_minute,valid_from,valid_to\n"
    "R,1,0.01,,2026-10-01\nR,1,0.012,2026-10-01,\nR,44,0.01,,\n",
    "time_band": "deck_code,band_code,weekdays,from_time,to_time,weight\n"
    "R,peak,1-5,08:00,18:00,20\nR,off,,,,10\n",
    "band_rate": "deck_code,prefix,band_code,price_per_minute\nR,44,peak,0.02\n",
    "rate_step": "deck_code,prefix,from_second,price_per_minute\nR,1,60,0.005\n",
    "charge_tariff": "charge_tariff_code,product_code,product_name,price_mode,unit_price\n"
    "T,LINE,Line,list,10\n",
    "source": "source_code,carrier_code,file_kind,layout_code,charge_tariff_code,column_map\n"
    'sw,own,cdr,mapped_usage,,"{""When"": ""start_time""}"\n',
    "collector": "collector_code,protocol,directory,rules\n"
    'out,folder,/srv/outbox,"[{""name"": ""*.csv"", ""source"": ""sw""}]"\n',
    "fraud_range": "prefix,range_name,list_name\n25263,Somalia,made up\n",
    "spend_alarm": "account_code,per_period,amount\n*,day,100\nA1,day,500\n",
    "confirmed_fraud": "case_code,account_code,description,valid_from,valid_to\n"
    "F1,A1,Hacked,2026-10-03,2026-10-04\n",
    "invoice_numbering": "bill_group,sequence_code\nmain,RH\n",
    "late_policy": "late_scope,scope_code,late_rule\nlist,,next_invoice\n",
    "billing_gate": (
        "bill_group,gate_code,measure,warn_above,block_above\n*,suspense,share,1,10\n"
    ),
    "seller": "legal_entity,seller_name,seller_address\n*,Ratehouse Ltd,1 High Street|London\n",
    "billing_address": "account_code,address\nA1,2 Low Street|London\n",
    "npa": "npa,country,usage_class,is_in_service\n212,US,geographic,true\n",
    "npanxx": "npanxx,state_code,is_in_service\n212555,NY,true\n",
}


def _load(
    warehouse: Warehouse, kind: str, content: str, *, full: bool = False, name: str | None = None
) -> ReferenceResult:
    path = warehouse.write(name or f"{kind}.csv", content)
    return load_reference(warehouse.connection, kind, path, full=full)


def _load_files(warehouse: Warehouse) -> list[ReferenceResult]:
    for kind, content in FILES.items():
        warehouse.write(f"reference/{kind}.csv", content)
    return load_folder(warehouse.connection, warehouse.folder / "reference")


def _counts(result: ReferenceResult) -> tuple[int, int, int, int, int]:
    return (
        result.rows_read, result.rows_added, result.rows_changed, result.rows_unchanged,
        result.rows_closed,
    )  # fmt: skip


def test_a_folder_loads_in_order_and_again_changes_nothing(empty_warehouse: Warehouse) -> None:
    warehouse = empty_warehouse
    first = _load_files(warehouse)
    assert [result.kind for result in first] == list(KINDS)
    assert list(FILES) == list(KINDS)
    everything = {
        kind: warehouse.rows(f"select t::text from reference.{kind} as t order by 1")
        for kind in KINDS
    }
    for result in first:
        rows = FILES[result.kind].count("\n") - 1
        assert _counts(result) == (rows, rows, 0, 0, 0)
    for result in _load_files(warehouse):
        rows = FILES[result.kind].count("\n") - 1
        assert _counts(result) == (rows, 0, 0, rows, 0)
    assert everything == {
        kind: warehouse.rows(f"select t::text from reference.{kind} as t order by 1")
        for kind in KINDS
    }
    assert warehouse.value("select count(*) from control.reference_load") == 2 * len(KINDS)


def test_defaults_dates_and_types(empty_warehouse: Warehouse) -> None:
    warehouse = empty_warehouse
    _load_files(warehouse)
    assert warehouse.rows(
        "select is_default, increment_base, rounding_decimals, inbound_deck_code, "
        "valid_from::text, valid_to::text, recorded_to::text from reference.plan"
    ) == [(True, "after_minimum", 4, None, "-infinity", "infinity", "infinity")]
    assert warehouse.rows(
        "select price_per_minute::text, valid_from::text, valid_to::text from reference.rate "
        "where prefix = '1' order by valid_from"
    ) == [
        ("0.0100000000", "-infinity", "2026-10-01 00:00:00+00"),
        ("0.0120000000", "2026-10-01 00:00:00+00", "infinity"),
    ]
    assert warehouse.value(
        "select column_map from reference.source where source_code = 'sw'"
    ) == {"When": "start_time"}  # fmt: skip


def test_a_change_closes_what_was_known_and_keeps_the_id(empty_warehouse: Warehouse) -> None:
    warehouse = empty_warehouse
    _load_files(warehouse)
    before = warehouse.value("select clock_timestamp()")
    result = _load(
        warehouse, "account", FILES["account"].replace("Acme", "Acme Inc").replace("A2", "A3")
    )
    assert _counts(result) == (2, 1, 1, 0, 0)
    rows = warehouse.rows(
        "select customer_name, account_id, recorded_from, recorded_to from reference.account "
        "where account_code = 'A1' order by recorded_from"
    )
    assert [name for name, *_ in rows] == ["Acme", "Acme Inc"]
    old, new = rows
    assert old[1] == new[1]
    assert old[3] == new[2]
    # One clock value for all that the load wrote, and it is that of the load.
    assert warehouse.rows(
        "select distinct a.recorded_from = l.recorded_at from reference.account as a "
        "inner join control.reference_load as l using (reference_load_id) "
        "where l.reference_load_id = %s",
        result.reference_load_id,
    ) == [(True,)]
    # As known before the load, the account still has its old name.
    assert warehouse.value(
        "select customer_name from reference.account "
        "where account_code = 'A1' and recorded_during @> %s",
        before,
    ) == "Acme"  # fmt: skip
    # A partial file says nothing about the accounts it lacks.
    assert warehouse.value(
        "select count(*) from reference.account "
        "where account_code = 'A2' and recorded_to = 'infinity'"
    ) == 1  # fmt: skip


def test_full_closes_what_the_file_lacks_but_not_what_the_warehouse_made(
    empty_warehouse: Warehouse,
) -> None:
    warehouse = empty_warehouse
    _load_files(warehouse)
    only_a1 = "".join(FILES["account"].splitlines(keepends=True)[:2])
    result = _load(warehouse, "account", only_a1, full=True)
    assert _counts(result) == (1, 0, 0, 1, 1)
    current = "select account_code from reference.account where recorded_to = 'infinity' order by 1"
    assert warehouse.rows(current) == [("(suspense)",), ("A1",)]
    assert _counts(_load(warehouse, "source", FILES["source"], full=True)) == (1, 0, 0, 1, 0)


def test_a_new_price_ends_the_old_one_in_the_same_file(empty_warehouse: Warehouse) -> None:
    warehouse = empty_warehouse
    _load_files(warehouse)
    header = FILES["rate"].splitlines()[0]
    new = "R,1,0.02,2026-11-01,"
    with pytest.raises(ReferenceRefused, match=r"line 2.*R/1/any.*valid from 2026-10-01 to no end"):
        _load(warehouse, "rate", f"{header}\n{new}\n")
    result = _load(warehouse, "rate", f"{header}\nR,1,0.012,2026-10-01,2026-11-01\n{new}\n")
    assert _counts(result) == (2, 1, 1, 0, 0)


def test_an_identifier_moves_between_directions(empty_warehouse: Warehouse) -> None:
    """One row for both directions gives way to one row for each."""
    warehouse = empty_warehouse
    _load_files(warehouse)
    header = "service_code,identifier_kind,identifier_value,direction\n"
    assert _counts(
        _load(warehouse, "service_identifier", header + "S1,number,13235550100,both\n")
    ) == (1, 1, 0, 0, 0)
    two = header + "S1,number,13235550100,outbound\nS2,number,13235550100,inbound\n"
    assert _counts(_load(warehouse, "service_identifier", two)) == (2, 0, 2, 0, 0)
    assert _counts(_load(warehouse, "service_identifier", two)) == (2, 0, 0, 2, 0)


# -- refusals ------------------------------------------------------------------------------------

HEADERS = {kind: content.splitlines()[0] for kind, content in FILES.items()}


@pytest.mark.parametrize(
    ("kind", "row", "column", "value", "words"),
    [
        ("plan", "Q,Odd,NONE,no", "deck_code", "NONE", "no such deck"),
        ("account", "A9,New,Mars/Olympus,P", "time_zone", "Mars/Olympus", "IANA"),
        ("account", "A9,New,UTC,NONE", "plan_code", "NONE", "no such plan"),
        ("account", "A9,,UTC,P", "customer_name", None, "must not be empty"),
        ("service", "S9,NONE", "account_code", "NONE", "no such account"),
        ("service_identifier", "NONE,number,1212,both,", "service_code", "NONE", "no such service"),
        ("service_identifier", "S1,number,+1212,both,", "identifier_value", "+1212", "digits"),
        ("service_identifier", "S1,pattern,1212,both,", "identifier_value", "1212", "{!}"),
        ("service_identifier", "S1,number,1212,up,", "direction", "up", "outbound, inbound, both"),
        ("rate", "NONE,44,0.1,,", "deck_code", "NONE", "no such deck"),
        ("rate", "R,+44,0.1,,", "prefix", "+44", "1 to 13 digits"),
        ("rate", "R,44,1e-2,,", "price_per_minute", "1e-2", "not a number"),
        ("rate", "R,44,0,01,", "file", None, None),
        ("rate", "R,44,NaN,,", "price_per_minute", "NaN", "not a number"),
        ("rate", "R,44,-0.1,,", "price_per_minute", "-0.1", "at least 0"),
        ("rate", "R,44,0.12345678901,,", "price_per_minute", "0.12345678901", "10 decimals"),
        ("rate", "R,44,123456789.1,,", "price_per_minute", "123456789.1", "too large"),
        ("rate", "R,44,,,", "price_per_minute", None, "only a row with status blocked"),
        ("rate", "R,44,0.1,2026-02-30,", "valid_from", "2026-02-30", "no date"),
        ("rate", "R,44,0.1,01/02/2026,", "valid_from", "01/02/2026", "no date"),
        ("rate", "R,44,0.1,tomorrow,", "valid_from", "tomorrow", "no date"),
        ("rate", "R,44,0.1,2026-02-01,2026-02-01", "valid_to", "2026-02-01", "later than"),
        ("rate", "R,1,0.1,2026-09-30,2026-10-02", "deck_code/prefix/jurisdiction", "R/1/any",
         "overlaps the row already known"),
        ("charge_tariff", "T,X,Thing,list,", "unit_price", None, "must not be empty when"),
        ("charge_tariff", "T,X,Thing,gift,1", "price_mode", "gift", "must be one of list"),
        ("source", "s2,own,cdr,nonsense,,", "layout_code", "nonsense", "no such layout"),
        ("source", "s2,own,cdr,mapped_usage,NONE,", "charge_tariff_code", "NONE",
         "no such charge tariff"),
        ("source", "s2,own,cdr,mapped_usage,,{", "column_map", "{", "not valid JSON"),
        ("source", 's2,own,cdr,mapped_usage,,"{""a"": ""price""}"', "column_map", "price",
         "no such column"),
        ("npa", "99,US,geographic,true", "npa", "99", "at least 200"),
        ("npa", "2x2,US,geographic,true", "npa", "2x2", "whole number"),
        ("npanxx", "212556,NY,perhaps", "is_in_service", "perhaps", "true or false"),
    ],
)  # fmt: skip
def test_refusals_name_line_column_value_and_reason(
    reference_warehouse: Warehouse,
    kind: str,
    row: str,
    column: str,
    value: str | None,
    words: str | None,
) -> None:
    warehouse = reference_warehouse
    query = f"select t::text from reference.{kind} as t order by 1"
    before = warehouse.rows(query)
    with pytest.raises(ReferenceRefused) as refused:
        _load(warehouse, kind, f"{HEADERS[kind]}\n{row}\n")
    if words is None:
        # A decimal comma makes one field too many, or moves the others: refused either way.
        assert refused.value.refusals
    else:
        (refusal,) = refused.value.refusals
        assert (refusal.line, refusal.column, refusal.value) == (2, column, value)
        assert words in refusal.reason
        assert words in str(refused.value)
    assert warehouse.rows(query) == before


@pytest.mark.parametrize(
    ("kind", "header", "row", "column", "value", "words"),
    [
        ("deck", "deck_code,deck_name,side,currency_code,operator_deck_code",
         "X,X,retail,USD,NONE", "operator_deck_code", "NONE", "no such deck"),
        ("deck", "deck_code,deck_name,side,currency_code,calling_area_code",
         "X,X,retail,USD,NONE", "calling_area_code", "NONE", "no such local calling area"),
        ("deck", "deck_code,deck_name,side,currency_code,indeterminate_policy",
         "X,X,retail,USD,lowest", "indeterminate_policy", "lowest", "own, intrastate, interstate"),
        ("service", "service_code,account_code,state_code",
         "S1,A1,Texas", "state_code", "Texas", "two capital letters"),
        ("charge_tariff",
         "charge_tariff_code,product_code,product_name,price_mode,usf_category,usf_safe_harbour",
         "T,X,Toll,pass_through,toll,paging", "usf_safe_harbour", "paging", "is only for"),
        ("charge_tariff",
         "charge_tariff_code,product_code,product_name,price_mode,usf_category,usf_safe_harbour",
         "T,X,Line,pass_through,voip_local,NONE", "usf_safe_harbour", "NONE",
         "no such usf safe harbour"),
        ("lata", "npanxx,lata", "212555,13", "lata", "13", "at least 100"),
        ("usf_factor", "fund_code,factor_percent", "federal,370", "factor_percent", "370",
         "at most 100"),
        ("rating_version", "rating_version", "3", "rating_version", "3", "at most 2"),
        ("rating_version", "rating_version,valid_from", "1,2026-10-15", "valid_from", "2026-10-15",
         "first day of a month"),
        ("rating_version", "rating_version,valid_to", "1,2026-10-15", "valid_to", "2026-10-15",
         "first day of a month"),
    ],
)  # fmt: skip
def test_refusals_of_classification_settings(
    reference_warehouse: Warehouse,
    kind: str,
    header: str,
    row: str,
    column: str,
    value: str,
    words: str,
) -> None:
    with pytest.raises(ReferenceRefused) as refused:
        _load(reference_warehouse, kind, f"{header}\n{row}\n")
    (refusal,) = refused.value.refusals
    assert (refusal.line, refusal.column, refusal.value) == (2, column, value)
    assert words in refusal.reason


_MINUTES = {"allowance_code": "X", "allowance_name": "X", "unit": "seconds", "size": "60"}
_MONEY = {"allowance_code": "X", "allowance_name": "X", "unit": "money", "size": "9"}
_PACK = {"purchase_code": "X", "allowance_code": "PACK"}


@pytest.mark.parametrize(
    ("kind", "row", "column", "value", "words"),
    [
        ("allowance", _MINUTES | {"plan_code": "Q"}, "plan_code", "Q", "no such plan"),
        ("allowance", _MINUTES | {"unit": "hours"}, "unit", "hours", "must be one of seconds"),
        ("allowance", _MINUTES | {"size": "-1"}, "size", "-1", "must be at least 0"),
        ("allowance", _MINUTES | {"currency_code": "USD"}, "currency_code", "USD", "unit is money"),
        ("allowance", _MONEY, "currency_code", None, "unit is money"),
        ("allowance", _MONEY | {"plan_code": "P", "currency_code": "EUR"}, "currency_code", "EUR",
         "is not the currency of deck R of the plan, USD"),
        ("allowance", _MONEY | {"currency_code": "USD", "consumes": "real"}, "consumes", "real",
         "for seconds only"),
        ("allowance", _MINUTES | {"granted_per": "account"}, "shared_by", None,
         "must be account or pool"),
        ("allowance", _MINUTES | {"plan_code": "P", "grant_rule": "once"}, "grant_rule", "once",
         "must be each_period"),
        ("allowance", _MINUTES | {"grant_rule": "once", "rollover_percent": "10"},
         "rollover_percent", "10", "must be 0"),
        ("allowance_rule", {"allowance_code": "MIN", "destination_group_code": "FR"},
         "destination_group_code", "FR", "no such destination group"),
        ("allowance_rule", {"allowance_code": "MIN", "multiplier": "0"}, "multiplier", "0",
         "more than 0"),
        ("allowance_rule", {"allowance_code": "MIN", "charge_class": "moon"}, "charge_class",
         "moon", "must be one of any"),
        ("allowance_pool", {"pool_code": "X", "member_kind": "account", "member_code": "S1"},
         "member_code", "S1", "no such account"),
        ("allowance_pool", {"pool_code": "X", "member_kind": "service", "member_code": "A1"},
         "member_code", "A1", "no such service"),
        ("allowance_pool", {"pool_code": "X", "member_kind": "account", "member_code": "A1",
                            "valid_from": "2026-10-01"},
         "member_kind/member_code", "account/A1", "overlaps the row already known"),
        ("allowance_purchase", _PACK | {"valid_from": "2026-10-01"}, "account_code", None,
         "exactly one of the three"),
        ("allowance_purchase", _PACK | {"account_code": "A1"}, "valid_from", None,
         "the units are granted then"),
        ("allowance_purchase", _PACK | {"pool_code": "X", "valid_from": "2026-10-01"}, "pool_code",
         "X", "no such allowance pool"),
        ("destination_group", {"destination_group_code": "X", "prefix": "+44"}, "prefix", "+44",
         "must be 1 to 13 digits"),
    ],
)  # fmt: skip
def test_refusals_of_allowances(
    reference_warehouse: Warehouse,
    kind: str,
    row: dict[str, str],
    column: str,
    value: str | None,
    words: str,
) -> None:
    with pytest.raises(ReferenceRefused) as refused:
        _load(reference_warehouse, kind, f"{','.join(row)}\n{','.join(row.values())}\n")
    (refusal,) = refused.value.refusals
    assert (refusal.line, refusal.column, refusal.value) == (2, column, value)
    assert words in refusal.reason


_SDR = {"source_code": "s", "carrier_code": "x", "file_kind": "sdr",
        "layout_code": "carrier_charge"}  # fmt: skip
_USAGE = _SDR | {"file_kind": "cdr", "layout_code": "mapped_usage"}
_DECK = {"deck_code": "X", "deck_name": "x", "side": "retail", "currency_code": "USD"}
_EVENTS = {"charge_tariff_code": "T", "product_code": "X", "product_name": "X"}
_ROAMING = {"plan_code": "P", "zone_code": "europe"}


@pytest.mark.parametrize(
    ("kind", "row", "column", "value", "words"),
    [
        ("source", _SDR | {"rating_mode": "pre_rated"}, "rating_mode", "pre_rated",
         "pre_rated is for usage whose cost the records say"),
        ("source", _USAGE | {"rating_mode": "pre_rated", "cost_deck_code": "R"}, "rating_mode",
         "pre_rated", "nor with a cost_deck_code"),
        ("source", _USAGE | {"cost_multiplier": "-1"}, "cost_multiplier", "-1", "at least 0"),
        ("plan", {"plan_code": "X", "plan_name": "X", "deck_code": "R", "pre_rated_price": "both"},
         "pre_rated_price", "both", "must be one of supplier, deck"),
        ("deck", _DECK | {"message_count": "text"}, "message_count", "text",
         "are for decks of sms and mms only"),
        ("deck", _DECK | {"usage_type": "sms", "data_rounding": "day"}, "data_rounding", "day",
         "is for decks of usage_type data only"),
        ("charge_tariff", _EVENTS | {"price_mode": "percentage"}, "percentage", None,
         "when price_mode is percentage"),
        ("charge_tariff", _EVENTS | {"price_mode": "pass_through", "free_events": "2"},
         "price_mode", "pass_through", "must be percentage where"),
        ("charge_tariff", _EVENTS | {"price_mode": "percentage", "percentage": "2",
                                     "minimum_price": "3", "maximum_price": "2"},
         "maximum_price", "2", "must not be less than minimum_price"),
        ("visited_network", {"network_code": "France", "zone_code": "europe"}, "network_code",
         "France", "must be a TADIG code like GBRVF"),
        ("roaming_deck", _ROAMING | {"usage_type": "voice"}, "deck_code", None,
         "and inbound_deck_code are both empty"),
        ("roaming_deck", _ROAMING | {"usage_type": "sms", "deck_code": "R"}, "deck_code", "R",
         "is a deck of voice, not of sms"),
        ("roaming_deck", _ROAMING | {"usage_type": "voice", "deck_code": "R",
                                     "zone_code": "moon"},
         "zone_code", "moon", "no visited network is in this zone"),
    ],
)  # fmt: skip
def test_refusals_of_prices(
    reference_warehouse: Warehouse,
    kind: str,
    row: dict[str, str],
    column: str,
    value: str | None,
    words: str,
) -> None:
    with pytest.raises(ReferenceRefused) as refused:
        _load(reference_warehouse, kind, f"{','.join(row)}\n{','.join(row.values())}\n")
    (refusal,) = refused.value.refusals
    assert (refusal.line, refusal.column, refusal.value) == (2, column, value)
    assert words in refusal.reason


def test_a_pool_is_of_one_bill_group(warehouse: Warehouse) -> None:
    _load_files(warehouse)
    _load(warehouse, "account", "account_code,customer_name,bill_group\nA9,Far,other\n")
    with pytest.raises(ReferenceRefused, match="several bill groups, main and other"):
        _load(
            warehouse, "allowance_pool", "pool_code,member_kind,member_code\nALL,account,A9\n"
        )


@pytest.mark.parametrize(
    ("kind", "row", "column", "value", "words"),
    [
        ("exchange_rate", {"rate_source": "main", "from_currency": "EUR", "to_currency": "EUR",
                           "rate": "1"}, "to_currency", "EUR", "must be another currency"),
        ("exchange_rate", {"rate_source": "main", "from_currency": "euro", "to_currency": "USD",
                           "rate": "1"}, "from_currency", "euro", "three capital letters"),
        ("exchange_rate", {"rate_source": "main", "from_currency": "EUR", "to_currency": "USD",
                           "rate": "0"}, "rate", "0", "must be more than 0"),
        ("exchange_rate", {"rate_source": "main", "from_currency": "EUR", "to_currency": "USD",
                           "rate": "2", "valid_from": "2026-11-01"},
         "rate_source/from_currency/to_currency", "main/EUR/USD", "overlaps the row"),
        ("discount", {"discount_code": "D", "discount_name": "D"}, "percent", None,
         "give one of the two"),
        ("discount", {"discount_code": "D", "discount_name": "D", "percent": "5",
                      "price_scope": "plan", "scope_code": "NONE"}, "scope_code", "NONE",
         "no such plan"),
        ("discount", {"discount_code": "D", "discount_name": "D", "percent": "5",
                      "line_kinds": "usage+charge"}, "line_kinds", "usage+charge", "a space"),
        ("surcharge", {"surcharge_code": "S", "surcharge_name": "S", "charge_rule": "percent"},
         "percent", None, "when charge_rule is percent"),
        ("surcharge", {"surcharge_code": "S", "surcharge_name": "S", "charge_rule": "fund",
                       "fund_code": "moon"}, "fund_code", "moon", "no such usf factor"),
        ("surcharge", {"surcharge_code": "S", "surcharge_name": "S", "charge_rule": "per_number"},
         "unit_amount", None, "a price for each unit"),
        ("tax_rate", {"tax_code": "T", "tax_name": "T", "jurisdiction": "/NY", "percent": "8"},
         "jurisdiction", "/NY", "like US/NY/New York"),
        ("tax_rate", {"tax_code": "T", "tax_name": "T", "jurisdiction": "GB", "percent": "20",
                      "is_inclusive": "true", "on_taxes": "true"}, "on_taxes", "true",
         "must not be set"),
        ("exemption", {"account_code": "A99", "exempt_from": "tax", "certificate": "X"},
         "account_code", "A99", "no such account"),
        ("exemption", {"account_code": "A1", "exempt_from": "tax", "certificate": ""},
         "certificate", None, "must not be empty"),
        ("account", {"account_code": "A3", "customer_name": "C", "currency_code": "GBP",
                     "plan_code": "P"}, "currency_code", "GBP",
         "deck R has its prices in USD, account A3 pays in GBP, and there is no exchange rate "
         "from USD to GBP of its source main"),
        ("account", {"account_code": "A3", "customer_name": "C", "currency_code": "USD",
                     "plan_code": "P_EUR", "exchange_source": "bank"}, "currency_code", "USD",
         "no exchange rate from EUR to USD of its source bank"),
        ("service", {"service_code": "S3", "account_code": "A4", "plan_code": "P"},
         "plan_code", "P", "account A4 pays in CHF"),
        ("plan", {"plan_code": "P", "plan_name": "P", "deck_code": "R_GBP"},
         "deck_code", "R_GBP", "no exchange rate from GBP to USD"),
    ],
)  # fmt: skip
def test_refusals_of_money(
    money_warehouse: Warehouse,
    kind: str,
    row: dict[str, str],
    column: str,
    value: str | None,
    words: str,
) -> None:
    with pytest.raises(ReferenceRefused) as refused:
        _load(money_warehouse, kind, f"{','.join(row)}\n{','.join(row.values())}\n")
    (refusal,) = refused.value.refusals
    assert (refusal.line, refusal.column, refusal.value) == (2, column, value)
    assert words in refusal.reason


@pytest.mark.parametrize(
    ("kind", "rows", "line", "column", "value", "words"),
    [
        ("tier", "schedule_code,above,up_to,unit_price\nMONEY,5,,1", 2, "above", "5",
         "where the first tier of schedule MONEY begins; it must be above 0"),
        ("tier", "schedule_code,above,up_to,unit_price\nMONEY,0,10,1\nMONEY,20,,1", 3, "above",
         "20", "schedule MONEY has no tier for quantities above 10, up to 20"),
        ("tier", "schedule_code,above,up_to,unit_price\nMONEY,0,10,1\nMONEY,9.5,,1", 3, "above",
         "9.5", "overlaps the tier of schedule MONEY above 0, which goes up to 10"),
        ("tier", "schedule_code,above,up_to,unit_price\nMONEY,0,,1\nMONEY,10,,1", 3, "above",
         "10", "above 0, which goes up to any quantity"),
        ("tier", "schedule_code,above,up_to,unit_price\nMONEY,0,10,1\nMONEY,10,20,1", 3, "up_to",
         "20", "leave it empty in the last tier"),
        # Beside what is known already.
        ("tier", "schedule_code,above,up_to,unit_price\nMINUTES,0,500,1", 2, "above", "1000",
         "schedule MINUTES has no tier for quantities above 500, up to 1000"),
        ("tier", "schedule_code,above,up_to,unit_price\nMONEY,0,0,1", 2, "up_to", "0",
         "must be more than above"),
        ("tier", "schedule_code,above,unit_price\nMONEY,0,", 2, "unit_price", None,
         "give at least one of the three"),
        ("tier", "schedule_code,above,unit_price\nNONE,0,1", 2, "schedule_code", "NONE",
         "no such tier schedule"),
        ("tier", "schedule_code,above,unit_price\nBOXES,0,1", 2, "schedule_code", "BOXES",
         "is priced by packages and has no tiers"),
        ("tier", "schedule_code,above,up_to,rate_percent\nMINUTES,0,1000,5", 2, "rate_percent", "5",
         "is only for schedules that count an amount"),
        ("tier_schedule", "schedule_code,schedule_name,pricing\nX,X,package", 2, "package_size",
         None, "must be given when pricing is package"),
        ("tier_schedule", "schedule_code,schedule_name,pricing\nX,X,cheap", 2, "pricing", "cheap",
         "must be one of graduated, volume, package"),
        ("volume_price", "volume_code,volume_name,schedule_code\nW,W,NONE", 2, "schedule_code",
         "NONE", "no such tier schedule"),
        ("volume_price", "volume_code,volume_name,schedule_code,usage_type\nW,W,EMPTY,voice", 2,
         "schedule_code", "EMPTY", "has no tiers"),
        ("volume_price", "volume_code,volume_name,schedule_code\nW,W,MINUTES", 2, "usage_type",
         None, "must be given: schedule MINUTES counts billed_units"),
        ("volume_price", "volume_code,volume_name,schedule_code,usage_type\nV,W,BOXES,voice", 2,
         "schedule_code", "BOXES", "counts records in units of 1, and other rows of V count"),
        ("volume_price", "volume_code,volume_name,schedule_code,usage_type,counter\n"
         "V,W,MINUTES,voice,group", 2, "counter", "group", "is shared by the bill group"),
        ("volume_price", "volume_code,volume_name,schedule_code,usage_type,charge_classes\n"
         "W,W,MINUTES,voice,local mars", 2, "charge_classes", "local mars",
         "mars is no charge class"),
        ("volume_price", "volume_code,volume_name,schedule_code,price_scope,scope_code\n"
         "W,W,BOXES,plan,NONE", 2, "scope_code", "NONE", "no such plan"),
        ("volume_price", "volume_code,volume_name,schedule_code,price_scope,scope_code\n"
         "W,W,EUROS,plan,P", 2, "scope_code", "P",
         "has a deck of voice in USD, and schedule EUROS is in EUR"),
        ("spend_limit", "limit_code,limit_name,limit_rule,price_scope,scope_code,amount,"
         "currency_code\nL,L,minimum,account,A1,10,EUR", 2, "currency_code", "EUR",
         "is not that of account A1, which pays in USD"),
        ("spend_limit", "limit_code,limit_name,limit_rule,amount,line_kinds\n"
         "L,L,minimum,10,usage commitment", 2, "line_kinds", "usage commitment",
         "a minimum cannot count commitments"),
        ("spend_limit", "limit_code,limit_name,limit_rule,amount,line_kinds\n"
         "L,L,maximum,10,usage tax", 2, "line_kinds", "usage tax", "a space"),
    ],
)  # fmt: skip
def test_refusals_of_volume_prices(
    volume_warehouse: Warehouse,
    kind: str,
    rows: str,
    line: int,
    column: str,
    value: str | None,
    words: str,
) -> None:
    before = volume_warehouse.rows(f"select count(*) from reference.{kind}")
    with pytest.raises(ReferenceRefused) as refused:
        _load(volume_warehouse, kind, f"{rows}\n")
    (refusal,) = refused.value.refusals
    assert (refusal.line, refusal.column, refusal.value) == (line, column, value)
    assert words in refusal.reason
    assert volume_warehouse.rows(f"select count(*) from reference.{kind}") == before


def test_a_price_that_can_be_converted_is_taken(money_warehouse: Warehouse) -> None:
    result = _load(
        money_warehouse, "account",
        "account_code,customer_name,plan_code\nA5,Euro priced,P_EUR\n",
    )  # fmt: skip
    assert result.rows_added == 1


def test_a_deck_may_name_another_of_the_same_file(empty_warehouse: Warehouse) -> None:
    result = _load(
        empty_warehouse,
        "deck",
        "deck_code,deck_name,side,currency_code,operator_deck_code\n"
        "D,D,retail,USD,OP\nOP,OP,retail,USD,\n",
    )
    assert result.rows_added == 2


@pytest.fixture(scope="module")
def _loaded(module_connection, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:  # noqa: ANN001
    warehouse = Warehouse(module_connection, tmp_path_factory.mktemp("reference"))
    _load_files(warehouse)
    return warehouse


@pytest.fixture
def reference_warehouse(_loaded: Warehouse, tmp_path: Path) -> Warehouse:
    """Filled once for the tests that change nothing."""
    return Warehouse(_loaded.connection, tmp_path)


@pytest.fixture(scope="module")
def _with_currencies(_loaded: Warehouse) -> Warehouse:
    for kind, content in (
        ("deck", "deck_code,deck_name,side,currency_code\nR_EUR,E,retail,EUR\n"
                 "R_GBP,G,retail,GBP\n"),
        ("plan", "plan_code,plan_name,deck_code\nP_EUR,Euro,R_EUR\n"),
        ("account", "account_code,customer_name,currency_code\nA4,Swiss,CHF\n"),
    ):  # fmt: skip
        _load(_loaded, kind, content)
    return _loaded


@pytest.fixture
def money_warehouse(_with_currencies: Warehouse, tmp_path: Path) -> Warehouse:
    """With decks and accounts in several currencies."""
    return Warehouse(_with_currencies.connection, tmp_path)


@pytest.fixture(scope="module")
def _with_schedules(_loaded: Warehouse) -> Warehouse:
    _load(
        _loaded, "tier_schedule",
        "schedule_code,schedule_name,pricing,measure,package_size,package_price,currency_code\n"
        "MONEY,Money,graduated,amount,,,USD\nEMPTY,Empty,volume,billed_units,,,USD\n"
        "BOXES,Boxes,package,records,10,5,USD\nEUROS,Euros,package,records,10,5,EUR\n",
    )  # fmt: skip
    return _loaded


@pytest.fixture
def volume_warehouse(_with_schedules: Warehouse, tmp_path: Path) -> Warehouse:
    """With schedules of every kind."""
    return Warehouse(_with_schedules.connection, tmp_path)


def test_refusals_of_the_file_as_a_whole(reference_warehouse: Warehouse) -> None:
    warehouse = reference_warehouse
    for content, column, words in (
        ("", "file", "empty"),
        ("plan_code,deck_code\nX,R\n", "plan_name", "must be there"),
        ("plan_code,plan_name,deck_code,colour\nX,Y,R,red\n", "colour", "no such column"),
        ("plan_code,plan_code,plan_name,deck_code\nX,X,Y,R\n", "plan_code", "more than once"),
        ("plan_id,plan_code,plan_name,deck_code\n1,X,Y,R\n", "plan_id", "no such column"),
        ("plan_code,plan_name,deck_code\nX,Y\n", "file", "has 2 fields, the header names 3"),
        ('plan_code,plan_name,deck_code\n"X"x,Y,R\n', "file", "not CSV"),
        ("plan_code,plan_name,deck_code\nX,Y,R\nX,Z,R\n", "plan_code", "same time as line 2"),
    ):
        with pytest.raises(ReferenceRefused) as refused:
            _load(warehouse, "plan", content)
        assert column in [refusal.column for refusal in refused.value.refusals]
        assert words in str(refused.value)


def test_only_twenty_refusals_are_shown_and_all_are_counted(
    reference_warehouse: Warehouse,
) -> None:
    rows = "".join(f"NONE,{number},0.1,,\n" for number in range(100, 150))
    with pytest.raises(ReferenceRefused) as refused:
        _load(reference_warehouse, "rate", f"{HEADERS['rate']}\n{rows}")
    assert len(refused.value.refusals) == 20
    assert refused.value.total == 50
    assert "and 30 more" in str(refused.value)


def test_a_blocked_rate_needs_no_price(empty_warehouse: Warehouse) -> None:
    warehouse = empty_warehouse
    _load_files(warehouse)
    result = _load(warehouse, "rate", "deck_code,prefix,status\nR,882,blocked\n")
    assert result.rows_added == 1


def test_unknown_kind_missing_file_and_empty_folder(reference_warehouse: Warehouse) -> None:
    warehouse = reference_warehouse
    with pytest.raises(RatehouseError, match="no reference kind 'tariff'; there are: .*lata"):
        _load(warehouse, "tariff", "x\n")
    with pytest.raises(RatehouseError, match=r"absent.csv cannot be read"):
        load_reference(warehouse.connection, "deck", warehouse.folder / "absent.csv")
    with pytest.raises(RatehouseError, match="holds no reference file"):
        (warehouse.folder / "empty").mkdir()
        load_folder(warehouse.connection, warehouse.folder / "empty")


def test_spellings_of_files(empty_warehouse: Warehouse) -> None:
    """Mark, semicolons, Windows line ends, Windows encoding, blank lines, upper-case header."""
    warehouse = empty_warehouse
    content = "\ufeffDECK_CODE;Deck_Name;side;currency_code\r\n\r\nX;Zoë;retail;EUR\r\n"
    assert _load(warehouse, "deck", content).rows_added == 1
    path = warehouse.folder / "ansi.csv"
    path.write_bytes("deck_code,deck_name,side,currency_code\nX,Zoë,retail,EUR\n".encode("cp1252"))
    again = load_reference(warehouse.connection, "deck", path)
    assert _counts(again) == (1, 0, 0, 1, 0)
    assert warehouse.value("select deck_name from reference.deck") == "Zoë"


def test_loads_take_turns_and_clocks_never_go_back(
    empty_warehouse: Warehouse, database: str
) -> None:
    warehouse = empty_warehouse
    _load_files(warehouse)
    paths = [
        warehouse.write(f"turn{number}.csv", FILES["account"].replace("Acme", f"Acme {number}"))
        for number in range(4)
    ]

    def run(path: Path) -> None:
        with contextlib.closing(connect("ratehouse_loader", database)) as session:
            load_reference(session, "account", path)

    threads = [threading.Thread(target=run, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = warehouse.rows(
        "select recorded_from, recorded_to from reference.account where account_code = 'A1' "
        "order by recorded_from"
    )
    assert len(rows) == 5
    for (_, ended), (began, _) in zip(rows, rows[1:], strict=False):
        assert ended == began


def test_a_rating_run_fixing_its_cut_off_waits_for_a_load(
    empty_warehouse: Warehouse, database: str
) -> None:
    """While a load holds its lock, the share lock of a rating run is not to be had."""
    import psycopg2.errors

    warehouse = empty_warehouse
    with contextlib.closing(connect("ratehouse_loader", database)) as other:
        with other.cursor() as cursor:
            cursor.execute("lock table control.reference_load in share mode")
        warehouse.execute("set lock_timeout = '200ms'")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            _load(warehouse, "lata", FILES["lata"])
        other.rollback()
    assert _load(warehouse, "lata", FILES["lata"]).rows_added == 1


# -- the administrator's reports -----------------------------------------------------------------

_NPA_HEADER = (
    "NPA_ID,type_of_code,ASSIGNABLE,USE,LOCATION,COUNTRY,IN_SERVICE,SERVICE,TIME_ZONE,NOTES"
)
_CO_HEADER = (
    "State\tNPA-NXX\tOCN \tCompany   \tRateCenter\tEffectiveDate\tUse\tAssignDate   \t"
    "Initial/Growth\tPooled Code \tIn Service  \tFile Updated {date}"
)


def _npa_report(date: str, *rows: str) -> str:
    return "\n".join([f"File Date,{date}", _NPA_HEADER, *rows, ""])


def _co_report(date: str, *rows: tuple[str, str, str, str, str]) -> str:
    lines = [_CO_HEADER.format(date=date)]
    for state, code, company, use, service in rows:
        lines.append(
            f'{state}   \t{code}\t6872\t"{company}"    \tVALDEZ    \t             \t{use} \t'
            f"02/21/2006   \tI             \tN           \t{service}      \t"
        )
    return "\r\n".join([*lines, ""])


def _validity(warehouse: Warehouse, npanxx: int) -> list[tuple[str, str, str]]:
    """Company and validity of a code, as known now."""
    return warehouse.rows(
        "select company, valid_from::date::text, valid_to::date::text from reference.npanxx "
        "where npanxx = %s and recorded_to = 'infinity' order by valid_from",
        npanxx,
    )


def test_co_code_report_dates_rows_by_its_own_date(empty_warehouse: Warehouse) -> None:
    warehouse = empty_warehouse
    old = ("AK", "907-200", "OLD", "AS", "Yes")
    other = ("AK", "907-201", "SAME", "AS", "No")
    first = _load(
        warehouse, "npanxx", _co_report("07/06/2026", old, other, ("AK", "907-9", "U", "UA", "No"))
    )
    assert (_counts(first), first.rows_skipped) == ((2, 2, 0, 0, 0), 1)
    assert warehouse.rows(
        "select npanxx, state_code, ocn, company, rate_centre, is_in_service, is_pooled "
        "from reference.npanxx order by npanxx"
    ) == [
        (907200, "AK", "6872", "OLD", "VALDEZ", True, False),
        (907201, "AK", "6872", "SAME", "VALDEZ", False, False),
    ]
    assert _validity(warehouse, 907200) == [("OLD", "-infinity", "infinity")]

    new, added = ("AK", "907-200", "NEW", "AS", "Yes"), ("AK", "907-202", "ADDED", "AS", "Yes")
    august = _co_report("08/03/2026", new, other, added)
    second = _load(warehouse, "npanxx", august)
    assert _counts(second) == (3, 1, 1, 1, 0)
    assert _validity(warehouse, 907200) == [
        ("OLD", "-infinity", "2026-08-03"), ("NEW", "2026-08-03", "infinity"),
    ]  # fmt: skip
    assert _validity(warehouse, 907202) == [("ADDED", "2026-08-03", "infinity")]
    assert _validity(warehouse, 907201) == [("SAME", "-infinity", "infinity")]
    assert _counts(_load(warehouse, "npanxx", august)) == (3, 0, 0, 3, 0)

    # A correction of the same date replaces what that date said.
    corrected = _co_report("08/03/2026", ("AK", "907-200", "RIGHT", "AS", "Yes"))
    assert _counts(_load(warehouse, "npanxx", corrected)) == (1, 0, 1, 0, 0)
    assert _validity(warehouse, 907200) == [
        ("OLD", "-infinity", "2026-08-03"), ("RIGHT", "2026-08-03", "infinity"),
    ]  # fmt: skip
    with pytest.raises(ReferenceRefused, match="a later one, of 2026-08-03, is loaded"):
        _load(warehouse, "npanxx", _co_report("07/20/2026", new))

    # Full: codes the report lacks are given back on its date.
    full = _load(warehouse, "npanxx", _co_report("09/01/2026", other), full=True)
    assert _counts(full) == (1, 0, 0, 1, 2)
    assert _validity(warehouse, 907202) == [("ADDED", "2026-08-03", "2026-09-01")]


def test_npa_report(empty_warehouse: Warehouse) -> None:
    warehouse = empty_warehouse
    report = _npa_report(
        "08/17/2026",
        '201,General,Yes,G,NJ,US,Y,,E,"a, note"',
        "800,Easy,Yes,N,,,Y,Toll-Free,,",
        "200,Easy,Yes,,,,N,,,",
    )
    assert _counts(_load(warehouse, "npa", report)) == (3, 3, 0, 0, 0)
    assert warehouse.rows(
        "select npa, location, country, service, usage_class, is_in_service, time_zone_letters, "
        "valid_from::text from reference.npa order by npa"
    ) == [
        (200, None, None, None, "non_geographic", False, None, "-infinity"),
        (201, "NJ", "US", None, "geographic", True, "E", "-infinity"),
        (800, None, None, "Toll-Free", "non_geographic", True, None, "-infinity"),
    ]
    with pytest.raises(ReferenceRefused, match="does not say its date"):
        _load(warehouse, "npa", report.replace("08/17/2026", "soon"))


def test_report_in_a_zip_and_a_damaged_zip(empty_warehouse: Warehouse) -> None:
    warehouse = empty_warehouse
    path = warehouse.folder / "npanxx.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("codes.txt", _co_report("07/06/2026", ("AK", "907-200", "X", "AS", "Yes")))
    (result,) = load_folder(warehouse.connection, warehouse.folder)
    assert _counts(result) == (1, 1, 0, 0, 0)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ReferenceRefused, match="damaged or incomplete"):
        load_folder(warehouse.connection, warehouse.folder)


def test_the_real_reports_where_they_are_at_hand(empty_warehouse: Warehouse) -> None:
    folder = project_root().parent / "shared" / "reference" / "nanpa"
    began = datetime.now(UTC)
    for path in sorted(folder.glob("*.zip")):
        result = load_reference(empty_warehouse.connection, "npanxx", path)
        assert (result.rows_read, result.rows_skipped) == (197_816, 6_511)
        assert (datetime.now(UTC) - began).total_seconds() < 30
    for path in sorted(folder.glob("npa_report*.csv")):
        assert load_reference(empty_warehouse.connection, "npa", path).rows_added == 800


TERMS = (
    "charge_tariff_code,product_code,product_name,price_mode,margin_percent,add_on_amount,"
    "fee_period,price_scope,scope_code"
)


@pytest.mark.parametrize(
    ("row", "column", "value", "words"),
    [
        ("T,X,Thing,margin,,,,,", "margin_percent", None, "when price_mode is margin"),
        ("T,X,Thing,margin,100,,,,", "margin_percent", "100", "less than 100"),
        ("T,X,Thing,add_on,,,,,", "add_on_amount", None, "when price_mode is add_on"),
        ("T,X,Thing,pass_through,,,days,,", "fee_period_days", None, "when fee_period is days"),
        ("T,X,Thing,pass_through,,,,service,", "scope_code", None, "must name whose price it is"),
        ("T,X,Thing,pass_through,,,,,S1", "scope_code", "S1", "must name whose price it is"),
        ("T,X,Thing,pass_through,,,,service,NONE", "scope_code", "NONE", "no such service"),
        ("T,X,Thing,pass_through,,,,account,NONE", "scope_code", "NONE", "no such account"),
        ("T,X,Thing,pass_through,,,,group,NONE", "scope_code", "NONE", "no such bill group"),
    ],
)
def test_prices_of_charges_say_what_they_lack(
    reference_warehouse: Warehouse, row: str, column: str, value: str | None, words: str
) -> None:
    warehouse = reference_warehouse
    before = warehouse.rows("select count(*) from reference.charge_tariff")
    with pytest.raises(ReferenceRefused) as refused:
        _load(warehouse, "charge_tariff", f"{TERMS}\n{row}\n")
    (refusal,) = refused.value.refusals
    assert (refusal.line, refusal.column, refusal.value) == (2, column, value)
    assert words in refusal.reason
    assert warehouse.rows("select count(*) from reference.charge_tariff") == before


def test_a_price_of_everybody_and_one_of_an_account_hold_together(
    reference_warehouse: Warehouse,
) -> None:
    rows = "S,X,Thing,pass_through,,,,list,\nS,X,Thing,excluded,,,,account,A1\n"
    assert _load(reference_warehouse, "charge_tariff", f"{TERMS}\n{rows}").rows_added == 2
    with pytest.raises(ReferenceRefused, match="is valid at the same time as line 2"):
        _load(
            reference_warehouse, "charge_tariff",
            f"{TERMS}\nS,Y,Thing,pass_through,,,,account,A1\nS,Y,Thing,excluded,,,,account,A1\n",
        )  # fmt: skip
