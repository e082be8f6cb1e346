"""Messages and data."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.cases.book import Given, NotSupported
from tests.cases.results import Ask, amount, amount_of
from tests.cases.world import Bench, Record

# What sessions of data are looked up as.
_DATA = "1002"
_PREFIX = "44"
_CALLED = "447700900000"
# A megabyte of the cases has 1024 kilobytes of 1024 bytes.
_KB = 1024
_MB = _KB * _KB


def messages(bench: Bench, given: Given) -> dict[str, Ask]:
    """Text messages at a price each, sent at once."""
    deck = bench.deck("S", usage_type="sms")
    bench.rate(deck, _PREFIX, price_per_unit=given["price_per_message"])
    bench.service(bench.plan(bench.deck(), sms_deck_code=deck))
    record = bench.usage(
        {"usage_type": "sms", "called_number": _CALLED, "quantity": given["messages"]}
    )
    return {"charge": amount(record)}


def segments(bench: Bench, given: Given) -> dict[str, Ask]:
    """Parts of a long text: records say how many there are, none has the text."""
    raise NotSupported("needs segments worked out from the text of a message")


def units_of_data(bench: Bench, given: Given) -> dict[str, Ask]:
    """A price for each increment: each unit is a byte."""
    increment = given["inc"]
    session = _session(
        bench, given["units"], price=given["price_per_inc"], unit_bytes=increment,
        minimum=0, increment=increment,
    )  # fmt: skip
    return {"charge": amount(session)}


def kilobytes(bench: Bench, given: Given) -> dict[str, Ask]:
    """A data session in kilobytes, priced by the megabyte."""
    session = _session(
        bench, int(given["kb"]) * _KB, price=given.get("price_per_mb", "1"), unit_bytes=_MB,
        minimum=int(given.get("min_kb", 0)) * _KB, increment=int(given["inc_kb"]) * _KB,
    )  # fmt: skip
    return {
        "billed_kb": lambda results: (
            Decimal(amount_of(results.leg(session), "retail_billed_units")) / _KB
        ),
        "charge": amount(session),
    }


def first_block(bench: Bench, given: Given) -> dict[str, Ask]:
    """Units of data, of which a first block is always paid: each unit is a byte."""
    first, *later = given["steps"]
    for step in later:
        # Beyond the block of the first step nothing changes but the increment.
        if len(later) > 1 or step["from"] != first["inc"] or step["price"] != first["price"]:
            raise NotSupported("needs price steps of messages and data")
    if first["from"] != 0:
        raise NotSupported("needs price steps of messages and data")
    session = _session(
        bench, given["units"], price=first["price"], unit_bytes=1,
        minimum=first["inc"], increment=(later or [first])[0]["inc"],
    )  # fmt: skip
    return {"charge": amount(session)}


def _session(
    bench: Bench, count: Any, *, price: Any, unit_bytes: int, minimum: int, increment: int
) -> Record:
    """A data session of so many bytes, and a deck that prices it."""
    deck = bench.deck("D", usage_type="data", unit_bytes=unit_bytes)
    bench.rate(
        deck, _DATA, price_per_unit=price, minimum_seconds=minimum, increment_seconds=increment
    )
    bench.service(bench.plan(bench.deck(), data_deck_code=deck))
    return bench.usage({"usage_type": "data", "bytes_up": 0, "bytes_down": count})
