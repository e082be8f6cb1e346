"""What a sheet would have meant for a month of traffic, worked out by hand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from loaders.database import connect
from loaders.decks import Effect, SideEffect
from tests.decks.conftest import Warehouse

MONTH = date(2026, 10, 1)
IN_FORCE = (
    "Code,Rate,Setup fee,Increment,Effective\n33,0.60,0.01,1/1,2026-01-01\n"
    "336,1.20,0,1/1,2026-01-01\n49,0.30,0,1/1,2026-01-01\n"
)


@pytest.fixture
def traffic(warehouse: Warehouse, module_database: str) -> Iterator[Warehouse]:
    """Three rated calls of October and some that do not count, in a build of their own."""
    with contextlib.closing(connect(url=module_database)) as owner:
        with owner, owner.cursor() as cursor:
            cursor.execute(
                "create schema trial_rating; create table trial_rating.current_rated_usage "
                "(started_at timestamptz, state text, rated_number bigint, retail_deck_id integer, "
                "retail_jurisdiction text, retail_billed_seconds bigint, cost_deck_id integer, "
                "cost_jurisdiction text, cost_billed_seconds bigint, cost_status text, "
                "cost_rated_number bigint); "
                "grant usage on schema trial_rating to ratehouse_loader; "
                "grant select on trial_rating.current_rated_usage to ratehouse_loader; "
                "insert into trial_rating.current_rated_usage "
                "select at::timestamptz, state, number, null, null, null, deck_id, null, seconds, "
                "status, null from (values "
                "('2026-10-01 00:00+00', 'billed', 33612345678, 60, 'priced'), "
                "('2026-10-31 23:59+00', 'billed', 33612345678, 120, 'priced'), "
                "('2026-10-15 12:00+00', 'billed', 33123456789, 600, 'priced'), "
                "('2026-10-15 12:00+00', 'billed', 49301234567, 600, 'priced'), "
                "('2026-10-15 12:00+00', 'billed', 33612345678, 600, 'missing_rate'), "
                "('2026-11-01 00:00+00', 'billed', 33612345678, 600, 'priced')"
                ") as v (at, state, number, seconds, status) "
                "cross join (select deck_id from reference.deck_key where deck_code = 'NEW') as d; "
                "insert into trial_rating.current_rated_usage "
                "select at::timestamptz, state, 33612345678, deck_id, null, 60 "
                "from (values ('2026-10-01 00:00+00', 'billed'), ('2026-10-31 23:59+00', 'error'), "
                "('2026-11-01 00:00+00', 'billed'), ('2026-09-30 23:59+00', 'billed')"
                ") as v (at, state) "
                "cross join (select deck_id from reference.deck_key where deck_code = 'NOTICE') "
                "as d"
            )
        warehouse.load(IN_FORCE)
        yield warehouse
        with owner, owner.cursor() as cursor:
            cursor.execute("drop schema trial_rating cascade")


def _effect(warehouse: Warehouse, rows: str, **options: object) -> Effect:
    sheet = "Code,Rate,Setup fee,Increment,Effective,Status\n" + rows
    preview = warehouse.preview(
        sheet, month=MONTH, is_full=False, build_schema="trial", **options
    )
    assert preview.effect is not None
    assert preview.effect.month == MONTH
    return preview.effect


def test_only_codes_that_change_are_priced_again(traffic: Warehouse) -> None:
    effect = _effect(traffic, "336,1.50,0,1/1,2026-12-01,\n49,0.30,0,1/1,2026-12-01,\n")
    # 60 s and 120 s: 3 minutes at 1.20, then at 1.50.
    assert effect.sides == [
        SideEffect("cost", 2, Decimal("3.0"), Decimal("3.6000"), Decimal("4.5000"), 0, 0)
    ]
    assert effect.sides[0].difference == Decimal("0.9")
    assert [(row.prefix, row.calls) for row in effect.largest] == [("336", 2)]


def test_a_new_longer_code_takes_its_calls_from_the_shorter(traffic: Warehouse) -> None:
    effect = _effect(traffic, "331,0.90,0.02,1/1,2026-12-01,\n")
    # 600 s: 0.01 + 10 x 0.60, then 0.02 + 10 x 0.90.
    assert effect.sides == [
        SideEffect("cost", 1, Decimal("10.0"), Decimal("6.0100"), Decimal("9.0200"), 0, 0)
    ]


def test_closed_codes_fall_back_or_have_no_price(traffic: Warehouse) -> None:
    closed = "336,,,,2026-12-01,Closed\n"
    # Two calls at 0.01 + minutes x 0.60.
    assert _effect(traffic, closed).sides == [
        SideEffect("cost", 2, Decimal("3.0"), Decimal("3.6000"), Decimal("1.8200"), 0, 0)
    ]
    assert _effect(traffic, closed, closed="blocked").sides == [
        SideEffect("cost", 2, Decimal("3.0"), Decimal("3.6000"), Decimal("0.0000"), 2, 0)
    ]
    (side,) = _effect(traffic, "49,,,,2026-12-01,Closed\n").sides
    assert (side.calls, side.unpriced_calls, side.new_amount) == (1, 1, 0)


def test_what_customers_pay(traffic: Warehouse) -> None:
    traffic.load(IN_FORCE, "NOTICE")
    sheet = "Code,Rate,Effective\n336,1.50,2026-12-01\n"
    preview = traffic.preview(sheet, "NOTICE", month=MONTH, is_full=False, build_schema="trial")
    assert preview.effect is not None
    assert preview.effect.sides == [
        SideEffect("retail", 1, Decimal("1.0"), Decimal("1.2000"), Decimal("1.5000"), 0, 0)
    ]


def test_a_month_without_such_calls_and_a_warehouse_without_usage(traffic: Warehouse) -> None:
    assert _effect(traffic, "351,0.1,0,1/1,2026-12-01,\n").sides == []
    assert traffic.preview(IN_FORCE, is_full=False).effect is None
