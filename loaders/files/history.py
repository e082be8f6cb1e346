"""What was received: the list of files, and one file in detail with what it may repeat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from loaders.errors import RatehouseError
from loaders.files.landing import Received
from loaders.files.originals import OriginalMissing, open_originals
from loaders.files.overlap import count_shared, record_hash
from loaders.files.session import transaction
from loaders.files.sources import Sources
from loaders.files.stored import Hold
from loaders.files.trial import land_in_transaction
from loaders.layouts import LAYOUTS

STATUSES = ("landed", "held", "discarded", "withdrawn", "failed")
KINDS = ("cdr", "sdr", "mixed", "unknown")
# The months of usage stand in the schema rating, which the loader may not look into.
LISTING_ROLE = "ratehouse_transformer"
_SAMPLE = 10
_DIFFERENCES = 5
# Under this number a file is landed for a comparison, which is rolled back.
_TRIAL_ID = -1

_LIST = """
    select f.file_id, f.file_name, f.source_code, s.carrier_code, f.file_kind, f.layout_code,
        f.layout_variant, f.record_count, f.data_count, f.non_data_count, f.quarantined_count,
        f.status, f.status_reason, f.duplicate_of_file_id, f.archive_file_id, f.received_at,
        f.origin, coalesce(f.detection ->> 'explanation', '') as explanation
    from control.file as f
    left join reference.source as s
        on f.source_code = s.source_code and s.recorded_to = 'infinity' and s.valid_during @> now()
    where (%(file_id)s::bigint is null or f.file_id = %(file_id)s)
        and (%(status)s::text is null or f.status = %(status)s)
        and (%(source)s::text is null or f.source_code = %(source)s)
        and (%(carrier)s::text is null or s.carrier_code = %(carrier)s)
        and (%(kind)s::text is null or f.file_kind = %(kind)s)
        and (%(since)s::date is null or f.received_at >= %(since)s::date)
        and (%(month)s::date is null or {period})
    order by f.file_id
