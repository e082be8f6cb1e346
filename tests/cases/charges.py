"""Fixed fees: charge lines of a carrier and the tariff of their product."""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.cases.book import Given, NotSupported
from tests.cases.results import Ask, charge_amount, needs
from tests.cases.world import Bench

# Decimals of a charge that does not say how it is rounded: to the cent.
_CENTS = 2


def rounded_amount(bench: Bench, given: Given) -> dict[str, Ask]:
    """An amount that is rounded: a charge passed through."""
    bench.service()
    record = bench.charge(
        {"net_amount": given["amount"]},
        price_mode="pass_through", rounding_decimals=given["dp"], rounding_mode=given["mode"],
    )  # fmt: skip
    return {"amount": charge_amount(record)}


def markup(bench: Bench, given: Given) -> dict[str, Ask]:
    """The carrier's amount and a percentage."""
    settings: dict[str, Any] = {"markup_percent": given["markup_pct"]}
    if "markup_floor" in given:
        settings["markup_floor"] = given["markup_floor"]
    bench.service()
    record = bench.charge(
        {"net_amount": given["cost"], "quantity": given.get("quantity")},
        price_mode="markup", rounding_decimals=given.get("dp", _CENTS),
        rounding_mode=given.get("mode", "half_up"), **settings,
    )  # fmt: skip
    return {"price": charge_amount(record)} | _margin()


def fixed_price(bench: Bench, given: Given) -> dict[str, Ask]:
    """Our own price beside the carrier's amount."""
    bench.service()
    record = bench.charge(
        {"net_amount": given["cost"], "quantity": given.get("quantity")},
        price_mode="list", unit_price=given["fixed_price"],
        rounding_decimals=given.get("dp", _CENTS),
    )  # fmt: skip
    return {"price": charge_amount(record)} | _margin()


def one_off(bench: Bench, given: Given) -> dict[str, Ask]:
    """A one-off charge of a product that would be prorated if it recurred."""
    bench.service()
    given["period"]
    record = bench.charge(
        {
            "net_amount": given["one_off"], "charge_type": "one_off",
            "period_from": None, "event_date": given["date"],
        },
        price_mode="list", unit_price=given["one_off"], proration="actual_days",
    )  # fmt: skip
    return {"amount": charge_amount(record)}


def inclusive_days(bench: Bench, given: Given) -> dict[str, Ask]:
    """A monthly fee for the days from one to another, both counted."""
    if given.get("period", "month") != "month":
        raise NotSupported(f"needs proration over a {given['period']}")
    if "trial_days" in given:
        raise NotSupported("needs trial days")
    decimals = 0 if "amount_cents" in given else _CENTS
    month_days = given.get("days_in_month")
    start, end = (_day(str(given[name]), month_days) for name in ("from", "to_inclusive"))
    bench.service()
    fee = given.first("monthly_fee", "amount_cents")
    record = bench.charge(
        {"net_amount": fee, "period_from": start, "period_to": end},
        price_mode="list", unit_price=fee, proration="actual_days", rounding_decimals=decimals,
        rounding_mode=given.get("mode", "half_up"),
    )  # fmt: skip
    return {
        "amount": charge_amount(record),
        "amount_cents": charge_amount(record),
        "days": needs("the days of proration on the rated charge"),
    }


def part_of_period(bench: Bench, given: Given) -> dict[str, Ask]:
    """Several units for some days of a month."""
    level = given.get("level", "per_line")
    if level != "per_line":
        raise NotSupported(f"needs charges rounded {level}")
    month_days = given["days_in_period"]
    start = _day("1", month_days)
    end = start.replace(day=int(given["days"]))
    bench.service()
    record = bench.charge(
        {
            "net_amount": given["unit_price"], "quantity": given.get("quantity", 1),
            "period_from": start, "period_to": end,
        },
        price_mode="list", unit_price=given["unit_price"], proration="actual_days",
        rounding_decimals=given.get("dp", _CENTS), rounding_mode=given.get("mode", "half_up"),
    )  # fmt: skip
    return {"amount": charge_amount(record)}


def _day(text: str, month_days: int | None) -> date:
    """A day as it stands, or the day of a month of that many days."""
    if not text.isdigit():
        return date.fromisoformat(text)
    # February and a leap one, a month of thirty days and one of thirty-one.
    months = {28: (2026, 2), 29: (2024, 2), 30: (2026, 6), 31: (2026, 7)}
    if month_days not in months:
        raise NotSupported(f"needs a month of {month_days} days")
    return date(*months[month_days], int(text))


def _margin() -> dict[str, Ask]:
    what = "margin of charges in a mart"
    return {"margin": needs(what), "margin_pct": needs(what)}
