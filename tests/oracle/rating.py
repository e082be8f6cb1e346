"""Price of one leg: rules section 7."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from tests.oracle.reference import Reference, Row, decimal, truth
from tests.oracle.rounding import round_amount


@dataclass(frozen=True)
class Price:
    """The result of pricing seconds to a number from a deck."""

    status: str  # priced, missing_rate or destination_blocked
    prefix: str | None = None
    destination: str | None = None
    billed_seconds: int | None = None
    unrounded: Fraction | None = None
    amount: Fraction | None = None
    currency: str | None = None


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


def find_rate(
    reference: Reference, deck: Row, digits: str, jurisdiction: str | None, at: dt.datetime
) -> Row | None:
    """The row of the longest prefix; at equal prefix the jurisdiction's own row."""
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


def price(
    reference: Reference,
    deck_code: str,
    digits: str | None,
    jurisdiction: str | None,
    billable: Decimal,
    at: dt.datetime,
    *,
    duration_rounding: str,
    increment_base: str,
    decimals: int | None,
    mode: str,
) -> Price:
    """Price seconds to a number; decimals None leaves the amount unrounded."""
    deck = reference.deck(deck_code, at)
    if deck is None or not digits:
        return Price("missing_rate")
    row = find_rate(reference, deck, digits, jurisdiction, at)
    if row is None:
        return Price("missing_rate")
    if row["status"] == "blocked":
        return Price("destination_blocked", row["prefix"])
    seconds = billed_seconds(
        billable,
        duration_rounding,
        int(row.get("minimum_seconds") or deck["minimum_seconds"]),
        int(row.get("increment_seconds") or deck["increment_seconds"]),
        increment_base,
    )
    unrounded = (
        Fraction(decimal(row["connection_fee"]))
        + Fraction(decimal(row["price_per_minute"])) * seconds / 60
    )
    amount = unrounded if decimals is None else Fraction(round_amount(unrounded, decimals, mode))
    return Price(
        "priced",
        row["prefix"],
        row.get("destination_name"),
        seconds,
        unrounded,
        amount,
        deck["currency_code"],
    )


def retail_price(
    reference: Reference,
    plan: Row,
    direction: str,
    digits: str | None,
    jurisdiction: str | None,
    billable: Decimal,
    at: dt.datetime,
) -> Price:
    """Price by a plan: its deck, its reading of durations, its rounding when that is per call."""
    deck = plan.get("inbound_deck_code", "") if direction == "inbound" else plan["deck_code"]
    return price(
        reference, deck, digits, jurisdiction, billable, at,
        duration_rounding=plan["duration_rounding"],
        increment_base=plan["increment_base"],
        decimals=int(plan["rounding_decimals"]) if plan["rounding_level"] == "call" else None,
        mode=plan["rounding_mode"],
    )  # fmt: skip


def cost_price(
    reference: Reference,
    deck_code: str,
    digits: str | None,
    jurisdiction: str | None,
    billable: Decimal,
    at: dt.datetime,
) -> Price:
    """Price by the source's cost deck: its own rounding, seconds up, increments after minimum."""
    deck = reference.deck(deck_code, at)
    if deck is None:
        return Price("missing_rate")
    return price(
        reference, deck_code, digits, jurisdiction, billable, at,
        duration_rounding="up",
        increment_base="after_minimum",
        decimals=int(deck["rounding_decimals"]),
        mode=deck["rounding_mode"],
    )  # fmt: skip
