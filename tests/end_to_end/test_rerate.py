"""Usage is rated again, seen before it is done, and undone to the byte."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from loaders import runs
from loaders.database import connect
from loaders.runs import rerate, undo
from loaders.runs.refresh import Refreshed, refresh
from loaders.runs.rerate import Request, RerateFilter, RerateOptions, RerateRefused
from loaders.runs.undo import UndoRefused
from orchestration.lib import rerate as lib
from orchestration.lib.explain import explain
from tests.end_to_end.balance import assert_balanced
from tests.end_to_end.small import write_kind, write_small_reference
from tests.end_to_end.test_reprocess import _CURRENT, _TOTALS
from tests.end_to_end.test_withdraw import _HEADER
from tests.end_to_end.warehouse import Warehouse

_BY = {"requested_by": "tester", "code_commit": "tested", "code_is_dirty": False}
_LONG = RerateFilter(
    started_from=date(2026, 10, 1),
    started_before=date(2026, 11, 1),
    accounts=("ACME",),
    prefixes=("1",),
    minimum_seconds=Decimal(3600),
)
_SHORTENED = Request(_LONG, RerateOptions(new_seconds=Decimal(60)))
_AMOUNTS = """
    select line_no, billable_seconds, retail_amount, state
    from rating.current_rated_usage order by line_no, leg_no