"""
_RECEIVED_IN = (
    "(f.received_at >= %(month)s::date and f.received_at < %(month)s::date + interval '1 month')"
)
# Usage is known once it is rated; its totals say the month.
_USED_IN = """exists (
    select from rating.{totals} as t
    where t.file_id = f.file_id and t.period_month = %(month)s::date
)"""


@dataclass(frozen=True)
class FileFilter:
    """Which files to list; empty means all."""

    carrier: str | None = None
    source: str | None = None
    kind: str | None = None
    status: str | None = None
    # A month like 2026-10: files received in it, or holding usage of it.
    period: str | None = None
    # A day like 2026-10-05: files received then or later.
    since: str | None = None

    def checked(self) -> dict[str, Any]:
        """As parameters of the query; nonsense is refused in words."""
        if self.status is not None and self.status not in STATUSES:
            raise RatehouseError(
                f"there is no status '{self.status}'; there are {', '.join(STATUSES)}"
            )
        if self.kind is not None and self.kind not in KINDS:
            raise RatehouseError(f"there is no kind '{self.kind}'; there are {', '.join(KINDS)}")
        return {
            "file_id": None,
            "carrier": self.carrier,
            "source": self.source,
            "kind": self.kind,
            "status": self.status,
            "month": _date(self.period, "%Y-%m", "2026-10"),
            "since": _date(self.since, "%Y-%m-%d", "2026-10-05"),
        }


def _date(text: str | None, form: str, example: str) -> str | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, form).strftime("%Y-%m-%d")
    except ValueError:
        raise RatehouseError(f"'{text}' is not understood; write it like {example}") from None


def list_files(connection: Connection, chosen: FileFilter) -> list[dict[str, Any]]:
    """The files that fit, in the order in which they came."""
    parameters = chosen.checked()
    with transaction(connection) as cursor:
        period = _RECEIVED_IN
        for totals in ("usage_total", "charge_total"):
            cursor.execute("select to_regclass(%s) is not null", (f"rating.{totals}",))
            if parameters["month"] is not None and cursor.fetchone()[0]:
                period += " or " + _USED_IN.format(totals=totals)
        return _records(cursor, _LIST.format(period=period), parameters)


@dataclass
class Comparison:
    """A file beside the one it may repeat."""

    this: dict[str, Any]
    other: dict[str, Any]
    shared: int
    percent: Decimal
    only_here: list[dict[str, Any]] = field(default_factory=list)
    only_there: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class FileDetails:
    """One file with all that is known of it."""

    facts: dict[str, Any]
    non_data: list[dict[str, Any]]
    quarantine: list[dict[str, Any]]
    events: list[dict[str, Any]]
    members: list[dict[str, Any]]
    comparisons: list[Comparison]
    # Why there is no comparison although the file may repeat another.
    remark: str = ""


def read_details(connection: Connection, file_id: int) -> FileDetails:
    """Everything about one file; nothing is changed."""
    with transaction(connection) as cursor:
        rows = _records(
            cursor,
            "select f.*, s.carrier_code from control.file as f left join reference.source as s "
            "on f.source_code = s.source_code and s.recorded_to = 'infinity' "
            "and s.valid_during @> now() where f.file_id = %(file_id)s",
            {"file_id": file_id},
        )
        if not rows:
            raise RatehouseError(f"there is no file {file_id}; `ratehouse files` lists them")
        facts = rows[0]
        details = FileDetails(
            facts,
            _records(
                cursor,
                "select line_no, kind, left(raw_line, 500) as line from landing.non_data_line "
                "where file_id = %(file_id)s order by line_no limit %(limit)s",
                {"file_id": file_id, "limit": _SAMPLE},
            ),
            _records(
                cursor,
                "select line_no, reason_code, field_name, reason, left(encode(raw_bytes, "
                "'escape'), 500) as line from landing.quarantine "
                "where file_id = %(file_id)s order by line_no limit %(limit)s",
                {"file_id": file_id, "limit": _SAMPLE},
            ),
            _records(
                cursor,
                "select occurred_at, event, actor, coalesce(detail ->> 'reason', "
                "detail ->> 'explanation', '') as reason, detail from control.event "
                "where subject = 'file' and subject_id = %(file_id)s order by event_id",
                {"file_id": file_id},
            ),
            _records(
                cursor,
                "select file_id, file_name, status, status_reason, data_count from control.file "
                "where archive_file_id = %(file_id)s order by file_id",
                {"file_id": file_id},
            ),
            [],
        )
    _compare(connection, details)
    return details


def _compare(connection: Connection, details: FileDetails) -> None:
    facts = details.facts
    others = [overlap["file_id"] for overlap in facts["detection"].get("overlaps", [])]
    if facts["duplicate_of_file_id"] is not None:
        others.insert(0, facts["duplicate_of_file_id"])
    others = [other for other in dict.fromkeys(others) if other != facts["file_id"]]
    if not others:
        return
    if facts["status"] == "landed" or facts["content_checked_at"] is not None:
        with transaction(connection) as cursor:
            details.comparisons = [
                _comparison(cursor, facts, facts["file_id"], other) for other in others
            ]
        return
    # Nothing of it has landed: land it, compare, and take it back.
    try:
        with open_originals().as_file(facts["sha256"]) as path:
            details.comparisons = _compare_trial(connection, facts, path, others)
    except (OriginalMissing, Hold) as reason:
        details.remark = f"it cannot be compared: {reason}"


def _compare_trial(
    connection: Connection, facts: dict[str, Any], path: Path, others: Sequence[int]
) -> list[Comparison]:
    with transaction(connection) as cursor:
        sources = Sources(cursor)
        code = facts["source_code"]
        declared = None if code.startswith("unassigned") else sources.of_folder(code)
        result = land_in_transaction(
            cursor, Received(path), sources, declared, file_id=_TRIAL_ID, ignore_holds=True
        )
        seen = facts | {
            "layout_code": result.layout_code,
            "record_count": result.record_count,
            "data_count": result.data_count,
            "byte_count": facts["byte_count"],
        }
        comparisons = [_comparison(cursor, seen, _TRIAL_ID, other) for other in others]
        connection.rollback()
    return comparisons


_SIDE = (
    "file_id", "file_name", "received_at", "source_code", "layout_code", "record_count",
    "data_count", "byte_count", "sha256", "status",
)  # fmt: skip


def _comparison(
    cursor: Cursor, facts: dict[str, Any], rows_of: int, other_id: int
) -> Comparison:
    (other,) = _records(
        cursor, f"select {', '.join(_SIDE)} from control.file where file_id = %(id)s",
        {"id": other_id},
    )  # fmt: skip
    this = {name: facts[name] for name in _SIDE}
    layout = this["layout_code"]
    if layout is None or layout != other["layout_code"]:
        return Comparison(this, other, 0, Decimal(0))
    for side, number in ((this, rows_of), (other, other_id)):
        side["first_record"], side["last_record"] = _ends(cursor, layout, number)
    shared = count_shared(cursor, layout, rows_of, other_id)
    percent = Decimal(100 * shared) / max(this["data_count"], 1)
    return Comparison(
        this,
        other,
        shared,
        percent.quantize(Decimal("0.01"), "ROUND_DOWN"),
        _only_in(cursor, layout, rows_of, other_id),
        _only_in(cursor, layout, other_id, rows_of),
    )


def _ends(cursor: Cursor, layout_code: str, file_id: int) -> tuple[str | None, str | None]:
    """When the first and the last record of the file happened, as the file writes it."""
    layout = LAYOUTS.get(layout_code)
    ends: list[str | None] = []
    for direction in ("asc", "desc"):
        if layout is None or not layout.date_columns:
            return None, None
        cursor.execute(
            sql.SQL(
                "select coalesce({}) from {} where file_id = %s order by line_no "
                + direction
                + " limit 1"
            ).format(
                sql.SQL(", ").join(map(sql.Identifier, layout.date_columns)),
                sql.Identifier("landing", layout_code),
            ),
            (file_id,),
        )
        row = cursor.fetchone()
        ends.append(row[0] if row else None)
    return ends[0], ends[1]


def _only_in(
    cursor: Cursor, layout_code: str, file_id: int, other_id: int
) -> list[dict[str, Any]]:
    """The first records of a file that another one lacks: line and filled values."""
    cursor.execute(
        sql.SQL(
            "select r.line_no, to_jsonb(r) - 'file_id' - 'line_no' from {table} as r "
            "where r.file_id = {file} and {hash} not in "
            "(select {hash} from {table} as r where r.file_id = {other}) "
            "order by r.line_no limit {limit}"
        ).format(
            table=sql.Identifier("landing", layout_code),
            hash=record_hash(cursor, layout_code),
            file=sql.Literal(file_id),
            other=sql.Literal(other_id),
            limit=sql.Literal(_DIFFERENCES),
        )
    )
    return [
        {"line_no": line_no, "values": {k: v for k, v in values.items() if v not in (None, "")}}
        for line_no, values in cursor.fetchall()
    ]


def _records(cursor: Cursor, query: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    cursor.execute(query, parameters)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
