"""Prices that come from an amount or a text: rules sections 3 and 7 to 9, slowly."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tests.oracle.rating import billed_seconds
from tests.oracle.reference import Row, decimal
from tests.oracle.rounding import round_amount

_BASIC = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = set("\f^{}\\[~]|€")
_ENCODINGS = {"gsm7": "gsm", "GSM-7": "gsm", "0": "gsm", "UCS-2": "ucs", "utf16": "ucs",
              "8": "ucs", "8bit": "octets", "latin1": "octets", "4": "octets"}  # fmt: skip


def segments(text: str, encoding: str) -> int:
    """Parts of a message, filled one character after the other."""
    stated = _ENCODINGS.get(encoding)
    is_gsm = all(letter in _BASIC or letter in _EXTENSION for letter in text)
    if stated == "octets" and all(ord(letter) < 256 for letter in text):
        return _parts([1] * len(text), 140, 134)
    if stated == "ucs" or not is_gsm:
        return _parts([2 if ord(letter) > 0xFFFF else 1 for letter in text], 70, 67)
    if stated == "octets":
        return _parts([1] * len(text), 140, 134)
    return _parts([2 if letter in _EXTENSION else 1 for letter in text], 160, 153)


def _parts(widths: Sequence[int], single: int, part: int) -> int:
    if sum(widths) <= single:
        return 1
    count, room = 1, part
    for width in widths:
        if width > room:
            count, room = count + 1, part
        room -= width
    return count


def marked_up(amount: Fraction, plan: Row) -> Fraction:
    """The price that the supplier's amount makes, before discount."""
    size = abs(amount)
    added = max(
        size * Fraction(decimal(plan.get("markup_percent"))) / 100,
        Fraction(decimal(plan.get("markup_floor"))),
    )
    price = size * Fraction(decimal(plan.get("charge_multiplier"), "1")) + added
    price += Fraction(decimal(plan.get("markup_fee")))
    return -price if amount < 0 else price


def event_price(amount: Fraction, tariff: Row) -> Fraction:
    """What one event of an amount costs."""
    price = amount * Fraction(decimal(tariff["percentage"])) / 100
    price += Fraction(decimal(tariff.get("event_fee")))
    if tariff.get("minimum_price"):
        price = max(price, Fraction(decimal(tariff["minimum_price"])))
    if tariff.get("maximum_price"):
        price = min(price, Fraction(decimal(tariff["maximum_price"])))
    if tariff.get("price_point"):
        point = Fraction(decimal(tariff["price_point"]))
        price = math.ceil(price / point) * point
    return price


@dataclass(frozen=True)
class Event:
    """One event of a charge by percentage."""

    happened_at: str
    record_id: str
    amount: Fraction


def charged_events(events: Iterable[Event], tariff: Row) -> Fraction:
    """What the events of one account and period cost, counted through one after the other."""
    decimals, mode = int(tariff["rounding_decimals"]), tariff["rounding_mode"]
    count, left = 0, Fraction(decimal(tariff.get("free_total"), "-1"))
    has_total, most = left >= 0, int(tariff.get("free_events") or 0)
    due = Fraction(0)
    for event in sorted(events, key=lambda event: (event.happened_at, event.record_id)):
        if event.amount < 0:
            price = -event_price(-event.amount, tariff)
        else:
            has_count = not most or count < most
            is_open = (has_total or most > 0) and has_count and (not has_total or left > 0)
            free = min(event.amount, left) if has_total else event.amount
            free = free if is_open else Fraction(0)
            count, left = count + 1, left - event.amount
            if is_open and free == event.amount:
                continue
            price = event_price(event.amount - free, tariff)
        due += Fraction(round_amount(price, decimals, mode))
    return due


def grouped_amount(
    sizes: Iterable[int], deck: Row, price: Fraction, base: str
) -> Fraction:
    """What data records cost that are rounded up together."""
    units = billed_seconds(
        sum(sizes), "up", int(deck["minimum_seconds"]), int(deck["increment_seconds"]), base
    )
    return units * price / int(deck["unit_bytes"])
