"""Checks of what has landed: files whose records stand in an earlier file, numbers left out.

Each record has a hash of its values that does not depend on order, compression, encoding,
delimiter or quoting. A sample of the hashes finds files that may be repeated; the share is then
counted exactly, over the rows of both. docs/decisions/0018 has the measurements.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from loaders.files.registry import record_file_event
from loaders.files.session import transaction

# Up to here the check takes a few hundredths of a second and follows the landing at once; larger
# files wait for the opening of a rating run, where it is a few per cent of the work.
CHECKED_AT_ONCE = 20_000
# Of larger files every sixteenth hash is kept: about 7 bytes a record, index included.
_WHOLE_SAMPLE = 2048
_DIVISOR = 16
# How much of a sample is looked up, and in how many of the latest files each hash.
_LOOKED_UP = 2048
_FILES_OF_A_HASH = 20
# How many of the files found are counted exactly: of large files it takes seconds each.
_COUNTED_EXACTLY = 3
_COUNTED_OF_A_LARGE_FILE = 1
_GAPS_KEPT = 20
# A function takes no more than 100 of them.
_ARGUMENTS = 90

# Two checks at once would not see each other's samples.
_LOCK_CHECKS = 0x52480002


@dataclass(frozen=True)
class _File:
    file_id: int
    source_code: str
    layout_code: str | None
    data_count: int
    is_decided: bool


@dataclass(frozen=True)
class Overlap:
    """How many records of a file stand in an earlier one."""

    file_id: int
    file_name: str
    records: int
    percent: Decimal

    def __str__(self) -> str:
        return (
            f"{self.percent.normalize():f} % of its records stand in file {self.file_id} "
            f"({self.file_name})"
        )


def record_hash(cursor: Cursor, layout_code: str, alias: str = "r") -> sql.Composable:
    """SQL of a record's hash: its values without spaces, whatever separated or quoted them."""
    cursor.execute(
        "select attname from pg_catalog.pg_attribute "
        "where attrelid = format('landing.%%I', %s::text)::regclass and attnum > 0 "
        "and not attisdropped and attname not in ('file_id', 'line_no') order by attnum",
        (layout_code,),
    )
    columns = [sql.Identifier(alias, name) for (name,) in cursor.fetchall()]
    # A null or empty value adds nothing: a column a layout gains later changes no hash.
    values = sql.SQL(" || ").join(
        sql.SQL("concat({})").format(sql.SQL(", ").join(columns[start : start + _ARGUMENTS]))
        for start in range(0, len(columns), _ARGUMENTS)
    )
    return sql.SQL("hashtextextended(replace({}, ' ', ''), hashtext({})::bigint)").format(
        values, sql.Literal(layout_code)
    )


def check_waiting_files(connection: Connection) -> list[int]:
    """Check every landed file that was not checked yet; the numbers of those held by it."""
    held: list[int] = []
    with transaction(connection) as cursor:
        cursor.execute(
            "select file_id from control.file "
            "where status = 'landed' and content_checked_at is null order by file_id"
        )
        waiting = [file_id for (file_id,) in cursor.fetchall()]
    for file_id in waiting:
        if check_content(connection, file_id) is not None:
            held.append(file_id)
    return held


def check_content(connection: Connection, file_id: int) -> str | None:
    """Compare a landed file with earlier ones, once. Why it is held now, or None.

    The rows stay where they are: no run takes a held file, and releasing it is a word.
    """
    with transaction(connection) as cursor:
        return check_in_transaction(cursor, file_id)


