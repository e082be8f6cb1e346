"""A warehouse with two sources, collectors made of CSV rows, and the servers they fetch from."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loaders.collect import CollectedFile, CollectorResult, Patience, collect
from loaders.database import connect
from loaders.reference import load_reference
from tests.collect import servers
from tests.loaders import samples
from tests.servers import temporary_folder

# Waits are for people's networks, not for tests.
QUICK = Patience(attempts=3, first_wait_seconds=0.01)
SOURCES = (
    "source_code,carrier_code,file_kind,layout_code\n"
    "acme_daily,acme,cdr,mapped_usage\nacme_monthly,acme,cdr,mapped_usage\n"
    "acme_charges,acme,sdr,carrier_charge\n"
)
RULES = [
    {"name": "daily_*.csv", "source": "acme_daily", "file_kind": "cdr", "cadence": "daily"},
    {"name": "month_*.csv", "source": "acme_monthly", "cadence": "monthly"},
    {"name": "re:sdr_.*[.]csv", "source": "acme_charges", "file_kind": "sdr"},
]


def calls(first: int = 0, count: int = 3) -> bytes:
    """A small file of calls; other numbers are other calls."""
    rows = (samples.mapped(number) for number in range(first, first + count))
    return samples.lines(samples.MAPPED_HEADER, *rows).encode()


def charges() -> bytes:
    return samples.lines(samples.CHARGE_HEADER, samples.charge(1)).encode()


class Warehouse:
    """A database to collect into, and the questions tests ask it."""

    def __init__(self, connection: Any, folder: Path) -> None:
        self.connection = connection
        self.folder = folder
        self.said: list[str] = []
        self.reference("source", SOURCES)

    def reference(self, kind: str, content: str) -> None:
        path = self.folder / f"{kind}.csv"
        path.write_text(content)
        load_reference(self.connection, kind, path)

    def collector(self, protocol: str, rules: Any = RULES, **settings: Any) -> str:
        """Declare collector ``c``, or change it."""
        row = {"collector_code": "c", "protocol": protocol, "rules": json.dumps(rules)}
        row |= {"settle_seconds": 0} | settings
        text = io.StringIO()
        writer = csv.DictWriter(text, row)
        writer.writeheader()
        writer.writerow(row)
        self.reference("collector", text.getvalue())
        return "c"

    def collect(self, **options: Any) -> CollectorResult:
        """One look."""
        options = {"patience": QUICK, "say": self.said.append} | options
        (result,) = collect(self.connection, ["c"], **options)
        return result

    def states(self, result: CollectorResult) -> dict[str, str]:
        return {file.file_name: file.state for file in result.files}

    def taken(self, result: CollectorResult) -> list[str]:
        assert result.error is None
        return [file.file_name for file in result.files if file.state == "taken"]

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            return cursor.fetchall()

    def landed(self) -> list[tuple[str, str]]:
        """Names and sources of what has landed, in order."""
        return self.rows(
            "select file_name, source_code from control.file where status = 'landed' "
            "order by file_id"
        )

    def everything(self) -> str:
        """Every row of every table that may be read, as text."""
        tables = self.rows(
            "select format('%I.%I', schemaname, tablename) from pg_tables "
            "where schemaname in ('control', 'reference', 'landing') "
            "and has_table_privilege(format('%I.%I', schemaname, tablename), 'select')"
        )
        return "\n".join(
            row[0] for (table,) in tables for row in self.rows(f"select t::text from {table} as t")
        )


def by_name(result: CollectorResult) -> dict[str, CollectedFile]:
    return {file.file_name: file for file in result.files}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The installation's folder, this test's own."""
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def warehouse(
    database: str, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Warehouse]:
    """A fresh database, as the loader's role; the password is in the environment."""
    monkeypatch.setenv("ACME_PASSWORD", servers.PASSWORD)
    with contextlib.closing(connect("ratehouse_loader", database)) as session:
        yield Warehouse(session, tmp_path)


@pytest.fixture
def start() -> Iterator[Callable[..., Any]]:
    """Start a server of tests.collect.servers for the length of the test."""
    with contextlib.ExitStack() as stack:

        def enter(server: Callable[..., Any], **options: Any) -> Any:
            folder = stack.enter_context(temporary_folder("collect"))
            return stack.enter_context(server(folder, **options))

        yield enter