"""


def row(
    minute: int, called: str, seconds: int, key: str = "acme", caller: str = "12125550100"
) -> str:
    return f"2026-10-05 10:{minute:02d}:00,{caller},{called},{seconds},{key},\n"


@pytest.fixture(scope="module")
def rated(
    make_warehouse: Callable[[], Warehouse], tmp_path_factory: pytest.TempPathFactory
) -> Warehouse:
    """Two customers; the price is 0.0001 a second, by the other deck twice that."""
    warehouse = make_warehouse()
    folder = tmp_path_factory.mktemp("rerate")
    reference = write_small_reference(folder / "reference")
    decks = [
        {"deck_code": code, "deck_name": code, "side": side, "currency_code": "USD"}
        for code, side in (("D", "retail"), ("E", "retail"), ("W", "wholesale"))
    ]
    write_kind(reference, "deck", decks)
    prices = (("D", "1", "0.006"), ("E", "1", "0.012"), ("W", "1", "0.003"))
    write_kind(
        reference,
        "rate",
        [{"deck_code": d, "prefix": p, "price_per_minute": price} for d, p, price in prices],
    )
    write_kind(
        reference,
        "account",
        [
            {"account_code": code, "customer_name": code.title(), "plan_code": "P"}
            for code in ("ACME", "BETA")
        ],
    )
    write_kind(
        reference,
        "service",
        [
            {"service_code": "ACME-1", "account_code": "ACME"},
            {"service_code": "BETA-1", "account_code": "BETA"},
        ],
    )
    write_kind(
        reference,
        "service_identifier",
        [
            {
                "service_code": f"{key.upper()}-1",
                "identifier_kind": "account_key",
                "identifier_value": key,
            }
            for key in ("acme", "beta")
        ],
    )
    warehouse.load_reference(reference)
    path = folder / "one.csv"
    path.write_text(
        _HEADER
        + row(1, "12125550123", 3600)
        + row(2, "12125550123", 60)
        + row(3, "+33123456789", 7200)
        + row(4, "12125550123", 5400, "beta")
    )
    warehouse.load(path, source_code="carrier")
    warehouse.rate()
    warehouse.bill(groups=["main"])
    return warehouse


@pytest.fixture
def at(rated: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """The warehouse of this process; the home of the session has the compiled models."""
    monkeypatch.setenv("RATEHOUSE_DATABASE_URL", rated.url)
    return rated


def preview(warehouse: Warehouse, request: Request, **settings: Any) -> lib.Preview:
    with closing(connect(url=warehouse.url)) as connection:
        return lib.preview(connection, request, **settings)


def apply(warehouse: Warehouse, request: Request, *, killed: bool = False) -> int:
    with closing(connect(url=warehouse.url)) as connection:
        run = rerate.open_rerate_run(connection, request, reason="the trunk hung", **_BY)
        assert run is not None
        warehouse.build("tag:rating", run.environment())
        if not killed:
            totals = runs.close_rating_run(connection, run)
            assert totals["is_balanced"] is True
        return run.rating_run_id


def take_back(warehouse: Warehouse, run_id: int) -> int | None:
    with closing(connect(url=warehouse.url)) as connection:
        _, undo_id = undo.undo_run(connection, run_id, reason="it was right", **_BY)
        return undo_id


def refreshed(warehouse: Warehouse, **asked: Any) -> Refreshed:
    with (
        closing(connect(url=warehouse.url)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        return refresh(cursor, **asked)


def state(warehouse: Warehouse) -> tuple[Any, ...]:
    """Rows, checksums and totals of what counts."""
    return (
        warehouse.rows("select * from control.fact_checksums('rating.current_rated_usage')"),
        warehouse.rows("select to_jsonb(r) from rating.current_rated_usage as r order by usage_id"),
        warehouse.rows(_TOTALS),
    )


def test_the_golden_call_is_adjusted_and_undone(at: Warehouse, tmp_path: Path) -> None:
    before = state(at)
    amounts = at.rows(_AMOUNTS)
    assert amounts == [
        (2, Decimal(3600), Decimal("0.36"), "billed"),
        (3, Decimal(60), Decimal("0.006"), "billed"),
        (4, Decimal(7200), None, "error"),
        (5, Decimal(5400), Decimal("0.54"), "billed"),
    ]

    seen = preview(at, _SHORTENED, csv=tmp_path / "changed.csv")
    found = seen.comparison
    assert found is not None and "u.account_id = any(" in seen.sql
    assert (seen.record_count, found.changed_count) == (1, 1)
    assert found.totals == [("retail", "USD", Decimal("0.36"), Decimal("0.006"), Decimal("-0.354"))]
    assert found.customers[0][:4] == ("ACME", "Acme", 1, 1)
    assert [call[-1] for call in found.calls] == ["duration adjusted"]
    assert found.drafts == [("2026-10", "main", Decimal("-0.354"), "USD")]
    assert "one.csv:2,1,ACME" in (tmp_path / "changed.csv").read_text()
    assert state(at) == before
    assert at.value("select count(*) from control.duration_correction") == 0

    # Killed after everything was built: nothing counts, and the next opening takes it up.
    run_id = apply(at, _SHORTENED, killed=True)
    assert state(at) == before
    assert apply(at, replace(_SHORTENED, as_of_run=seen.request.as_of_run)) == run_id
    adjusted = state(at)
    assert at.rows(_AMOUNTS)[0] == (2, Decimal(60), Decimal("0.006"), "billed")
    assert at.rows(_AMOUNTS)[1:] == amounts[1:]
    assert at.rows(_TOTALS) == at.rows(_CURRENT)
    assert_balanced(at)
    assert refreshed(at).is_equal
    with closing(connect(url=at.url)) as connection:
        assert lib.changed_by(connection, run_id).totals == found.totals
        told = str(explain(connection, "one.csv:2"))
    assert "3600 s put right to 60 s" in told and "the trunk hung" in told
    assert "0.36 USD" in told
    # The line as it came still says what it said.
    assert at.value('select "duration" from landing.mapped_usage where line_no = 2') == "3600"
    assert (
        at.value("select stale_reason from control.invoice_run")
        == f"run {run_id} rated usage again"
    )

    # Once more: the correction holds, nothing is changed by it.
    again = preview(at, Request(replace(_LONG, minimum_seconds=None)))
    assert again.comparison is not None
    assert (again.record_count, again.comparison.changed_count) == (2, 0)

    undone_by = take_back(at, run_id)
    assert undone_by is not None
    assert state(at) == before
    assert take_back(at, run_id) is None
    assert take_back(at, undone_by) is not None
    assert state(at) == adjusted

    # A later run on top: the earlier one stays until that is undone.
    dearer = apply(at, Request(_LONG_OF_ALL, RerateOptions(retail_deck="E")))
    assert at.value("select sum(retail_amount) from rating.current_rated_usage") == Decimal("1.104")
    with pytest.raises(UndoRefused, match=f"later runs .* {dearer} .rerate."):
        take_back(at, run_id)
    undo_of_dearer = take_back(at, dearer)
    assert undo_of_dearer is not None
    assert state(at) == adjusted
    take_back(at, run_id)
    assert state(at) == before
    # What it stood on is gone: it cannot come back.
    with pytest.raises(UndoRefused, match=f"by run {run_id} .undone."):
        take_back(at, undo_of_dearer)
    assert_balanced(at)


_LONG_OF_ALL = RerateFilter(prefixes=("1",))


def test_previews_say_why(at: Warehouse) -> None:
    def causes(options: RerateOptions, chosen: RerateFilter = _LONG_OF_ALL) -> list[str]:
        found = preview(at, Request(chosen, options)).comparison
        assert found is not None
        return sorted(row[0] for row in found.causes)

    before = state(at)
    assert causes(RerateOptions()) == []
    assert causes(RerateOptions(retail_deck="E")) == ["other deck"]
    assert causes(RerateOptions(cost_deck="W")) == ["cost: other deck"]
    assert causes(RerateOptions(rating_version=1)) == []
    assert causes(RerateOptions(new_seconds=Decimal(0)), RerateFilter(accounts=("BETA",))) == [
        "no longer billed: zero_duration"
    ]
    # Before anything was known there was no source.
    early = at.value("select min(recorded_at) - interval '1 day' from control.reference_load")
    with pytest.raises(RerateRefused, match="3 record.s. would get no decision"):
        causes(RerateOptions(known_at=early))
    assert state(at) == before


def test_any_field_can_be_asked(at: Warehouse) -> None:
    def lines(**asked: Any) -> list[int]:
        request = Request(RerateFilter(**asked))
        with closing(connect(url=at.url)) as connection, connection.cursor() as cursor:
            cursor.execute(f"{rerate.query_of(cursor, request)} order by u.line_no")
            return [found[3] for found in cursor.fetchall()]

    assert lines() == [2, 3, 4, 5]
    assert lines(states=("error",)) == [4]
    assert lines(carriers=("own",), plans=("P",), retail_decks=("D",)) == [2, 3, 5]
    assert lines(bill_groups=("main",), release_causes=("ANSWERED",)) == [2, 3, 4, 5]
    assert lines(zone="account", started_from=date(2026, 10, 5)) == [2, 3, 4, 5]
    assert lines(started_before=date(2026, 10, 5)) == []
    assert lines(
        where={
            "any": [
                {"field": "account", "is": "BETA"},
                {"all": [
                    {"field": "seconds", "at_least": 60}, {"field": "seconds", "less_than": 61},
                ]},
                {"not": {"field": "called_number", "starts_with": ["1"]}},
            ]
        }
    ) == [3, 4, 5]  # fmt: skip
    for asked, words in (
        ({"accounts": ("ACMEE",)}, "there is no account 'ACMEE'; did you mean ACME"),
        ({"where": {"field": "colour", "is": 1}}, "there is no field 'colour'"),
        ({"where": {"field": "account", "at_least": 1}}, "not a number"),
        ({"where": {"or": []}}, "any, all or not"),
    ):
        with pytest.raises(RerateRefused, match=words):
            lines(**asked)
    with closing(connect(url=at.url)) as connection:
        first = replace(Request(_LONG_OF_ALL), as_of_run=1)
        assert rerate.arrived_since(connection, first) == 0
    # A value is a value, whatever stands in it.
    assert lines(reasons=("' or true --",)) == []


def test_refused_in_words(at: Warehouse) -> None:
    with pytest.raises(RerateRefused, match="no retail deck 'W'; there is D, E"):
        preview(at, Request(_LONG_OF_ALL, RerateOptions(retail_deck="W")))
    with (
        pytest.raises(RerateRefused, match="a reason is needed"),
        closing(connect(url=at.url)) as connection,
    ):
        rerate.open_rerate_run(connection, _SHORTENED, reason=" ", **_BY)
    with pytest.raises(UndoRefused, match="withdraw a file instead"):
        take_back(at, at.value("select min(rating_run_id) from control.rating_run"))
    with pytest.raises(UndoRefused, match="no rating run 999"):
        take_back(at, 999)


def test_totals_and_balances_are_proved(at: Warehouse) -> None:
    found = refreshed(at)
    assert found.is_equal
    # ACME 0.366 and BETA 0.54 are drafted, rounded to cents.
    assert [row[:6] for row in found.balances] == [
        ("ACME", "USD", 0, Decimal("0.37"), 0, Decimal("0.37")),
        ("BETA", "USD", 0, Decimal("0.54"), 0, Decimal("0.54")),
    ]
    at.execute("update rating.usage_total set retail_amount = 1 where state = 'billed'")
    try:
        wrong = refreshed(at, account="BETA", period=date(2026, 10, 1))
        assert [row[1:] for row in wrong.differences] == [
            ("BETA", "2026-10", "billed", "USD", "amount", Decimal(1), Decimal("0.54"))
        ]
        assert "DIFFER" in wrong.sentences()[0]
        assert refreshed(at, period=date(2026, 9, 1)).differences == []
    finally:
        at.execute(
            "update rating.usage_total as t set retail_amount = f.amount from ("
            "select account_id, sum(retail_amount) as amount from rating.current_rated_usage "
            "where state = 'billed' group by 1) as f "
            "where t.account_id = f.account_id and t.state = 'billed'"
        )
