"""From record to state: order of the rules, direction, matching, classification, duplicates."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import pytest

from tests.oracle.numbers import load_number_plans
from tests.oracle.reading import RawFile, RawRecord
from tests.oracle.reference import Reference, Row
from tests.oracle.run import NUMBER_PLANS
from tests.oracle.usage import UsageLeg, UsageRater

RECEIVED = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
ALICE, BOB, FREE = "12125550100", "13125550101", "18005550102"


def identifier(service: str, kind: str, value: str, **settings: str) -> Row:
    return {"service_code": service, "identifier_kind": kind, "identifier_value": value} | settings


def world(**changes: list[Row]) -> Reference:
    kinds: dict[str, list[Row]] = {
        "source": [
            {"source_code": "pbx", "layout_code": "asterisk_cdr", "cost_deck_code": "COST"},
            {"source_code": "out", "layout_code": "asterisk_cdr", "direction_mode": "outbound"},
            {"source_code": "in", "layout_code": "asterisk_cdr", "direction_mode": "inbound"},
            {"source_code": "info", "layout_code": "asterisk_cdr", "rating_mode": "none"},
            {"source_code": "plain", "layout_code": "asterisk_cdr", "classify_mode": "none"},
            {"source_code": "csv", "layout_code": "mapped_usage", "decimal_mark": ","},
        ],
        "account": [
            {"account_code": "A", "plan_code": "P", "time_zone": "America/New_York"},
            {"account_code": "B", "anchor_day": "15"},
            {"account_code": "GONE", "valid_to": "2026-10-01T00:00:00Z"},
        ],
        "service": [
            {"service_code": "SA", "account_code": "A"},
            {"service_code": "SB", "account_code": "B"},
            {"service_code": "SF", "account_code": "A", "plan_code": "F"},
            {"service_code": "SG", "account_code": "GONE"},
        ],
        "service_identifier": [
            identifier("SA", "number", ALICE),
            identifier("SB", "number", BOB),
            identifier("SF", "number", FREE, direction="inbound"),
            identifier("SA", "pattern", "1646555{!}"),
            identifier("SB", "pattern", "16465551{!}"),
            identifier("SA", "account_key", "acme"),
            identifier("SG", "number", "12125550199"),
        ],
        "plan": [
            {"plan_code": "P", "deck_code": "D"},
            {"plan_code": "F", "deck_code": "D", "inbound_deck_code": "IN"},
            {"plan_code": "DEFAULT", "deck_code": "D", "is_default": "true",
             "rounding_decimals": "2"},
        ],
        "deck": [
            {"deck_code": "D", "is_jurisdictional": "true", "currency_code": "USD"},
            {"deck_code": "IN", "currency_code": "USD"},
            {"deck_code": "COST", "currency_code": "USD"},
        ],
        "rate": [
            {"deck_code": "D", "prefix": "1", "price_per_minute": "0.06",
             "jurisdiction": "interstate"},
            {"deck_code": "D", "prefix": "1", "price_per_minute": "0.12",
             "jurisdiction": "intrastate"},
            {"deck_code": "D", "prefix": "1", "price_per_minute": "0.18",
             "jurisdiction": "indeterminate"},
            {"deck_code": "D", "prefix": "1416", "price_per_minute": "0.24"},
            {"deck_code": "D", "prefix": "44", "price_per_minute": "0.30"},
            {"deck_code": "D", "prefix": "1900", "status": "blocked"},
            {"deck_code": "D", "prefix": "1411", "price_per_minute": "0", "connection_fee": "1.25"},
            {"deck_code": "IN", "prefix": "1", "price_per_minute": "0.6"},
            {"deck_code": "COST", "prefix": "1", "price_per_minute": "0.0123457"},
        ],
        "npa": [
            {"npa": npa, "country": country, "service": service, "usage_class": usage,
             "is_in_service": live}
            for npa, country, service, usage, live in (
                ("212", "US", "", "geographic", "true"), ("646", "US", "", "geographic", "true"),
                ("312", "US", "", "geographic", "true"),
                ("416", "CANADA", "", "geographic", "true"),
                ("800", "", "Toll-Free", "non_geographic", "true"),
                ("822", "", "Toll-Free", "non_geographic", "false"),
                ("900", "", "Premium Services", "non_geographic", "true"),
                ("500", "US", "Non-Geographic Services", "non_geographic", "true"),
            )
        ],
        "npanxx": [
            {"npanxx": "212555", "state_code": "NY", "is_in_service": "true"},
            {"npanxx": "646555", "state_code": "NY", "is_in_service": "true"},
            {"npanxx": "312555", "state_code": "IL", "is_in_service": "true"},
            {"npanxx": "312556", "state_code": "IL", "is_in_service": "false"},
        ],
    }  # fmt: skip
    return Reference(kinds | changes)


def cdr(src: str = ALICE, dst: str = "12125550777", **changes: str) -> dict[str, str]:
    return {
        "accountcode": "", "src": src, "dst": dst, "start_time": "2026-10-05 12:00:00",
        "duration": "70", "billsec": "60", "disposition": "ANSWERED", "uniqueid": "1.1",
        "sequence": "1",
    } | changes  # fmt: skip


def rate(*records: dict[str, str], source: str = "pbx", **changes: list[Row]) -> list[UsageLeg]:
    rater = UsageRater(world(**changes), load_number_plans(NUMBER_PLANS), RECEIVED)
    file = RawFile(source, "f", "landed", file_id=1)
    file.records = [RawRecord(number, values) for number, values in enumerate(records, start=1)]
    return rater.rate_file(file)


def one(record: dict[str, str], **options) -> UsageLeg:
    legs = rate(record, **options)
    assert len(legs) == 1
    return legs[0]


def test_a_billed_call_carries_its_whole_explanation() -> None:
    leg = one(cdr(billsec="61"))
    assert (leg.state, leg.reason) == ("billed", None)
    assert (leg.direction, leg.service_code, leg.match_method) == ("outbound", "SA", "number")
    assert (leg.account_code, leg.plan_code, leg.plan_source) == ("A", "P", "account")
    assert (leg.calling_state, leg.called_state) == ("NY", "NY")
    assert (leg.jurisdiction, leg.charge_class) == ("intrastate", "intrastate")
    assert (leg.retail_prefix, leg.retail_billed_seconds) == ("1", 61)
    assert leg.retail_amount == Fraction(122, 1000)  # 61 * 0.12 / 60
    # 61 * 0.0123457 / 60 = 0.012551461..., six decimals half up
    assert (leg.cost_status, leg.cost_amount) == ("priced", Fraction(12551, 1000000))
    assert leg.period_month == dt.date(2026, 10, 1)


@pytest.mark.parametrize(
    ("record", "state", "reason"),
    [
        (cdr(start_time="", disposition="BUSY"), "error", "missing_start_time"),
        (cdr(start_time="2026-02-30 10:00:00", billsec="-1"), "error", "invalid_start_time"),
        (cdr(billsec="-5", disposition="BUSY"), "error", "negative_duration"),
        (cdr(billsec="abc"), "error", "invalid_duration"),
        (cdr(billsec="", duration=""), "error", "missing_duration"),
        (cdr(billsec="604801"), "error", "implausible_duration"),
        (cdr(billsec="60", disposition="NO ANSWER"), "not_billable", "unanswered"),
        (cdr(disposition="whatever"), "not_billable", "unanswered"),
        (cdr(billsec="0"), "not_billable", "zero_duration"),
        (cdr(dst="*98"), "not_billable", "service_code"),
        (cdr(dst="911"), "not_billable", "emergency_call"),
        (cdr(src="101", dst="102"), "not_billable", "internal_call"),
        (cdr(src="101", dst="s"), "not_billable", "internal_call"),
        (cdr(src="101", dst="911"), "not_billable", "emergency_call"),
        (cdr(dst="s"), "error", "invalid_called_number"),
        (cdr(dst="1234567"), "error", "invalid_called_number"),
        (cdr(dst=""), "error", "missing_called_number"),
        (cdr(dst="anonymous"), "error", "missing_called_number"),
        (cdr(dst="4.47912E+11"), "error", "scientific_notation_number"),
        (cdr(src="1.2E+10"), "error", "scientific_notation_number"),
        (cdr(src="19175550000"), "error", "service_not_found"),
        (cdr(src="anonymous"), "error", "service_not_found"),
        (cdr(src="12125550199"), "error", "account_not_found"),
        (cdr(dst="01133612345678"), "error", "missing_rate"),
        (cdr(dst="19005550100"), "error", "destination_blocked"),
        (cdr(src="19175550000", dst=BOB), "not_billable", "inbound_included"),
        (cdr(dst="411"), "billed", None),
    ],
)
def test_state_and_reason(record: dict[str, str], state: str, reason: str | None) -> None:
    leg = one(record)
    assert (leg.state, leg.reason) == (state, reason)


def test_information_only_beats_pricing_but_not_matching() -> None:
    assert one(cdr(dst="19005550100"), source="info").reason == "information_only_source"
    assert one(cdr(src="19175550000"), source="info").reason == "service_not_found"


def test_directory_assistance_costs_its_fee() -> None:
    leg = one(cdr(dst="411"))
    assert (leg.charge_class, leg.rated_number, leg.retail_prefix) == ("directory", "1411", "1411")
    assert leg.retail_amount == Fraction(5, 4)


def test_directory_assistance_of_an_area_code_is_a_number_where_nothing_is_classified() -> None:
    classified = one(cdr(dst="13125551212"))
    assert (classified.charge_class, classified.rated_number) == ("directory", "1411")
    plain = one(cdr(dst="13125551212"), source="plain")
    assert (plain.charge_class, plain.rated_number) == ("directory", "13125551212")


def test_a_call_between_two_customers_makes_two_legs() -> None:
    out, back = rate(cdr(dst=FREE))
    assert (out.leg_no, out.direction, out.service_code) == (1, "outbound", "SA")
    assert (back.leg_no, back.direction, back.service_code) == (2, "inbound", "SF")
    assert out.charge_class == "toll_free" and back.charge_class == "inbound"
    # Toll-free answering is priced by the caller: 60 s at 0.6.
    assert (back.rated_number, back.retail_amount) == (ALICE, Fraction(6, 10))
    unknown = one(cdr(src="101", dst=FREE))
    assert (unknown.reason, unknown.rated_number) == ("missing_rate", None)
    assert back.cost_status is None, "cost belongs to outbound legs"


def test_direction_modes() -> None:
    assert [leg.direction for leg in rate(cdr(dst=BOB), source="out")] == ["outbound"]
    assert [leg.direction for leg in rate(cdr(dst=BOB), source="in")] == ["inbound"]
    stranger = rate(cdr(src="19175550000", dst=ALICE), source="out")
    assert [leg.reason for leg in stranger] == ["service_not_found"]


def test_matching_prefers_number_then_longest_pattern_then_account_key() -> None:
    assert one(cdr(src="16465550000", accountcode="x")).service_code == "SA"
    longest = one(cdr(src="16465551000"))
    assert (longest.service_code, longest.match_method) == ("SB", "pattern")
    keyed = one(cdr(src="101", accountcode="acme"))
    assert (keyed.service_code, keyed.match_method) == ("SA", "account_key")
    assert keyed.jurisdiction == "indeterminate"
    by_number = one(cdr(src=BOB, accountcode="acme"))
    assert by_number.service_code == "SB"


def test_identifiers_count_only_for_their_direction() -> None:
    one_way = [
        identifier("SA", "number", ALICE, direction="outbound"),
        identifier("SB", "number", ALICE, direction="inbound"),
        identifier("SA", "pattern", "1312{!}", direction="inbound"),
        identifier("SB", "account_key", "key", direction="inbound"),
    ]
    called = one(cdr(src="19175550000", dst=ALICE), service_identifier=one_way)
    assert (called.direction, called.service_code) == ("inbound", "SB")
    calling = one(cdr(dst="19175550000"), service_identifier=one_way)
    assert (calling.direction, calling.service_code) == ("outbound", "SA")
    stranger = cdr(src=BOB, dst="19175550000", accountcode="key")
    assert one(stranger, service_identifier=one_way).reason == "service_not_found"


def test_talk_time_of_an_unanswered_call_is_none() -> None:
    leg = one(cdr(billsec="60", disposition="NO ANSWER"))
    assert (leg.disposition, leg.billable_seconds) == ("no_answer", 0)


def test_a_number_belongs_to_its_owner_at_the_start_of_the_call() -> None:
    moved = [
        identifier("SA", "number", ALICE, valid_to="2026-10-14T12:00:00Z"),
        identifier("SB", "number", ALICE, valid_from="2026-10-14T12:00:00Z"),
    ]
    before, after = rate(
        cdr(start_time="2026-10-14 11:59:59"),
        cdr(start_time="2026-10-14 12:00:00", sequence="2"),
        service_identifier=moved,
    )
    assert (before.service_code, after.service_code) == ("SA", "SB")


@pytest.mark.parametrize(
    ("src", "dst", "jurisdiction", "called_class"),
    [
        (ALICE, "12125557777", "intrastate", "domestic"),
        (ALICE, "13125557777", "interstate", "domestic"),
        (ALICE, "13129997777", "indeterminate", "domestic"),  # exchange not in the table
        (ALICE, "13125567777", "indeterminate", "domestic"),  # exchange not in service yet
        (ALICE, "14165557777", "international", "international"),
        (ALICE, "442079460999", "international", "international"),
        (ALICE, "18005557777", "indeterminate", "toll_free"),
        (ALICE, "18225557777", "indeterminate", "unknown"),  # not in service
        (ALICE, "13129767777", "indeterminate", "premium"),
        (ALICE, "15005557777", "indeterminate", "other"),
        (ALICE, "19995557777", "indeterminate", "unknown"),
    ],
)
def test_jurisdiction(src: str, dst: str, jurisdiction: str, called_class: str) -> None:
    leg = one(cdr(src=src, dst=dst))
    assert (leg.jurisdiction, leg.called_class) == (jurisdiction, called_class)


def test_a_caller_from_abroad_makes_a_domestic_call_international() -> None:
    leg = one(cdr(src="+442079460999", dst="12125557777", accountcode="acme"))
    assert (leg.jurisdiction, leg.charge_class) == ("international", "international")


def test_without_classification_the_indeterminate_price_applies() -> None:
    leg = one(cdr(), source="plain")
    assert (leg.jurisdiction, leg.charge_class) == (None, "indeterminate")
    assert leg.retail_amount == Fraction(18, 100)


def test_default_plan_is_used_and_named() -> None:
    leg = one(cdr(src=BOB, billsec="61", dst="13125557777"))
    assert (leg.plan_code, leg.plan_source) == ("DEFAULT", "default")
    assert leg.retail_amount == Fraction(12, 100)  # 61 * 0.12 / 60 = 0.122, two decimals


def test_no_plan_at_all_is_an_error() -> None:
    assert one(cdr(src=BOB), plan=[{"plan_code": "P", "deck_code": "D"}]).reason == "no_plan"


def test_repeats_point_at_the_first_and_conflicts_go_to_review() -> None:
    legs = rate(cdr(), cdr(), cdr(billsec="61"), cdr(billsec="61"), cdr(sequence="2"))
    assert [(leg.state, leg.reason, leg.original) for leg in legs] == [
        ("billed", None, None),
        ("duplicate", "repeated_record", (1, 1)),
        ("error", "key_conflict", (1, 1)),
        ("duplicate", "repeated_record", (1, 3)),
        ("billed", None, None),
    ]


def test_without_a_key_the_whole_row_is_the_identity() -> None:
    plain = {k: v for k, v in cdr().items() if k != "sequence"}
    legs = rate(plain, plain, plain | {"billsec": "61"})
    assert [leg.state for leg in legs] == ["billed", "duplicate", "billed"]


def test_the_first_is_the_original_even_when_it_is_not_billable() -> None:
    busy = cdr(disposition="BUSY", billsec="0")
    assert [leg.reason for leg in rate(busy, busy)] == ["unanswered", "repeated_record"]


def test_money_at_risk_is_the_price_by_the_default_plan_of_what_nobody_owns() -> None:
    assert one(cdr(src="19175550000")).at_risk_amount == Fraction(18, 100)
    assert one(cdr(src="12125550199")).at_risk_amount == Fraction(12, 100)
    assert one(cdr(src="19175550000", dst="01133612345678")).at_risk_amount is None
    conflict = rate(cdr(), cdr(billsec="61"))[1]
    assert (conflict.reason, conflict.at_risk_amount) == ("key_conflict", None)
    assert one(cdr(dst="01133612345678")).at_risk_amount is None
    assert one(cdr(dst="4477009")).at_risk_amount is None, "not a number: nothing to price"
    assert one(cdr()).at_risk_amount is None


def test_period_is_named_in_the_zone_and_by_the_anchor_of_the_account() -> None:
    assert one(cdr(start_time="2026-10-01 03:59:59")).period_month == dt.date(2026, 9, 1)
    assert one(cdr(start_time="2026-10-01 04:00:00")).period_month == dt.date(2026, 10, 1)
    anchored = one(cdr(src=BOB, start_time="2026-10-14 23:59:59"))
    assert anchored.period_month == dt.date(2026, 9, 1)


def test_mapped_records_use_the_billable_duration_and_the_decimal_mark() -> None:
    record = {
        "record_id": "r1", "start_time": "2026-10-05 12:00:00", "calling_number": ALICE,
        "called_number": "12125557777", "duration": "70,0", "billable_duration": "60,4",
        "disposition": "OK", "service_key": "", "account_key": "",
    }  # fmt: skip
    leg = one(record, source="csv")
    assert (leg.billable_seconds, leg.retail_billed_seconds) == (Decimal("60.4"), 61)
    silent = one(record | {"disposition": ""}, source="csv")
    assert (silent.disposition, silent.state) == ("answered", "billed")
    by_key = one(record | {"calling_number": "", "account_key": "acme"}, source="csv")
    assert by_key.service_code == "SA"


def mapped(**values: str) -> dict[str, str]:
    return {
        "start_time": "2026-10-05 12:00:00", "calling_number": ALICE,
        "called_number": "12125550777", "duration": "60", "record_id": "r1",
    } | values  # fmt: skip


@pytest.mark.parametrize(
    ("record", "state", "reason"),
    [
        (mapped(usage_type="sms", duration="", disposition=""), "error", "missing_rate"),
        (mapped(usage_type="sms", calling_number="ACME"), "error", "service_not_found"),
        (mapped(usage_type="sms", called_number="12345", duration=""), "error", "missing_rate"),
        (mapped(usage_type="sms", called_number=""), "error", "missing_called_number"),
        (mapped(usage_type="mms", quantity="two"), "error", "invalid_quantity"),
        (mapped(usage_type="data", called_number=""), "error", "missing_volume"),
        (mapped(usage_type="data", called_number="", bytes_up="-1"), "error", "invalid_volume"),
        (mapped(usage_type="data", called_number="", bytes_down="12"), "error", "missing_rate"),
        (mapped(usage_type="data", bytes_up="1", duration="700000"), "error", "missing_rate"),
        (mapped(direction="on-net"), "not_billable", "internal_call"),
    ],
)
def test_usage_that_is_no_call(record: dict[str, str], state: str, reason: str) -> None:
    leg = one(record, source="csv")
    assert (leg.state, leg.reason) == (state, reason)


def test_messages_and_data_have_classes_of_their_own() -> None:
    assert one(mapped(usage_type="text"), source="csv").charge_class == "messages"
    data = one(mapped(usage_type="gprs", bytes_up="1"), source="csv")
    assert (data.charge_class, data.disposition) == ("data", "unknown")


@pytest.mark.parametrize(
    ("record", "direction", "service", "method"),
    [
        (mapped(service_key=BOB), "outbound", "SB", "number"),
        (mapped(service_key=BOB, direction="inbound"), "inbound", "SB", "number"),
        (mapped(account_key="acme", direction="inbound"), "inbound", "SA", "account_key"),
        (mapped(calling_number="", account_key="acme"), "outbound", "SA", "account_key"),
        (mapped(service_key="16465551000"), "outbound", "SA", "number"),
        (mapped(service_key=BOB, called_number=BOB, calling_number="442079460999"),
         "inbound", "SB", "number"),
    ],
)  # fmt: skip
def test_a_key_of_the_record_names_the_paying_service(
    record: dict[str, str], direction: str, service: str, method: str
) -> None:
    leg = one(record, source="csv")
    assert (leg.direction, leg.service_code, leg.match_method) == (direction, service, method)
