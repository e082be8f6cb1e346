"""Proration, price modes and scopes of charges: rules section 8, hand-computed."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import pytest

from tests.oracle.charges import charge_price, kind_of
from tests.oracle.proration import prorate
from tests.oracle.reference import Reference, Row

_DEFAULTS = {"charge_tariff_code": "T", "product_code": "P", "price_mode": "list"}


def terms(**settings: str) -> Row:
    reference = Reference({"charge_tariff": [_DEFAULTS | settings]})
    row = reference.charge_price("T", "P", "list", "", dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    assert row is not None
    return row


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("start", "end", "bill_day", "settings", "leading", "full", "trailing"),
    [
        ("2011-02-01", None, 13, {}, "12/31", 0, "0"),
        ("2011-02-01", "2011-02-14", 1, {}, "0", 0, "13/28"),
        ("2010-06-17", "2010-07-25", 17, {}, "0", 1, "8/31"),
        ("2011-01-01", "2011-02-27", 15, {}, "14/31", 1, "12/28"),
        ("2011-02-14", "2011-03-01", 27, {"end_rule": "period_end"}, "13/31", 1, "0"),
        ("2012-01-30", "2012-03-01", 30, {"end_rule": "period_end"}, "0", 2, "0"),
        ("2011-01-10", "2012-03-04", 17, {"fee_period": "year"}, "7/365", 1, "47/366"),
        ("2012-03-02", "2012-06-02", 1, {"fee_period": "days", "fee_period_days": "31"},
         "0", 2, "30/31"),
        ("2022-06-22", "2022-06-27", 1, {"fee_period": "week"}, "0", 0, "5/7"),
        ("2026-10-10", "2026-10-13", 1, {}, "3/31", 0, "0"),
        ("2026-10-10", "2026-10-10", 1, {}, "0", 0, "0"),
    ],
)  # fmt: skip
def test_actual_days_of_actual_periods(
    start: str, end: str | None, bill_day: int, settings: Row, leading: str, full: int,
    trailing: str,
) -> None:  # fmt: skip
    part = prorate(
        "actual_actual", at(start), end and at(end), bill_day, "UTC", terms(**settings)
    )
    assert (part.leading, part.full, part.trailing) == (
        Fraction(leading), full, Fraction(trailing),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("method", "start", "end", "settings", "total"),
    [
        ("days_30", "2023-02-23", "2023-03-15", {}, "22/30"),
        ("days_30", "2023-05-23", "2023-06-15", {"days_in_month": "28"}, "20/28"),
        ("days_30", "2026-02-01", "2026-03-01", {}, "1"),
        ("days_30", "2026-01-31", "2026-02-01", {}, "0"),
        ("annualised", "2026-06-10", "2026-06-21", {}, "132/365"),
        ("actual_days", "2026-10-14", "2026-11-01", {}, "18/31"),
        ("full_month", "2026-09-20", "2026-10-03", {}, "2"),
        ("full_month", "2026-09-20", "2026-10-03", {"full_month_rule": "first_day"}, "1"),
        ("full_month", "2026-09-14", "2026-10-16", {"full_month_rule": "fifteenth"}, "2"),
        ("full_month", "2026-09-16", "2026-10-15", {"full_month_rule": "fifteenth"}, "0"),
        # October 2026 in London has an hour more than 31 days.
        ("seconds", "2026-10-24T12:00", "2026-11-01", {}, "651600/2682000"),
    ],
)  # fmt: skip
def test_other_methods(method: str, start: str, end: str, settings: Row, total: str) -> None:
    part = prorate(method, at(start), at(end), 1, "Europe/London", terms(**settings))
    assert part.total == Fraction(total)


def test_periods_of_days_drift() -> None:
    seven = terms(fee_period="days", fee_period_days="30", fee_period_count="7")
    assert prorate("actual_actual", at("2016-04-08"), None, 1, "UTC", seven).end == at("2016-11-04")


@pytest.mark.parametrize(
    ("settings", "amount", "quantity", "rounded"),
    [
        ({"price_mode": "markup", "markup_percent": "50", "markup_floor": "0.05"}, "0.20", 1,
         "0.30"),
        ({"price_mode": "markup", "markup_percent": "10", "markup_floor": "0.05"}, "0.30", 3,
         "0.45"),
        ({"price_mode": "margin", "margin_percent": "20"}, "80", 1, "100"),
        ({"price_mode": "add_on", "add_on_amount": "0.5"}, "-6", 2, "-7"),
        ({"price_mode": "markup", "markup_percent": "11", "price_point": "0.05"}, "1", 1, "1.15"),
        ({"price_mode": "pass_through", "minimum_price": "0.75"}, "1", 2, "1.5"),
    ],
)  # fmt: skip
def test_prices_from_cost(settings: Row, amount: str, quantity: int, rounded: str) -> None:
    got = charge_price(terms(**settings), Decimal(amount), Decimal(quantity), Fraction(1))
    assert got[1] == Fraction(Decimal(rounded))


def test_rounding_each_unit_first_gives_other_cents() -> None:
    each = terms(unit_price="12.50", rounding_level="unit")
    assert charge_price(each, Decimal(1), Decimal(7), Fraction(10, 31))[1] == Fraction("28.21")


def test_words_of_suppliers() -> None:
    words = ("One-off", "Credit Note", "Rental", "recurring_advance", "Tax", "usage")
    assert [kind_of(word) for word in words] == [
        "one_off", "credit", "recurring", "recurring", "tax", "usage_summary",
    ]  # fmt: skip