def check_in_transaction(
    cursor: Cursor, file_id: int, *, takes_lock: bool = True
) -> str | None:
    """The same inside the caller's transaction."""
    if takes_lock:
        cursor.execute("select pg_advisory_xact_lock(%s)", (_LOCK_CHECKS,))
    cursor.execute(
        "select f.file_id, f.source_code, f.layout_code, f.data_count, "
        "f.released_at is not null "
        "or exists (select from control.rating_run_file as w where w.file_id = f.file_id) "
        "from control.file as f where f.file_id = %s and f.status = 'landed' "
        "and f.content_checked_at is null for update of f",
        (file_id,),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    file = _File(*row)
    detection: dict[str, Any] = {}
    hold: tuple[str, str, int | None] | None = None
    if file.layout_code is not None and file.data_count > 0:
        overlap_limit, number_column, gap_rule = _rules(cursor, file.source_code)
        overlaps = _find_overlaps(cursor, file)
        if overlaps:
            detection["overlaps"] = [
                {"file_id": o.file_id, "records": o.records, "percent": str(o.percent)}
                for o in overlaps
            ]
            first = overlaps[0]
            if 0 < overlap_limit <= first.percent:
                hold = ("same_content", str(first), first.file_id)
        if number_column is not None and gap_rule != "off":
            gaps = list(_record_gaps(cursor, file, number_column))
            if gaps:
                detection["missing_records"] = gaps
                if gap_rule == "hold" and hold is None:
                    hold = ("record_gap", _gaps_in_words(number_column, gaps), None)
    # A file that a person released or a run has taken is past being held.
    held = hold is not None and not file.is_decided
    if hold is not None and held:
        detection["explanation"] = hold[1]
    cursor.execute(
        "update control.file set content_checked_at = clock_timestamp(), "
        "detection = detection || %s::jsonb, status = case when %s then 'held' else status end, "
        "status_reason = coalesce(%s, status_reason), "
        "duplicate_of_file_id = coalesce(%s, duplicate_of_file_id) where file_id = %s",
        (
            json.dumps(detection),
            held,
            hold[0] if hold is not None and held else None,
            hold[2] if hold is not None and held else None,
            file_id,
        ),
    )
    if hold is None or not held:
        return None
    record_file_event(cursor, file_id, "held", {"reason": hold[0], "explanation": hold[1]})
    return hold[1]


def _rules(cursor: Cursor, source_code: str) -> tuple[Decimal, str | None, str]:
    cursor.execute(
        "select overlap_hold_percent, record_number_column, gap_rule from reference.source "
        "where source_code = %s and recorded_to = 'infinity' and valid_during @> now()",
        (source_code,),
    )
    row = cursor.fetchone()
    return (Decimal(95), None, "report") if row is None else row


def _find_overlaps(cursor: Cursor, file: _File) -> list[Overlap]:
    """The earlier files that share most of this one's records, most first. Keeps its sample."""
    assert file.layout_code is not None
    table = sql.Identifier("landing", file.layout_code)
    hashed = record_hash(cursor, file.layout_code)
    rows = sql.SQL("from {} as r where r.file_id = {}").format(table, sql.Literal(file.file_id))
    is_small = file.data_count <= _WHOLE_SAMPLE
    # A table of its own: PostgreSQL reads for it with several processes, which it would not do
    # for an insert.
    cursor.execute("drop table if exists file_sample")
    cursor.execute(
        sql.SQL(
            "create temporary table file_sample on commit drop as "
            "select s.record_hash, count(*) as records "
            "from (select {} as record_hash {} offset 0) as s {} group by s.record_hash"
        ).format(
            hashed,
            rows,
            sql.SQL("" if is_small else "where s.record_hash % {} = 0").format(
                sql.Literal(_DIVISOR)
            ),
        )
    )
    cursor.execute(
        # Of a small file all, of a large one a part that is the same part in every file.
        "select c.file_id, f.file_name, f.layout_code, "
        "sum(s.records) * case when f.data_count > %(whole)s and %(is_small)s "
        "then %(divisor)s else 1 end as weight "
        "from (select * from file_sample order by record_hash limit %(looked_up)s) as s "
        "cross join lateral (select p.file_id from control.file_record_sample as p "
        "where p.record_hash = s.record_hash and p.file_id <> %(file_id)s "
        "order by p.file_id desc limit %(files)s) as c "
        "inner join control.file as f on f.file_id = c.file_id "
        "where f.status = 'landed' group by c.file_id, f.file_name, f.layout_code, f.data_count "
        "order by weight desc, c.file_id limit %(exactly)s",
        {
            "whole": _WHOLE_SAMPLE,
            "is_small": is_small,
            "divisor": _DIVISOR,
            "looked_up": _LOOKED_UP,
            "file_id": file.file_id,
            "files": _FILES_OF_A_HASH,
            "exactly": _COUNTED_EXACTLY
            if file.data_count <= CHECKED_AT_ONCE
            else _COUNTED_OF_A_LARGE_FILE,
        },
    )
    candidates = cursor.fetchall()
    cursor.execute(
        "insert into control.file_record_sample (record_hash, file_id) "
        "select record_hash, %s from file_sample order by record_hash",
        (file.file_id,),
    )
    overlaps = []
    for earlier_id, earlier_name, _, _ in candidates:
        shared = count_shared(cursor, file.layout_code, file.file_id, earlier_id)
        percent = Decimal(100 * shared) / file.data_count
        # Never more than it is: 99.996 % is not all.
        percent = percent.quantize(Decimal("0.01"), "ROUND_DOWN")
        overlaps.append(Overlap(earlier_id, earlier_name, shared, percent))
    return sorted(overlaps, key=lambda overlap: (-overlap.records, overlap.file_id))


def count_shared(cursor: Cursor, layout_code: str, file_id: int, earlier_id: int) -> int:
    """How many records of one file stand in another, exactly."""
    cursor.execute(
        sql.SQL(
            "select count(*) from (select {hash} as h from {table} as r where r.file_id = {new} "
            "offset 0) as n "
            "where n.h in (select {hash} from {table} as r where r.file_id = {old})"
        ).format(
            hash=record_hash(cursor, layout_code),
            table=sql.Identifier("landing", layout_code),
            new=sql.Literal(file_id),
            old=sql.Literal(earlier_id),
        )
    )
    return cursor.fetchone()[0]


def _record_gaps(cursor: Cursor, file: _File, column: str) -> Iterator[list[int]]:
    """Ranges of record numbers that the file leaves out."""
    assert file.layout_code is not None
    cursor.execute(
        "select exists (select from pg_catalog.pg_attribute where attname = %s and attnum > 0 "
        "and not attisdropped and attrelid = format('landing.%%I', %s::text)::regclass)",
        (column, file.layout_code),
    )
    if not cursor.fetchone()[0]:
        return
    cursor.execute(
        sql.SQL(
            "select n + 1, following - 1 from ("
            "select n, lead(n) over (order by n) as following from ("
            "select distinct btrim({column})::bigint as n from {table} as r "
            "where r.file_id = %s and btrim({column}) ~ '^[0-9]{{1,18}}$') as numbers"
            ") as steps where following > n + 1 order by n limit %s"
        ).format(
            column=sql.Identifier("r", column),
            table=sql.Identifier("landing", file.layout_code),
        ),
        (file.file_id, _GAPS_KEPT),
    )
    for first, last in cursor.fetchall():
        yield [first, last]


def _gaps_in_words(column: str, gaps: list[list[int]]) -> str:
    ranges = ", ".join(
        f"{first}" if first == last else f"{first} to {last}" for first, last in gaps
    )
    return f"records are missing: {column} {ranges}"
