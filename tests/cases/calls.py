"""Calls: increments, rounding, fees, two sides."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from tests.cases import times
from tests.cases.book import Given, NotSupported
from tests.cases.results import (
    Ask,
    Results,
    amount,
    amount_of,
    fact,
    usage_total,
)
from tests.cases.world import Bench, Record

_PREFIX = "44"
_CALLED = "442079460000"
_MODES = ("up", "half_up", "half_even", "half_down", "down")
# What a case calls the end of a call that has reached its maximum charge.
_MAXIMUM_RULES = {"disconnect": "call_ended", "free": "rest_free", "rest_free": "rest_free"}
_LEVELS = {"per_call": "call", "per_total": "line", "per_line": "line", "per_invoice": "invoice"}
_PER_INCREMENT = re.compile(r"per_increment_(\d+)dp_([a-z_]+)")
_BILLED_AT = re.compile(r"billed_s_(\d+)_(\d+)")


def call(bench: Bench, given: Given) -> dict[str, Ask]:
    """One or several equal calls on one price."""
    expected = bench.case.expected
    if times.knows(given):
        return times.banded(bench, given)
    if given.keys() & {"change_at", "price_change_at", "effective_from"}:
        return times.price_change(bench, given)
    increments = [key for key in expected if _BILLED_AT.fullmatch(key)]
    if increments:
        return _at_increments(bench, given, increments)
    if set(expected) <= set(_MODES) and given.keys() == {"duration_s"}:
        return _in_modes(bench, given)
    _refuse_later(given)
    legs = given.get("legs")
    records = _records(bench, given, legs)
    account = bench.service(_plan(bench, given, _deck(bench, given)))
    first = records[0]
    asks: dict[str, Ask] = {
        "billed_s": lambda results: _seconds(results, first),
        "billed_min": lambda results: Decimal(_seconds(results, first)) / 60,
        "duration_s": fact(first, "duration_seconds"),
        "charge": amount(first),
        "charge_p": amount(first),
        "per_call": amount(first),
        "exact": amount(first, "retail_unrounded_amount"),
        "status": lambda results: status(results, first),
    }
    if "per_increment_dp" in given:
        asks["exact"] = _with_increments(bench, given, "X")
    for number, key in enumerate(expected):
        if match := _PER_INCREMENT.fullmatch(key):
            asks[key] = _with_increments(
                bench, given, f"I{number}", increment_amount_decimals=match[1],
                increment_amount_mode=match[2],
            )  # fmt: skip
    if "total" in expected or "billed_min_total" in expected:
        asks["total"] = usage_total(bench, account)
        month = bench.invoiced()
        asks["billed_min_total"] = lambda results: (
            Decimal(results.usage_line(month, account)["billed_seconds"]) / 60
        )
        asks["legs"] = lambda results: results.usage_line(month, account)["record_count"]
    return asks


def two_sides(bench: Bench, given: Given) -> dict[str, Ask]:
    """A call bought by one deck and sold by another."""
    cost = bench.deck(
        "B", side="wholesale", rounding_decimals=given.get("buy_dp", 10),
        rounding_mode=given.get("buy_mode", "half_up"),
    )  # fmt: skip
    bench.rate(
        cost, _PREFIX, price_per_minute=given["buy_rate"],
        connection_fee=given.get("buy_connection_fee", 0),
        minimum_seconds=given.get("buy_min_s", 0), increment_seconds=given.get("buy_inc_s", 1),
    )  # fmt: skip
    sold = bench.deck()
    bench.rate(
        sold, _PREFIX, price_per_minute=given["sell_rate"],
        connection_fee=given.get("sell_connection_fee", 0),
        minimum_seconds=given.get("sell_min_s", 0), increment_seconds=given.get("sell_inc_s", 1),
    )  # fmt: skip
    plan = bench.plan(
        sold, rounding_decimals=given.get("sell_dp", 10),
        rounding_mode=given.get("sell_mode", "half_up"),
    )  # fmt: skip
    bench.service(plan)
    record = bench.usage(
        {"duration": given["duration_s"], "called_number": _CALLED}, cost_deck_code=cost
    )
    bench.invoiced()
    return {
        "buy": fact(record, "cost_amount"),
        "sell": amount(record),
        "margin": lambda results: results.margin(record),
    }


def both_legs(bench: Bench, given: Given) -> dict[str, Ask]:
    """A call comes in and is forwarded: both legs are paid by the same service."""
    outward, inward = bench.deck("O"), bench.deck("I")
    bench.rate(outward, _PREFIX, price_per_minute=given["forward_rate"])
    bench.rate(inward, _PREFIX, price_per_minute=given["inbound_rate"])
    account = bench.service(bench.plan(outward, inbound_deck_code=inward))
    duration = f"00:{int(given['minutes']):02d}:00"
    for direction in ("inbound", "outbound"):
        bench.usage({"duration": duration, "called_number": _CALLED, "direction": direction})
    return {"charge": usage_total(bench, account)}


def status(results: Results, record: Record) -> str:
    """The word of the cases for what became of a record."""
    leg = results.leg(record)
    if leg["reason"] == "destination_blocked":
        return "blocked"
    if leg["state"] == "error" and leg["retail_amount"] is None:
        return "unrated"
    return "rated" if leg["state"] == "billed" else str(leg["state"])


def _seconds(results: Results, record: Record) -> Any:
    return amount_of(results.leg(record), "retail_billed_seconds")


def _refuse_later(given: Given) -> None:
    for name, what in {
        "events": "charges by percentage with limits per event",
    }.items():
        if name in given:
            raise NotSupported(f"needs {what}")


def _records(bench: Bench, given: Given, legs: list[dict[str, Any]] | None) -> list[Record]:
    answered = given.get("answered", True)
    common = {
        "called_number": given.get("called", _CALLED),
        "disposition": "answered" if answered else "no_answer",
    }
    if legs is not None:
        return [bench.usage({"duration": leg["duration_s"], **common}) for leg in legs]
    if "duration_s" not in given and given.keys() & {"end", "end_utc", "end_local"}:
        return [times.elapsed_record(bench, given, **common)]
    if "duration_s" not in given:
        raise NotSupported(f"needs a translation of the inputs {', '.join(given.keys())}")
    duration = given["duration_s"]
    return [bench.usage({"duration": duration, **common}) for _ in range(given.get("calls", 1))]


def _deck(bench: Bench, given: Given) -> str:
    settings: dict[str, Any] = {}
    per_second = given.first("rate_per_s")
    if per_second is not None:
        settings["minute_seconds"] = 1
    for name, column in {
        "minute_s": "minute_seconds",
        "grace_s": "grace_seconds",
        "included_s": "included_seconds",
        "additional_s": "additional_seconds",
    }.items():
        if name in given:
            settings[column] = given[name]
    for names, column in (
        (("min_charge", "min_charge_p"), "minimum_charge"),
        (("max_charge", "max_charge_p"), "maximum_charge"),
    ):
        value = given.first(*names)
        if value is not None:
            settings[column] = value
    if "strategy" in given:
        rule = _MAXIMUM_RULES.get(given["strategy"])
        if rule is None:
            raise NotSupported(f"needs a maximum charge that does '{given['strategy']}'")
        settings["maximum_charge_rule"] = rule
    if "steps" in given:
        settings["minute_seconds"] = 1
    if "per_increment_dp" in given:
        settings["increment_amount_decimals"] = given["per_increment_dp"]
        settings["increment_amount_mode"] = given.get("mode")
    unit = given.get("unit_s")
    if _is_unit_cut(given):
        # A unit counts from its last second: the others are included, the rest is brought up.
        settings["included_seconds"] = int(unit) - 1
    deck = bench.deck(**settings)
    price = given.first("rate_per_min", "rate_p_per_min", "first_rate_per_min", default=per_second)
    per_call = given.first("rate_per_call", "price_per_call")
    row: dict[str, Any] = {
        "connection_fee": given.first("connection_fee", "setup_fee", "connection_fee_p", default=0),
        "minimum_seconds": given.get("min_s", unit),
        "increment_seconds": given.first("inc_s", "first_unit_s", default=unit),
    }
    if per_call is not None:
        bench.rate(deck, _PREFIX, price_per_call=per_call, **row)
    else:
        # Some cases ask for seconds only: any price will do.
        bench.rate(deck, _PREFIX, price_per_minute="1" if price is None else price, **row)
    for step in given.get("steps", ()):
        bench.add(
            "rate_step", deck_code=deck, prefix=_PREFIX, from_second=step["from_s"],
            increment_seconds=step["inc_s"], price_per_minute=step["price_per_s"],
        )  # fmt: skip
    if "next_unit_s" in given:
        bench.add(
            "rate_step", deck_code=deck, prefix=_PREFIX, from_second=given["first_unit_s"],
            increment_seconds=given["next_unit_s"],
            price_per_minute=given["next_rate_per_min"],
        )  # fmt: skip
    return deck


def _with_increments(bench: Bench, given: Given, suffix: str, **settings: Any) -> Ask:
    """The same call by a deck that rounds the price of each increment first, or does not."""
    deck = bench.deck(suffix, **settings)
    bench.rate(
        deck, _PREFIX, price_per_minute=given["rate_per_min"],
        minimum_seconds=given.get("min_s", 0), increment_seconds=given.get("inc_s", 1),
    )  # fmt: skip
    service = bench.service(bench.plan(deck, f"-{suffix}"), f"-{suffix}")
    record = bench.usage(
        {"duration": given["duration_s"], "called_number": _CALLED, "service_key": service}
    )
    return amount(record)


def _is_unit_cut(given: Given) -> bool:
    """Whether only whole units are billed."""
    has_decimals = "dp" in given or "total_dp" in given
    return "unit_s" in given and given.get("mode") == "down" and not has_decimals


def _plan(bench: Bench, given: Given, deck: str) -> str:
    settings: dict[str, Any] = {}
    if "increment_base" in given:
        settings["increment_base"] = given["increment_base"]
    if "level" in given:
        level = given["level"]
        if level not in _LEVELS:
            raise NotSupported(f"needs rounding at level {level}")
        settings["rounding_level"] = _LEVELS[level]
    if "discount_pct" in given:
        settings["discount_percent"] = given["discount_pct"]
    decimals = given.first("dp", "total_dp")
    mode = given.get("mode")
    if decimals is not None:
        settings |= {"rounding_decimals": decimals, "rounding_mode": mode}
    elif mode is not None:
        if "unit_s" in given and not (_is_unit_cut(given) or mode == "up"):
            raise NotSupported("needs billed units rounded half up")
        settings["duration_rounding"] = mode
    if "duration_mode" in given:
        settings["duration_rounding"] = given["duration_mode"]
    unit = given.first("round_up_to_p", "round_up_to")
    if unit is not None:
        settings |= {"rounding_unit": unit, "rounding_mode": "up"}
    if "calls" in given and settings.get("rounding_level") == "line":
        # All durations are added before they are priced: none is rounded to whole seconds.
        settings["duration_rounding"] = "none"
    return bench.plan(deck, **settings)


def _at_increments(bench: Bench, given: Given, keys: list[str]) -> dict[str, Ask]:
    """The same call at several minimums and increments: a number range for each."""
    deck = bench.deck()
    asks: dict[str, Ask] = {}
    for number, key in enumerate(keys):
        minimum, increment = _BILLED_AT.fullmatch(key).groups()  # type: ignore[union-attr]
        called = f"44207946{number:04d}"
        bench.rate(
            deck, called, price_per_minute="1", minimum_seconds=minimum,
            increment_seconds=increment,
        )  # fmt: skip
        record = bench.usage({"duration": given["duration_s"], "called_number": called})
        asks[key] = fact(record, "retail_billed_seconds")
    bench.service(bench.plan(deck))
    return asks


def _in_modes(bench: Bench, given: Given) -> dict[str, Ask]:
    """The same duration under several rounding modes: a plan and a customer for each."""
    deck = bench.deck()
    bench.rate(deck, _PREFIX, price_per_minute="1", minimum_seconds=0, increment_seconds=1)
    asks: dict[str, Ask] = {}
    for mode in bench.case.expected:
        suffix = f"-{mode}"
        service = bench.service(bench.plan(deck, suffix, duration_rounding=mode), suffix)
        record = bench.usage(
            {
                "duration": given["duration_s"], "called_number": _CALLED,
                "service_key": service,
            }
        )  # fmt: skip
        asks[mode] = fact(record, "retail_billed_seconds")
    return asks
