"""Collectors as reference.collector has them now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from psycopg2.extensions import connection as Connection

from loaders.collect.errors import CollectError
from loaders.collect.rules import RuleError, Rules, parse_rules
from loaders.files.session import transaction

_DEFAULT_PORTS = {"sftp": 22, "ftp": 21, "ftps": 21, "imap": 993}


@dataclass(frozen=True)
class Collector:
    """One place files are fetched from."""

    collector_code: str
    protocol: str
    host: str | None
    port: int | None
    username: str | None
    password_from: str | None
    private_key_from: str | None
    host_key: str | None
    tls_trust: str
    directory: str
    after_collection: str
    after_folder: str | None
    poll_minutes: int
    settle_seconds: int
    maximum_megabytes: int
    is_enabled: bool
    recorded_from: datetime
    rules: Rules

    @property
    def effective_port(self) -> int:
        """The port, or the usual one of the protocol."""
        return self.port or _DEFAULT_PORTS[self.protocol]

    @property
    def place(self) -> str:
        """Where it fetches from, for messages: without a secret."""
        if self.protocol == "folder":
            return self.directory
        return f"{self.host}:{self.effective_port}"

    @property
    def maximum_bytes(self) -> int:
        return self.maximum_megabytes * 1024 * 1024

    def url(self, name: str) -> str:
        """Where a file came from, to show and to keep."""
        if self.protocol == "folder":
            return name
        user = f"{self.username}@" if self.username else ""
        return f"{self.protocol}://{user}{self.place}/{name.lstrip('/')}"

    def error(self, reason: str) -> CollectError:
        """A failure in words that name the collector and its host."""
        return CollectError(f"collector {self.collector_code} ({self.place}): {reason}")


def read_collectors(connection: Connection, codes: Sequence[str] = ()) -> list[Collector]:
    """The collectors named, or every enabled one."""
    names = [field.name for field in fields(Collector)]
    with transaction(connection) as cursor:
        cursor.execute(
            f"select {', '.join(names)} from reference.collector "
            "where recorded_to = 'infinity' and valid_during @> now() order by collector_code"
        )
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    known = [row["collector_code"] for row in rows]
    for code in codes:
        if code not in known:
            raise CollectError(
                f"there is no collector '{code}'; there are: {', '.join(known) or 'none'}. "
                "Add it with: ratehouse reference load collector FILE"
            )
    chosen = [
        row for row in rows if (row["collector_code"] in codes if codes else row["is_enabled"])
    ]
    return [_collector(row) for row in chosen]


def due_collectors(connection: Connection) -> list[tuple[str, int]]:
    """Enabled collectors whose last look is their poll interval ago: code and interval."""
    with transaction(connection) as cursor:
        cursor.execute(
            "select c.collector_code, c.poll_minutes from reference.collector as c "
            "where c.recorded_to = 'infinity' and c.valid_during @> now() and c.is_enabled "
            "and not exists (select from control.collection as l "
            "where l.collector_code = c.collector_code "
            "and l.ended_at > now() - make_interval(mins => c.poll_minutes)) "
            "order by c.collector_code"
        )
        return cursor.fetchall()


def _collector(row: dict[str, object]) -> Collector:
    try:
        return Collector(**(row | {"rules": parse_rules(row["rules"])}))  # type: ignore[arg-type]
    except RuleError as error:
        raise CollectError(f"collector {row['collector_code']}: rules: {error}") from None
