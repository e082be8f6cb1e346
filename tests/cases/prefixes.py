"""Finding the price row of a number."""

from __future__ import annotations

from typing import Any

from tests.cases.book import Given, NotSupported
from tests.cases.calls import status
from tests.cases.results import Ask, Results, amount, fact
from tests.cases.world import SOME_START, Bench, Record

# Codes written with their national 0 get this in front, on the deck and on the number: a number
# of the world starts with no 0.
_NATIONAL = "9"


def lookup(bench: Bench, given: Given) -> dict[str, Ask]:
    """A call to a destination on a deck: a list of codes, of rows, or a deck by its name."""
    destination = str(given["destination"])
    named = given["deck"]
    if isinstance(named, str):
        deck = bench.world.real_deck(bench.case.id, named, destination)
        written = {}
        shift = ""
    else:
        rows = [row if isinstance(row, dict) else {"prefix": row} for row in named]
        shift = _NATIONAL if destination.startswith("0") else ""
        deck, written = _own_deck(bench, rows, shift)
    bench.service(
        bench.plan(deck, rounding_decimals=given.get("dp"), rounding_mode=given.get("mode"))
    )
    date = given.get("call_date")
    record = bench.usage(
        {
            "start_time": given.get("start", SOME_START if date is None else f"{date}T12:00:00Z"),
            "duration": given.get("duration_s", 60),
            "called_number": "+" + shift + destination,
        }
    )

    def prefix(results: Results) -> Any:
        found = results.leg(record)["decision"]["retail_prefix"]
        if found is None:
            return None
        plus = "+" if str(bench.case.expected.get("prefix", "")).startswith("+") else ""
        return plus + written.get(found, found.removeprefix(shift))

    return {"prefix": prefix} | _tariff(record)


def unknown_customer(bench: Bench, given: Given) -> dict[str, Ask]:
    """A customer without any plan."""
    if given["customer"] != "unknown" or given.get("deck_default"):
        raise NotSupported("needs a translation of this customer")
    bench.service(None)
    record = bench.usage(
        {"duration": given.get("duration_s", 60), "called_number": "+442079460000"}
    )
    return _tariff(record)


def _own_deck(bench: Bench, rows: list[dict[str, Any]], shift: str) -> tuple[str, dict[str, str]]:
    deck = bench.deck()
    written = {}
    for row in rows:
        row = dict(row)
        code = str(row.pop("prefix"))
        digits = shift + code.lstrip("+")
        written[digits] = code
        values: dict[str, Any] = {}
        price = row.pop("rate", row.pop("rate_per_min", "1"))
        is_blocked = row.pop("status", "") == "blocked" or price in (None, "")
        values |= {"status": "blocked"} if is_blocked else {"price_per_minute": price}
        for name, column in {
            "name": "destination_name", "destination_name": "destination_name",
            "from": "valid_from", "to": "valid_to", "min_s": "minimum_seconds",
            "inc_s": "increment_seconds", "connection_fee": "connection_fee",
        }.items():  # fmt: skip
            if name in row:
                values[column] = row.pop(name)
        if row:
            raise NotSupported(f"needs a meaning for {', '.join(row)} of a deck row")
        bench.rate(deck, digits, **values)
    return deck, written


def _tariff(record: Record) -> dict[str, Ask]:
    """What the tariff row says, and what the call costs by it."""

    def increment(results: Results) -> str:
        decision = results.leg(record)["decision"]
        return f"{decision['retail_minimum']}/{decision['retail_increment']}"

    def destination(results: Results) -> Any:
        return (results.leg(record)["rate"] or {}).get("destination_name")

    return {
        "status": lambda results: status(results, record),
        "rate": fact(record, "retail_price_per_minute"),
        "rate_per_min": fact(record, "retail_price_per_minute"),
        "connection_charge": fact(record, "retail_connection_fee"),
        "connection_fee": fact(record, "retail_connection_fee"),
        "billed_s": fact(record, "retail_billed_seconds"),
        "charge": amount(record),
        "increment": increment,
        "destination_name": destination,
    }
