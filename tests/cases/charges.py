"""Fixed fees: charge lines of a carrier and the tariff of their product."""

from __future__ import annotations

from typing import Any

from tests.cases.book import Given
from tests.cases.results import Ask, charge_amount, charge_fact
from tests.cases.world import Bench, Record

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
    return {"price": charge_amount(record)} | _margin(bench, record)


def fixed_price(bench: Bench, given: Given) -> dict[str, Ask]:
    """Our own price beside the carrier's amount."""
    bench.service()
    record = bench.charge(
        {"net_amount": given["cost"], "quantity": given.get("quantity")},
        price_mode="list", unit_price=given["fixed_price"],
        rounding_decimals=given.get("dp", _CENTS),
    )  # fmt: skip
    return {"price": charge_amount(record)} | _margin(bench, record)


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


def _margin(bench: Bench, record: Record) -> dict[str, Ask]:
    """What is left of the price, of this line and in percent of it."""
    bench.invoiced()
    return {
        "margin": charge_fact(record, "margin_amount"),
        "margin_pct": lambda results: results.charge_margin_percent(record),
    }
