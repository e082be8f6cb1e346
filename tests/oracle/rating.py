"""Price of one leg: rules section 7."""

import datetime as dt
import math
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from tests.oracle.classify import Call
from tests.oracle.clock import Clock, Zones, rounded_price
from tests.oracle.reference import Reference, Row, decimal, truth
from tests.oracle.rounding import round_amount


@dataclass(frozen=True)
class Price:
    """The result of pricing seconds to a number from a deck."""

    status: str  # priced, free_grace, missing_rate or destination_blocked
    prefix: str | None = None
    destination: str | None = None
    billed_seconds: int | None = None
    unrounded: Fraction | None = None
    amount: Fraction | None = None
    currency: str | None = None
    components: dict[str, Fraction | None] = field(default_factory=dict)
    # What of the billed seconds is not billed after all, without rounding of durations.
    unbilled: Fraction = Fraction(0)


def billed_seconds(
    duration: Decimal, rounding: str, minimum: int, increment: int, base: str
) -> int:
    """Seconds to charge for: whole seconds first, then the minimum, then the increments."""
    whole = int(round_amount(Fraction(duration), 0, rounding))
    if whole <= minimum:
        return minimum
    if base == "after_minimum":
        return minimum + increment * -((minimum - whole) // increment)
    if base == "whole_duration":
        return increment * -(-whole // increment)
    raise ValueError(f"unknown increment base {base}")


def _stepped(steps: list[Row], seconds: int) -> tuple[int, Fraction]:
    """Billed seconds and seconds by price; of two steps from one second the later one counts."""
    billed, amount = 0, Fraction(0)
    for second in range(seconds):
        (*_, step) = (step for step in steps if int(step["from_second"]) <= second)
        start = int(step["from_second"])
        if (second - start) % int(step["increment_seconds"]):
            continue  # inside an increment that is billed already
        later = [int(s["from_second"]) for s in steps if int(s["from_second"]) > start]
        count = min([int(step["increment_seconds"]), *(bound - second for bound in later)])
        billed += count
        amount += count * Fraction(decimal(step["price_per_minute"]))
    return billed, amount


def find_rate(
    reference: Reference, deck: Row, digits: str, jurisdiction: str | None, at: dt.datetime
) -> Row | None:
    """The row of the longest prefix; at equal prefix the jurisdiction's own row."""
    if jurisdiction == "dearest":
        return _dearer(
            find_rate(reference, deck, digits, "intrastate", at),
            find_rate(reference, deck, digits, "interstate", at),
        )
    wanted = ["any"]
    if truth(deck["is_jurisdictional"]):
        wanted.insert(0, jurisdiction or "indeterminate")
    shortest = 4 if len(digits) == 4 else 1  # 1N11 needs a row of exactly its digits
    for length in range(min(len(digits), reference.longest_prefix), shortest - 1, -1):
        rows = reference.rates(deck["deck_code"], digits[:length], at)
        for name in wanted:
            for row in rows:
                if row["jurisdiction"] == name:
                    return row
    return None


def _dearer(one: Row | None, other: Row | None) -> Row | None:
    """Blocked is dearer than any price; of equal prices the longer prefix."""
    if one is None or other is None:
        return one or other

    def weight(row: Row) -> tuple[bool, Decimal, Decimal, int]:
        return (
            row["status"] == "blocked", decimal(row.get("price_per_minute")),
            decimal(row.get("connection_fee")), len(row["prefix"]),
        )  # fmt: skip

    return max(one, other, key=weight)


def price(
    reference: Reference,
    deck_code: str,
    digits: str | None,
    jurisdiction: str | Call | None,
    billable: Decimal,
    at: dt.datetime,
    *,
    duration_rounding: str,
    increment_base: str,
    decimals: int | None,
    mode: str,
    unit: str | None = None,
    discount: Decimal = Decimal(0),
    place: str = "after_discount",
    usage_type: str = "voice",
    version: int = 2,
    zones: Zones | None = None,
) -> Price:
    """Price seconds to a number; decimals None leaves the amount unrounded."""
    deck = reference.deck(deck_code, at)
    if deck is None or not digits or (deck.get("usage_type") or "voice") != usage_type:
        return Price("missing_rate")
    currency, looked_in = deck["currency_code"], deck
    if isinstance(jurisdiction, Call):
        looked_in, digits, jurisdiction = jurisdiction.read_by(reference, deck, digits, at)
        if looked_in is None or not digits:
            return Price("missing_rate")
    deck = looked_in
    row = find_rate(reference, deck, digits, jurisdiction, at)
    if row is None:
        return Price("missing_rate")
    if row["status"] == "blocked":
        return Price("destination_blocked", row["prefix"])
    clock = Clock(
        reference, zones or Zones(), at,
        lambda later: find_rate(reference, looked_in, digits, jurisdiction, later),
    )  # fmt: skip
    exact = Fraction(billable)
    if duration_rounding != "none":
        exact = Fraction(round_amount(exact, 0, duration_rounding))
    status, seconds, components, unbilled = _charge(
        row, deck, exact, increment_base, reference.steps(row), version, clock
    )
    gross = sum((part for part in components.values() if part is not None), Fraction(0))
    kept = 1 - Fraction(discount) / 100
    if discount:
        components["discount_amount"] = gross * (kept - 1)
    if decimals is None:
        amount = gross * kept
    elif discount and place == "before_discount":
        amount = _round(gross, decimals, unit, mode) * kept
    else:
        amount = _round(gross * kept, decimals, unit, mode)
    return Price(
        status,
        row["prefix"],
        row.get("destination_name"),
        seconds,
        gross * kept,
        amount,
        currency,
        components,
        unbilled,
    )


def _round(amount: Fraction, decimals: int, unit: str | None, mode: str) -> Fraction:
    if not unit:
        return Fraction(round_amount(amount, decimals, mode))
    return Fraction(round_amount(amount / Fraction(unit), 0, mode)) * Fraction(unit)


def _charge(
    row: Row,
    deck: Row,
    exact: Fraction,
    increment_base: str,
    steps: list[Row],
    version: int,
    clock: Clock,
) -> tuple[str, int, dict[str, Fraction | None], Fraction]:
    """Status, billed seconds, components, unbilled rest: walked through one after the other."""
    whole, unbilled = math.ceil(exact), Fraction(0)

    def setting(name: str) -> str:
        return row.get(name) or deck.get(name) or ""

    fee: Fraction = Fraction(decimal(row["connection_fee"]))
    least, most = setting("minimum_charge"), setting("maximum_charge")
    if Fraction(least or 0) == 0:
        least = ""
    rule = deck.get("maximum_charge_rule") or "rest_free"
    if rule == "call_ended":
        most = ""
    components: dict[str, Fraction | None] = {
        "connection_fee": fee, "usage_amount": None, "minimum_top_up": None,
        "maximum_reduction": None,
    }  # fmt: skip
    minute = {
        "voice": int(setting("minute_seconds") or 60), "data": int(deck.get("unit_bytes") or 10**6),
    }.get(deck.get("usage_type") or "voice", 1)  # fmt: skip
    included = int(setting("included_seconds") or 0)
    charged = whole + int(setting("additional_seconds") or 0) - included
    is_cut = not steps and clock.cuts(row, deck)
    if is_cut:
        fee, cut_seconds, cut_price = clock.charge(
            row, deck, included, max(charged, 0), base=increment_base,
            is_charged=charged > 0 or not included,
        )  # fmt: skip
        components["connection_fee"] = fee
    grace = int(setting("grace_seconds") or 0)
    if grace and whole <= grace:
        nothing = Fraction(0)
        components |= {"connection_fee": nothing, "usage_amount": nothing}
        if least:
            components["minimum_top_up"] = nothing
        if most:
            components["maximum_reduction"] = nothing
        return "free_grace", 0, components, Fraction(0)
    seconds = 0
    if charged > 0 or not included:
        seconds = billed_seconds(
            Decimal(charged),
            "up",
            int(row.get("minimum_seconds") or deck["minimum_seconds"]),
            int(row.get("increment_seconds") or deck["increment_seconds"]),
            increment_base,
        )
    per_call = row.get("price_per_call")
    increment = int(row.get("increment_seconds") or deck["increment_seconds"])
    least_seconds = int(row.get("minimum_seconds") or deck["minimum_seconds"])
    if increment == 1 and seconds > least_seconds and not (is_cut or steps):
        unbilled = whole - exact  # only where duration_rounding is none
    if is_cut:
        seconds = cut_seconds
        own = clock.terms(row, deck, 0).own.get("price_per_call") if per_call else None
        parts = [Fraction(own or per_call) if per_call else cut_price / minute]
    elif per_call:
        parts = [Fraction(per_call)]
    elif steps and seconds:
        minimum = int(row.get("minimum_seconds") or deck["minimum_seconds"])
        seconds, amount = _stepped(
            [
                {**row, "from_second": "0",
                 "increment_seconds": row.get("increment_seconds") or deck["increment_seconds"]},
                *steps,
            ],
            max(charged, minimum),
        )  # fmt: skip
        parts = [amount / minute]
    else:
        price = Fraction(decimal(row.get("price_per_minute") or row["price_per_unit"]))
        if deck.get("increment_amount_decimals"):
            price = rounded_price(price, increment, {**deck, "minute_seconds": str(minute)})
        price /= minute
        left = seconds - unbilled
        period = int(deck["cap_period_seconds"]) if most and rule == "per_period" else left
        parts = []
        while left > period:
            parts.append(period * price)
            left -= period
        parts.append(left * price)
    components["usage_amount"] = sum(parts, Fraction(0))
    # Version 1: minimum and maximum are of the usage alone.
    once = fee if version > 1 else Fraction(0)
    if least:
        top_up = max(Fraction(least) - once - components["usage_amount"], Fraction(0))
        components["minimum_top_up"] = top_up
        once += top_up
    if most:
        parts[0] += once
        components["maximum_reduction"] = sum(
            (min(Fraction(most) - part, Fraction(0)) for part in parts), Fraction(0)
        )
    return "priced", seconds, components, unbilled


def retail_price(
    reference: Reference,
    plan: Row,
    direction: str,
    digits: str | None,
    jurisdiction: str | Call | None,
    billable: Decimal,
    at: dt.datetime,
    usage_type: str = "voice",
    version: int = 2,
    zones: Zones | None = None,
) -> Price:
    """Price by a plan: its deck, its reading of durations, its rounding when that is per call."""
    deck = deck_of(plan, usage_type, direction)
    return price(
        reference, deck, digits, jurisdiction, billable, at,
        duration_rounding=plan["duration_rounding"],
        increment_base=plan["increment_base"],
        decimals=int(plan["rounding_decimals"]) if plan["rounding_level"] == "call" else None,
        mode=plan["rounding_mode"],
        unit=plan.get("rounding_unit"),
        discount=decimal(plan.get("discount_percent")),
        place=plan.get("rounding_place") or "after_discount",
        usage_type=usage_type,
        version=version,
        zones=zones,
    )  # fmt: skip


def deck_of(plan: Row, usage_type: str, direction: str) -> str:
    """The deck by which a plan prices usage of a type and direction; empty: it does not."""
    inbound = direction == "inbound"
    column = {
        "voice": "inbound_deck_code" if inbound else "deck_code",
        "sms": "inbound_sms_deck_code" if inbound else "sms_deck_code",
        "mms": "" if inbound else "mms_deck_code",
        "data": "data_deck_code",
    }.get(usage_type, "")
    return plan.get(column) or ""


def cost_price(
    reference: Reference,
    deck_code: str,
    digits: str | None,
    jurisdiction: str | Call | None,
    billable: Decimal,
    at: dt.datetime,
    usage_type: str = "voice",
    version: int = 2,
    zones: Zones | None = None,
) -> Price:
    """Price by the source's cost deck: everything as the deck says."""
    deck = reference.deck(deck_code, at)
    if deck is None:
        return Price("missing_rate")
    return price(
        reference, deck_code, digits, jurisdiction, billable, at,
        duration_rounding=deck.get("duration_rounding") or "up",
        increment_base=deck.get("increment_base") or "after_minimum",
        decimals=int(deck["rounding_decimals"]),
        mode=deck["rounding_mode"],
        unit=deck.get("rounding_unit"),
        usage_type=usage_type,
        version=version,
        zones=zones,
    )  # fmt: skip
