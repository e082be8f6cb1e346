"""What the loader tests share: one migrated database per module, files made on the spot."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - a type, not a function

from loaders.database import connect
from loaders.files import FileResult, load_paths


class Warehouse:
    """A database to load into, and the questions tests ask it."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self.connection = connection
        self.folder = folder

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return cursor.fetchall()

    def value(self, query: str, *parameters: Any) -> Any:
        return self.rows(query, *parameters)[0][0]

    def execute(self, statement: str, *parameters: Any) -> None:
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(statement, parameters)

    def write(self, name: str, content: bytes | str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def load(self, name: str, content: bytes | str, source_code: str | None = None) -> FileResult:
        """Write a file, load it, and check what must hold for every file."""
        (result,) = load_paths(
            self.connection, [self.write(name, content)], source_code=source_code
        )
        self.check_balance(result)
        return result

    def check_balance(self, result: FileResult) -> None:
        """The registry's counts, its sum, and the rows that really are there agree."""
        assert result.record_count == (
            result.data_count + result.non_data_count + result.quarantined_count
        )
        if result.file_id is None:
            return
        tables = {
            "asterisk_cdr", "mapped_usage", "carrier_charge", "non_data_line", "quarantine",
            result.layout_code or "mapped_usage",
        }  # fmt: skip
        there = {
            table: self.value(
                f"select count(*) from landing.{table} where file_id = %s", result.file_id
            )
            for table in tables
        }
        quarantined = there.pop("quarantine")
        non_data = there.pop("non_data_line")
        data = sum(there.values())
        held_unread = result.status == "held" and self.value(
            "select content_checked_at is null from control.file where file_id = %s",
            result.file_id,
        )
        if held_unread:
            assert (data, non_data, quarantined) == (0, 0, 0)
        else:
            assert (data, non_data, quarantined) == (
                result.data_count, result.non_data_count, result.quarantined_count,
            )  # fmt: skip
            if result.layout_code is not None:
                assert there[result.layout_code] == data
            everywhere = " union all ".join(
                f"select line_no from landing.{table} where file_id = {result.file_id}"
                for table in sorted(tables)
            )
            numbers = self.value(
                f"select count(distinct line_no) = count(*) from ({everywhere}) as n"
            )
            assert numbers

    def data(self, result: FileResult, *columns: str) -> list[tuple[Any, ...]]:
        return self.rows(
            f"select {', '.join(columns)} from landing.{result.layout_code} "
            "where file_id = %s order by line_no",
            result.file_id,
        )

    def quarantine(self, result: FileResult) -> list[tuple[int, str, str | None]]:
        return self.rows(
            "select line_no, reason_code, field_name from landing.quarantine "
            "where file_id = %s order by line_no",
            result.file_id,
        )

    def non_data(self, result: FileResult) -> list[tuple[int, str]]:
        return self.rows(
            "select line_no, kind from landing.non_data_line where file_id = %s order by line_no",
            result.file_id,
        )

    def declare(self, source_code: str, layout_code: str, **settings: Any) -> None:
        """A source, straight into reference.source."""
        kind = "sdr" if layout_code == "carrier_charge" else "cdr"
        self.execute(
            "with k as (insert into reference.source_key (source_code) values (%s) "
            "returning source_id) insert into reference.source (source_id, source_code, "
            "carrier_code, file_kind, layout_code, column_map, reject_ceiling_percent) "
            "select source_id, %s, 'test', %s, %s, %s::jsonb, %s from k",
            source_code,
            source_code,
            kind,
            layout_code,
            settings.get("column_map", "{}"),
            settings.get("reject_ceiling_percent", 50),
        )


@pytest.fixture(scope="module")
def module_connection(module_database: str) -> Iterator[Connection]:
    """As the loader role: what it may not do, the loaders must not need."""
    with contextlib.closing(connect("ratehouse_loader", module_database)) as session:
        yield session


@pytest.fixture
def warehouse(
    module_connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Warehouse:
    """The module's database; each test brings files of its own bytes.

    Their records repeat from test to test, so they are not compared (tests/files does that).
    """
    monkeypatch.setattr("loaders.files.arrival.CHECKED_AT_ONCE", -1)
    return Warehouse(module_connection, tmp_path)


@pytest.fixture
def empty_warehouse(database: str, tmp_path: Path) -> Iterator[Warehouse]:
    """A database nothing has been loaded into."""
    with contextlib.closing(connect("ratehouse_loader", database)) as session:
        yield Warehouse(session, tmp_path)


@pytest.fixture
def gzipped() -> Callable[[bytes], bytes]:
    """Compress without a time stamp: the same bytes each time."""
    return lambda content: gzip.compress(content, mtime=0)
