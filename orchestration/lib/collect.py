"""What a collection came to, and how the feeds do, as people read it."""

from __future__ import annotations

from typing import Any

from psycopg2 import sql

from loaders.collect import CollectedFile, CollectorResult
from loaders.errors import RatehouseError
from loaders.files.names import shown
from loaders.runs.schemas import build_relation, relation_exists
from orchestration.lib import paths
from orchestration.lib.figures import Rows, fetch

COLLECTED_COLUMNS = (
    "file", "what", "source", "cadence", "bytes", "file id", "loader", "afterwards", "why",
)  # fmt: skip
HEALTH_COLUMNS = (
    "source_code", "carrier_code", "file_kind", "cadence", "collectors", "last_received_at",
    "last_landed_at", "last_file_name", "last_file_id", "held_count", "expected_by", "is_overdue",
    "last_looked_at", "last_error", "last_error_at",
)  # fmt: skip
_STATES = ("taken", "wanted", "waiting", "known", "ignored", "failed")


def collected_row(file: CollectedFile) -> tuple[Any, ...]:
    """One file's fate in a row of COLLECTED_COLUMNS."""
    return (
        shown(file.file_name), file.state, file.source_code, file.cadence, file.byte_count,
        file.file_id, file.load_status, file.put_away, file.reason,
    )  # fmt: skip


def summary(result: CollectorResult) -> str:
    """One collector's look in a line."""
    counts = ", ".join(f"{result.count(s)} {s}" for s in _STATES if result.count(s))
    return f"{result.status}, {counts or 'no files'}"


def health_rows(connection: Any) -> Rows:
    """marts.rpt_source_health, what needs a look first."""
    schema = paths.build_schema()
    with connection, connection.cursor() as cursor:
        if not relation_exists(cursor, schema, "marts", "rpt_source_health"):
            raise RatehouseError(
                "the health view is not there yet: `ratehouse rate` makes it with the first run"
            )
    query = sql.SQL(
        "select {} from {} order by is_overdue desc, last_error is null, source_code, cadence"
    ).format(
        sql.SQL(", ").join(map(sql.Identifier, HEALTH_COLUMNS)),
        build_relation(schema, "marts", "rpt_source_health"),
    )
    return fetch(connection, query)
