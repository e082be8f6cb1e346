"""Partitions and archives, for the command and the jobs: what is done, as tables in words."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from loaders import database, partitions, runs, settings
from orchestration.lib import paths

ROLE = "ratehouse_transformer"
PARTITION_COLUMNS = ("fact", "month", "where", "rows", "megabytes", "of them indexes", "closed")
INDEX_COLUMNS = ("table", "index", "megabytes", "scans", "remark")
MOVED_COLUMNS = ("fact", "month", "rows", "file", "megabytes", "checksum")
_MEGABYTE = 1024 * 1024


def archive_folder() -> Path:
    """Where archived months go unless a folder is named."""
    return settings.home() / "archive"


def connect() -> Any:
    """A connection that may change the facts' tables."""
    return closing(database.connect(role=ROLE, url=database.ensure_database()))


def today() -> date:
    """The day in UTC, as partitions count."""
    return datetime.now(UTC).date()


def overview(connection: Any) -> list[tuple[Any, ...]]:
    """Every month of every fact, in the database or in a file."""
    rows = [
        (
            p.fact, f"{p.month:%Y-%m}" if p.month else "without a time", "database", p.rows,
            _megabytes(p.byte_count), _megabytes(p.index_bytes), "yes" if p.is_closed else "no",
        )
        for p in partitions.partitions(connection, paths.build_schema())
    ]  # fmt: skip
    rows += [
        (a.fact, f"{a.month:%Y-%m}", a.path.name, a.rows, _megabytes(a.byte_count), None, "yes")
        for a in partitions.archived_months(connection, paths.build_schema())
    ]
    return sorted(rows)


def indexes(connection: Any) -> list[tuple[Any, ...]]:
    """How each index of the facts is used."""
    return [
        (i.relation, i.index, _megabytes(i.byte_count), i.scans, i.remark)
        for i in partitions.index_use(connection, paths.build_schema())
    ]


def keep(connection: Any, ahead: int) -> list[str]:
    """Months ahead, settings and statistics."""
    return partitions.keep(
        connection, ahead=ahead, today=today(), build_schema=paths.build_schema()
    )


def archive(
    connection: Any, month: str, folder: Path, *, reason: str, actor: str, recent: bool
) -> list[tuple[Any, ...]]:
    """Move a month into files."""
    return _moved(
        partitions.archive_month(
            connection, runs.parse_period(month), folder, reason=reason, actor=actor,
            today=today(), recent=recent, build_schema=paths.build_schema(),
        )
    )  # fmt: skip


def attach(
    connection: Any, month: str, folder: Path, *, reason: str, actor: str
) -> list[tuple[Any, ...]]:
    """Read a month back."""
    return _moved(
        partitions.attach_month(
            connection, runs.parse_period(month), folder, reason=reason, actor=actor,
            build_schema=paths.build_schema(),
        )
    )  # fmt: skip


def _moved(months: list[partitions.ArchivedMonth]) -> list[tuple[Any, ...]]:
    return [
        (m.fact, f"{m.month:%Y-%m}", m.rows, m.path.name, _megabytes(m.byte_count), m.checksum)
        for m in months
    ]


def _megabytes(count: int) -> float:
    return round(count / _MEGABYTE, 1)
