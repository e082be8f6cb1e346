"""What to claim back from a carrier, call by call, as a file it can read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from psycopg2 import sql

from loaders.export.query import FORMULA, NUMBER

# Times in UTC: the carrier's files may be in any zone. No numbers of ours that mean nothing to it.
_COLUMNS = """
    row_number() over (order by call_no)::text as claim,
    {call_class} as class,
    {reason} as reason,
    {their_start} as your_start_utc,
    {our_start} as our_start_utc,
    calling_number::text as calling_number,
    called_number::text as called_number,
    prefix as code,
    {destination} as destination,
    trim_scale(their_seconds)::text as your_seconds,
    trim_scale(our_seconds)::text as our_seconds,
    our_billed_seconds::text as seconds_to_bill,
    trim_scale(their_amount)::text as your_amount,
    their_currency_code as your_currency,
    trim_scale(expected_amount)::text as expected_amount,
    expected_currency_code as expected_currency,
    trim_scale(claimed_amount)::text as claimed_amount
"""


def _utc(column: str) -> str:
    return f"to_char({column} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"


def _safe(cursor: Any, column: str) -> str:
    """A text that no spreadsheet runs."""
    return (
        sql.SQL("case when {v} ~ {f} and {v} !~ {n} then '''' || {v} else {v} end")
        .format(v=sql.Identifier(column), f=sql.Literal(FORMULA), n=sql.Literal(NUMBER))
        .as_string(cursor)
    )


def write_dispute(cursor: Any, reconciliation_id: int, path: Path) -> int:
    """Write the claims of a reconciliation; how many they are."""
    columns = _COLUMNS.format(
        call_class=_safe(cursor, "call_class"),
        reason=_safe(cursor, "reason"),
        destination=_safe(cursor, "destination_name"),
        their_start=_utc("their_started_at"),
        our_start=_utc("our_started_at"),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    # A file that was begun and not ended is never taken for a whole one.
    begun = path.with_name(f".{path.name}.part")
    try:
        with begun.open("wb") as stream:
            cursor.copy_expert(
                f"copy (select {columns} from control.reconciliation_call "
                f"where reconciliation_id = {int(reconciliation_id)} "
                "and (claimed_amount is not null or call_class = 'rate' "
                "and difference_amount is null) order by call_no) "
                "to stdout with (format csv, header true, encoding 'UTF8')",
                stream,
            )
            count: int = cursor.rowcount
        begun.replace(path)
    finally:
        begun.unlink(missing_ok=True)
    return count
