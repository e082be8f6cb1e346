"""What the collectors remember: control.collected_file and control.collection."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from loaders.collect.collector import Collector
from loaders.collect.remote import RemoteFile
from loaders.collect.rules import Verdict
from loaders.files import FileResult
from loaders.files.session import transaction

# The first key of our advisory locks on collectors; the second is the code's hash.
_LOCK_COLLECTOR = 0x52480009


@dataclass(frozen=True)
class Known:
    """What is remembered of one state of one remote file."""

    taken_file_id: int | None = None
    # Nothing depends on the original at the remote side any more.
    may_be_put_away: bool = False
    last_status: str | None = None
    last_reason: str | None = None

    @property
    def is_put_away(self) -> bool:
        """Moved or deleted: what lies there under this name now has come since."""
        return self.last_status in ("moved", "deleted")


@dataclass(frozen=True)
class Fetched:
    """The bytes that arrived."""

    sha256: str
    byte_count: int


class Memory:
    """The memory of one collector."""

    def __init__(self, connection: Connection, collector: Collector) -> None:
        self._connection = connection
        self._collector = collector

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """One process collects at a time; False: another one does."""
        key = (_LOCK_COLLECTOR, self._collector.collector_code)
        with transaction(self._connection) as cursor:
            cursor.execute("select pg_try_advisory_lock(%s, hashtext(%s))", key)
            is_ours = cursor.fetchone()[0]
        try:
            yield is_ours
        finally:
            if is_ours and not self._connection.closed:
                with transaction(self._connection) as cursor:
                    cursor.execute("select pg_advisory_unlock(%s, hashtext(%s))", key)

    def known(self, files: Iterable[RemoteFile]) -> dict[tuple[str, str], Known]:
        """By ``key_of`` the file."""
        names = [_storable(file.remote_name) for file in files]
        with transaction(self._connection) as cursor:
            cursor.execute(
                "select c.remote_name, c.remote_stamp, "
                "max(c.file_id) filter (where c.status = 'taken'), "
                "coalesce(bool_and(f.status <> 'held'), false), "
                "(array_agg(c.status order by c.collected_file_id desc))[1], "
                "(array_agg(c.reason order by c.collected_file_id desc))[1] "
                "from control.collected_file as c "
                "left join control.file as f on f.file_id = c.file_id "
                "where c.collector_code = %s and c.remote_name = any(%s) "
                "group by c.remote_name, c.remote_stamp",
                (self._collector.collector_code, names),
            )
            return {(name, stamp): Known(*rest) for name, stamp, *rest in cursor.fetchall()}

    def settled_units(self) -> set[str]:
        """Messages that need not be looked into again.

        Every part was taken or ignored and the message put away as the collector says. What no
        rule fitted is looked at again after the rules changed.
        """
        collector = self._collector
        with transaction(self._connection) as cursor:
            cursor.execute(
                "with latest as (select distinct on (remote_name) "
                "substring(remote_name from '^[0-9]+/[0-9]+') as unit, status, reason_code, "
                "recorded_at, file_id from control.collected_file "
                "where collector_code = %s order by remote_name, collected_file_id desc) "
                "select l.unit from latest as l "
                "left join control.file as f on f.file_id = l.file_id group by l.unit "
                "having bool_and(l.status <> 'failed' "
                "and not (l.reason_code = 'no_rule' and l.recorded_at < %s)) "
                "and (%s or not bool_or(l.status = 'taken' and f.status <> 'held'))",
                (
                    collector.collector_code,
                    collector.recorded_from,
                    collector.after_collection == "keep",
                ),
            )
            return {unit for (unit,) in cursor.fetchall()}

    def record(
        self,
        file: RemoteFile,
        status: str,
        *,
        verdict: Verdict | None = None,
        reason_code: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Append what happened to a remote file."""
        with transaction(self._connection) as cursor:
            self._append(cursor, file, status, verdict, reason_code, reason)

    def record_taken(
        self, file: RemoteFile, verdict: Verdict, fetched: Fetched, landed: list[FileResult]
    ) -> None:
        """Append what the loader made of a file: one row, or one per file of an archive."""
        with transaction(self._connection) as cursor:
            for result in landed:
                self._append(
                    cursor, file, "taken", verdict, result.status, result.explanation or None,
                    fetched, result.file_id,
                )  # fmt: skip

    def _append(
        self,
        cursor: Cursor,
        file: RemoteFile,
        status: str,
        verdict: Verdict | None,
        reason_code: str | None,
        reason: str | None,
        fetched: Fetched | None = None,
        file_id: int | None = None,
    ) -> None:
        name, stamp = key_of(file)
        cursor.execute(
            "insert into control.collected_file (collector_code, remote_name, remote_stamp, "
            "file_name, remote_url, byte_count, modified_at, detail, source_code, file_kind, "
            "cadence, status, reason_code, reason, sha256, file_id) "
            "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                self._collector.collector_code,
                name,
                stamp,
                _storable(file.name),
                _storable(self._collector.url(file.remote_name)),
                fetched.byte_count if fetched else file.byte_count,
                file.modified_at,
                json.dumps(_cleaned(file.detail)),
                verdict.source_code if verdict else None,
                verdict.file_kind if verdict else None,
                verdict.cadence if verdict else None,
                status,
                reason_code,
                None if reason is None else _storable(reason),
                fetched.sha256 if fetched else None,
                file_id,
            ),
        )

    def record_look(
        self, started_at: datetime, counts: tuple[int, int, int, int], error: str | None
    ) -> None:
        """Append one look: files seen, taken, ignored, failed."""
        with transaction(self._connection) as cursor:
            cursor.execute(
                "insert into control.collection (collector_code, status, error, seen_count, "
                "taken_count, ignored_count, failed_count, started_at) "
                "values (%s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    self._collector.collector_code,
                    "done" if error is None else "failed",
                    None if error is None else _storable(error),
                    *counts,
                    started_at,
                ),
            )


def key_of(file: RemoteFile) -> tuple[str, str]:
    """What names one state of one remote file in the memory."""
    return _storable(file.remote_name), file.stamp


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _cleaned(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    return _storable(value) if isinstance(value, str) else value


def _storable(text: str) -> str:
    """PostgreSQL stores no NUL and no lone surrogate."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
