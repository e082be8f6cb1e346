"""The registry of files: its rows as results, its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from psycopg2.extensions import cursor as Cursor

from loaders.events import record_event
from loaders.files.results import FileResult


def record_file_event(
    cursor: Cursor,
    file_id: int | None,
    event: str,
    detail: Mapping[str, object],
    actor: str | None = None,
) -> None:
    """Append to the memory of what happened to a file."""
    record_event(cursor, "file", file_id, event, detail, actor)


def result_of(cursor: Cursor, file_id: int, *, origin: str | None = None) -> FileResult:
    """What the registry says of a file."""
    cursor.execute(
        "select file_id, file_name, origin, status, status_reason, source_code, layout_code, "
        "layout_variant, record_count, data_count, non_data_count, quarantined_count, "
        "duplicate_of_file_id from control.file where file_id = %s",
        (file_id,),
    )
    result = FileResult(*cursor.fetchone())
    return result if origin is None else replace(result, origin=origin)
