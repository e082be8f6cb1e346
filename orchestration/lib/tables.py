"""Markdown tables for run metadata: what a person reads in the UI after a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

# Unrounded amounts have long tails; a table is read, and exact amounts are in files and marts.
_DECIMALS = Decimal("0.000001")


def cell(value: Any) -> str:
    """A value as people write it; a bar would end the cell, a line break the row."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Decimal):
        return format_amount(value.quantize(_DECIMALS) if _has_tail(value) else value)
    if isinstance(value, datetime):
        # What holds for ever comes from the database as the first or last instant Python knows.
        if value.year in (1, 9999):
            return "always"
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date):
        return value.isoformat()
    return " ".join(str(value).split()).replace("|", "\\|")


def _has_tail(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and exponent < -6


def format_amount(value: Decimal) -> str:
    """Thousands apart, at least two decimals, no zeros behind that say nothing."""
    text = f"{value:,f}"
    if "." not in text:
        return f"{text}.00"
    whole, decimals = text.split(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table, or a sentence when there is nothing to show."""
    lines = ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
    if not lines:
        return "(none)"
    header = "| " + " | ".join(columns) + " |"
    return "\n".join([header, "|" + " --- |" * len(columns), *lines])
