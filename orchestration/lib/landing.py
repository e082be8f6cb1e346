"""Between the drop folder and the loader: what is new, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from loaders.files import FileResult, load_paths
from loaders.files.names import stored_text
from orchestration.lib.drop import DropFile


def unknown_files(connection: Any, files: Sequence[DropFile]) -> list[DropFile]:
    """Leave out files the registry knows unchanged.

    Files stay in the drop folder. Without this every look would read all of them again; the
    loader's fingerprint would still refuse to land one twice.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            select f.origin, f.byte_count, extract(epoch from max(f.received_at))
            from control.file as f
            where f.origin = any(%s) and f.status <> 'failed'
            group by f.origin, f.byte_count
            """,
            ([stored_text(file.path) for file in files],),
        )
        received = {(origin, count): float(at) for origin, count, at in cursor.fetchall()}
    return [
        file
        for file in files
        if received.get((stored_text(file.path), file.byte_count), 0.0) <= file.modified_ns / 1e9
    ]


def land(connection: Any, files: Sequence[DropFile]) -> list[FileResult]:
    """Land files, each sub-folder's for its source."""
    results: list[FileResult] = []
    ordered = sorted(files, key=lambda file: (file.source_code or "", file.path))
    for source_code, group in groupby(ordered, key=lambda file: file.source_code):
        results += load_paths(connection, [file.path for file in group], source_code=source_code)
    return results


def describe(result: FileResult) -> str:
    """One file's fate in a line."""
    if result.status == "landed":
        bad = f", {result.quarantined_count:,} quarantined" if result.quarantined_count else ""
        layout = f" of {result.layout_code}" if result.layout_code else ""
        return f"landed, {result.data_count:,} records{layout}{bad}"
    reason = result.explanation or result.status_reason
    return result.status.replace("_", " ") + (f": {reason}" if reason else "")
