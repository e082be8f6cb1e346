"""Every record explains itself: its items agree with the fact, in numbers and in words."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from loaders.database import connect
from loaders.errors import RatehouseError
from orchestration.lib.explain import Section, explain
from tests.end_to_end.conftest import Month

_ITEMS = """
    select
        record_id,
        max(value::numeric) filter (where section = 'Price' and item = 'amount') as amount,
        sum(value::numeric) filter (where section = 'Price' and item in (
            'usage', 'connection fee', 'minimum top-up', 'maximum reduction', 'discount'
        )) as components,
        max(value::numeric) filter (where section = 'Price' and item = 'unrounded') as unrounded,
        max(value) filter (where section = 'In plain words' and item = 'charge') as charge,
        max(value) filter (where section = 'In plain words' and item = 'outcome') as outcome,
        max(value) filter (where item = 'what would have to change') as to_change,
        count(*) filter (where section = 'Rated by' and item = 'code') as code
    from marts.rpt_explain__record
    where record_id is not null
    group by record_id
"""


@pytest.fixture(scope="module")
def told(month: Month) -> dict[int, tuple[Any, ...]]:
    """What the explanation of every record comes to, by its number."""
    return {row[0]: row[1:] for row in month.warehouse.rows(_ITEMS)}


def _explain(month: Month, identifier: object) -> list[Section]:
    with closing(connect(url=month.warehouse.url)) as connection:
        return explain(connection, str(identifier))


def test_every_usage_leg_tells_its_own_amount(
    month: Month, told: dict[int, tuple[Any, ...]]
) -> None:
    legs = month.warehouse.rows(
        "select usage_id, state, retail_amount, retail_unrounded_amount, currency_code "
        "from rating.current_rated_usage"
    )
    assert len({state for _, state, *_ in legs}) == 4
    for usage_id, state, amount, unrounded, currency in legs:
        shown, components, exact, charge, outcome, to_change, code = told[usage_id]
        assert (shown, exact, code) == (amount, unrounded, 1)
        if state == "billed":
            assert abs(components - unrounded) < Decimal("1e-13")
            ending = f" {amount.normalize():f} {currency}"
            assert charge.endswith(ending) and outcome.endswith(ending)
            assert to_change is None
        else:
            assert outcome.startswith("Not billed") and charge is None
            assert to_change


def test_every_charge_tells_its_own_amount(month: Month, told: dict[int, tuple[Any, ...]]) -> None:
    charges = month.warehouse.rows(
        "select charge_id, state, charge_amount, currency_code from rating.current_rated_charge"
    )
    assert len({state for _, state, *_ in charges}) == 4
    for charge_id, state, amount, currency in charges:
        shown, _, _, charge, outcome, to_change, code = told[charge_id]
        assert (shown, code) == (amount, 1)
        if state == "billed":
            assert charge.endswith(f" {amount.normalize():f} {currency}")
            assert to_change is None
        else:
            assert outcome.startswith("Not billed") and to_change


def test_a_billed_call_leads_from_its_line_to_its_invoice(month: Month) -> None:
    (usage_id, file_name, line_no, account, amount) = month.warehouse.rows(
        "select usage_id, file_name, line_no, account_code, amount "
        "from (select u.usage_id, f.file_name, u.line_no, k.account_code, "
        "u.retail_amount as amount from rating.current_rated_usage as u "
        "inner join control.file as f on u.file_id = f.file_id "
        "inner join reference.account_key as k on u.account_id = k.account_id "
        "where u.state = 'billed' and u.cost_amount > 0 and u.period_month = '2026-10-01') as b "
        "order by amount desc, usage_id limit 1"
    )[0]
    sections = {section.title: section.facts for section in _explain(month, usage_id)}
    assert list(sections) == [
        "File", "As received", "In plain words", "Values", "Decision", "Price", "Cost", "Rated by",
        "Invoice",
    ]  # fmt: skip
    assert sections["File"]["file"].startswith(file_name)
    assert sections["File"]["file"].endswith(f"line {line_no}")
    received = sections["As received"]
    assert all(value in received["line"] for name, value in received.items() if name != "line")
    assert sections["Decision"]["account"].startswith(account)
    assert Decimal(sections["Price"]["amount"]) == amount
    assert {"deck", "deck version", "row", "matched prefix", "rounding"} <= set(sections["Price"])
    (line,) = sections["Invoice"].values()
    assert line.startswith("invoice of 2026-10 (draft")


def test_lines_that_are_no_records_say_what_they_are(month: Month) -> None:
    quarantined, other = (
        month.warehouse.rows(f"select file_id, line_no from landing.{table} order by 1, 2 limit 1")[
            0
        ]
        for table in ("quarantine", "non_data_line")
    )
    for (file_id, line_no), words in (
        (quarantined, "It could not be read: "), (other, "No record but a line of the kind "),
    ):  # fmt: skip
        sections = {s.title: s.facts for s in _explain(month, file_id * 2**36 + line_no * 16 + 1)}
        assert list(sections) == ["File", "As received"]
        assert sections["As received"]["what it is"].startswith(words)
        assert sections["As received"]["line"] is not None


def test_a_held_file_says_what_would_have_to_change(month: Month) -> None:
    [(name, reason)] = month.warehouse.rows(
        "select file_name, status_reason from control.file where status = 'held' "
        "order by file_id limit 1"
    )
    (section,) = _explain(month, f"{name}:2")
    assert section.facts["status"] == f"held: {reason}"
    assert section.facts["why"] and "release" in section.facts["what would have to change"]


def test_a_line_that_is_not_there_is_refused(month: Month) -> None:
    [(file_id,)] = month.warehouse.rows(
        "select min(file_id) from control.file where status = 'landed' and data_count > 0"
    )
    with pytest.raises(RatehouseError, match="has no record on line 999999"):
        _explain(month, file_id * 2**36 + 999999 * 16 + 1)


def test_a_record_is_looked_up_and_nothing_is_scanned(month: Month) -> None:
    """Where the tables are large: no fact and no versions of services are read through."""
    [(file_id, line_no)] = month.warehouse.rows(
        "select file_id, line_no from rating.current_rated_usage where state = 'billed' "
        "order by usage_id limit 1"
    )
    with closing(connect(url=month.warehouse.url)) as session, session.cursor() as cursor:
        cursor.execute("set enable_seqscan = off")
        cursor.execute(
            "explain select * from marts.rpt_explain__record where file_id = %s and line_no = %s",
            (file_id, line_no),
        )
        plan = [line for (line,) in cursor.fetchall()]
    scanned = {line.split(" on ")[1].split()[0] for line in plan if "Seq Scan on" in line}
    large = {
        name for name in scanned
        if name.startswith(("rated_usage", "rated_charge", "asterisk_cdr", "mapped_usage"))
        or name in ("service", "account", "rate", "deck", "plan", "charge_tariff")
    }  # fmt: skip
    assert large == set()
