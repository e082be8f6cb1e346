"""Prices that come from an amount or a text: pre-rated calls, percentages, segments."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import Any

from tests.cases.book import Given, NotSupported
from tests.cases.results import Ask, amount, amount_of, fact
from tests.cases.world import Bench

_PREFIX = "44"
_CALLED = "442079460000"
_MOBILE = "447700900000"
_PRODUCT = "EVENTS"
_CENT = Decimal("0.01")
# A character of each encoding, and what a message costs whose case asks for its segments only.
_LETTERS = {"GSM7": "a", "UCS2": "ж"}
_EXTENDED = "€"
_ASTRAL = "😀"


def pre_rated(bench: Bench, given: Given) -> dict[str, Ask]:
    """A call that the supplier has priced."""
    deck = bench.deck()
    own = given.first("own_rate", "rate_per_min")
    if own is not None:
        bench.rate(deck, _PREFIX, price_per_minute=own)
    plan: dict[str, Any] = {}
    for names, column in (
        (("charge_multiplier", "multiplier"), "charge_multiplier"),
        (("markup_pct", "charge_markup_pct"), "markup_percent"),
        (("markup_floor", "floor"), "markup_floor"),
        (("fee", "fixed_fee", "charge_fee"), "markup_fee"),
        (("discount_pct",), "discount_percent"),
        (("dp",), "rounding_decimals"),
        (("mode",), "rounding_mode"),
    ):
        value = given.first(*names)
        if value is not None:
            plan[column] = value
    source = {"rating_mode": "pre_rated"}
    multiplier = given.first("cost_multiplier")
    if multiplier is not None:
        source["cost_multiplier"] = str(multiplier)
    bench.service(bench.plan(deck, **plan))
    record = bench.usage(
        {
            "duration": given.first("duration_s", default=60), "called_number": _CALLED,
            "carrier_amount": given.first("upstream_price", "supplier_price", "upstream_charge"),
            "currency_code": "USD",
        },
        **source,
    )  # fmt: skip
    bench.invoiced()
    cost = fact(record, "cost_amount")
    return {
        "retail": amount(record), "charge": amount(record), "sell": amount(record),
        "wholesale": cost, "cost": cost, "buy": cost,
        "margin": lambda results: results.margin(record),
        "own_price": fact(record, "compared_amount"),
        "status": lambda results: _status(results.leg(record)),
    }  # fmt: skip


def percentage(bench: Bench, given: Given) -> dict[str, Ask]:
    """Events of which a percentage is charged, some free: a charge line each, a day apart."""
    settings: dict[str, Any] = {"percentage": given["rate_pct"]}
    for names, column in (
        (("fixed_fee", "fee"), "event_fee"),
        (("min", "min_charge"), "minimum_price"),
        (("max", "max_charge"), "maximum_price"),
        (("free_events",), "free_events"),
        (("free_total", "free_amount"), "free_total"),
        (("dp",), "rounding_decimals"),
        (("mode",), "rounding_mode"),
    ):
        value = given.first(*names)
        if value is not None and not (column.startswith("free") and Decimal(str(value)) == 0):
            settings[column] = value
    account = bench.service()
    for number, total in enumerate(_events(given)):
        bench.event(
            {"net_amount": f"{total:f}", "event_date": f"2026-09-{1 + number % 30:02d}"},
            price_mode="percentage", **{"rounding_decimals": 10} | settings,
        )  # fmt: skip
    month = bench.invoiced()

    def charged(results: Any) -> Decimal:
        lines = results.lines(month, account)
        return sum((line["unrounded_amount"] for line in lines
                    if line["line_kind"] in ("charge", "allowance")), Decimal(0))  # fmt: skip

    return {"charge": charged, "amount": charged, "total": charged}


def segments(bench: Bench, given: Given) -> dict[str, Ask]:
    """The segments of a text of so many characters, and what they cost."""
    encoding = str(given.first("encoding", default="GSM7")).upper().replace("-", "")
    if encoding not in _LETTERS:
        raise NotSupported(f"needs the encoding {given['encoding']}")
    doubled = int(given.first("extension_chars", "extended_chars", default=0))
    astral = int(given.first("surrogate_pairs", "emoji", default=0))
    letters = int(given["chars"]) - doubled - astral
    text = given.first("text", default=_LETTERS[encoding] * letters)
    text += _EXTENDED * doubled + _ASTRAL * astral
    deck = bench.deck("S", usage_type="sms", message_count=_count(given))
    price = given.first("price_per_segment", "price_per_message", default="1")
    bench.rate(deck, _PREFIX, price_per_unit=price)
    bench.service(bench.plan(bench.deck(), sms_deck_code=deck))
    record = bench.usage(
        {
            "usage_type": "sms", "called_number": _MOBILE, "message_text": text,
            "message_encoding": encoding, "quantity": given.get("stated_segments"),
        }
    )  # fmt: skip
    return {
        "segments": lambda results: amount_of(results.leg(record), "retail_billed_units"),
        "charge": amount(record),
    }


def _count(given: Given) -> str:
    return "message" if "price_per_message" in given else "text"


def _status(leg: dict[str, Any]) -> str:
    if leg["state"] == "billed":
        return "rated"
    return "unrated" if leg["state"] == "error" else str(leg["state"])


def _events(given: Given) -> list[Decimal]:
    """Amounts of the events, one by one or so many of a total."""
    stated = given["events"]
    if isinstance(stated, list):
        return [Decimal(str(event["amount"] if isinstance(event, dict) else event))
                for event in stated]  # fmt: skip
    count, total = int(stated), Decimal(str(given["total"]))
    free_total = Decimal(str(given.get("free_total", 0)))
    wholly_free = int(given.get("free_events_equivalent", 0))
    if not wholly_free:
        return _shared(total, count)
    # So many events fit into what is free, and the next one crosses it.
    small = (free_total / (wholly_free + 1)).quantize(_CENT, ROUND_DOWN)
    return [small] * wholly_free + _shared(total - small * wholly_free, count - wholly_free)


def _shared(total: Decimal, count: int) -> list[Decimal]:
    """So many amounts that add up to the total."""
    if not count:
        return []
    each = (total / count).quantize(_CENT, ROUND_DOWN)
    return [each] * (count - 1) + [total - each * (count - 1)]
