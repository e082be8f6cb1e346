"""The answer as a zip: streamed from the database, the same bytes for the same question and data.

Neither times nor the order of arrival get into the file. What it was made from is told by the
rating runs in its manifest.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import connection as Connection

from loaders.errors import RatehouseError
from loaders.export.query import Column, Query, make_query
from loaders.export.question import ExportRefused, Question

# Rows fetched and written at a time: enough for good compression, a few megabytes of memory.
_BATCH = 5_000
_READER = "bi_reader"
_UNMASKED = "bi_unmasked"
# An export that reads more rows than this wants to be asked for: about ten minutes of reading.
_LARGE = 20_000_000


@dataclass(frozen=True)
class ExportResult:
    """What was written."""

    path: Path
    member: str
    row_count: int
    byte_count: int
    sha256: str
    rating_runs: tuple[int, ...]


def export(
    connection: Connection,
    question: Question,
    to: Path,
    *,
    overwrite: bool = False,
    large: bool = False,
    large_is: int = _LARGE,
) -> ExportResult:
    """Answer a question into a zip file, which appears whole or not at all.

    What would read very many rows is refused, unless `large` says that it is meant.
    """
    if to.suffix.lower() != ".zip":
        raise ExportRefused(f"{to} does not end in .zip; an export is a zip archive")
    if to.exists() and not overwrite:
        raise ExportRefused(f"{to} exists already; name another file, or say --overwrite")
    to.parent.mkdir(parents=True, exist_ok=True)
    partial = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        with _reading(connection, question) as cursor:
            query = make_query(cursor, question)
            rows = rows_read(cursor, query)
            if rows > large_is and not large:
                raise ExportRefused(
                    f"this would read about {rows:,} rows. Name a period, or a range of started_at "
                    "in the condition: usage is kept by month of its start. If it is meant, say "
                    "so (--large)."
                )
            result = _write(connection, cursor, query, partial, to)
        partial.replace(to)
        return result
    finally:
        partial.unlink(missing_ok=True)


def show_query(connection: Connection, question: Question) -> str:
    """The SQL a person can run as bi_reader; how much it reads stands above it."""
    with _reading(connection, question) as cursor:
        query = make_query(cursor, question)
        return f"-- reads about {rows_read(cursor, query):,} rows\n{query.plain}"


def rows_read(cursor: Any, query: Query) -> int:
    """Rows the server expects to look at: whole tables where it scans them, else what it finds."""
    cursor.execute(f"explain (format json, verbose) {query.plain}")
    waiting, count = [cursor.fetchone()[0][0]["Plan"]], 0
    while waiting:
        node = waiting.pop()
        waiting += node.get("Plans", ())
        if "Relation Name" not in node:
            continue
        rows = node["Plan Rows"]
        if node["Node Type"] == "Seq Scan":
            cursor.execute(
                "select greatest(c.reltuples, 0) from pg_catalog.pg_class as c "
                "inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid "
                "where n.nspname = %s and c.relname = %s",
                (node["Schema"], node["Relation Name"]),
            )
            rows = max(rows, *cursor.fetchone())
        count += int(rows)
    return count


@contextmanager
def _reading(connection: Connection, question: Question) -> Any:
    """One view of the data, with an analyst's rights where this user may take them."""
    role = _UNMASKED if question.unmasked else _READER
    connection.rollback()
    before = connection.isolation_level
    connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute("set local timezone to 'UTC'")
            cursor.execute("set local datestyle to 'ISO, YMD'")
            cursor.execute("select pg_has_role(session_user, %s, 'set')", (role,))
            if cursor.fetchone()[0]:
                cursor.execute(f"set local role {role}")
            elif question.unmasked:
                raise ExportRefused(
                    "this user may not see numbers and names whole: a superuser can allow it "
                    f'(grant {role} to "{connection.info.user}")'
                )
            yield cursor
    finally:
        connection.rollback()
        connection.set_session(isolation_level=before, readonly=False)


def _write(
    connection: Connection, cursor: Any, query: Query, partial: Path, to: Path
) -> ExportResult:
    question = query.question
    member = f"{question.dataset}.{question.format}"
    cursor.execute(query.runs)
    runs = tuple(cursor.fetchone()[0] or ())
    is_csv = question.format == "csv"
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(zip_entry(member, packed=is_csv), "w", force_zip64=True) as stream:
            counted = Counted(stream)
            rows = (
                _write_csv(cursor, query, counted)
                if is_csv
                else _write_parquet(connection, query, counted)
            )
        manifest = {
            "question": question.to_json(),
            "relation": f"marts.{question.mart.relation}",
            "columns": [
                {"name": c.name, "type": c.full_type, "description": c.description or ""}
                for c in query.columns
            ],
            "rows": rows,
            "members": {member: {"bytes": counted.byte_count, "sha256": counted.sha256()}},
            "rating_runs": list(runs),
            "times": "UTC",
            "query": query.plain,
        }
        with archive.open(zip_entry("manifest.json"), "w") as stream:
            stream.write((json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode())
    return ExportResult(to, member, rows, partial.stat().st_size, counted.sha256(), runs)


def zip_entry(name: str, *, packed: bool = True) -> zipfile.ZipInfo:
    """A member of a zip that is the same whenever and wherever it is written."""
    # A fixed time and the same rights everywhere: the zip must not tell when it was made.
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    return entry


def _write_csv(cursor: Any, query: Query, stream: IO[bytes]) -> int:
    cursor.copy_expert(
        f"copy (\n{query.as_text}\n) to stdout with (format csv, header true, encoding 'UTF8')",
        stream,
    )
    return cursor.rowcount


def _write_parquet(connection: Connection, query: Query, stream: IO[bytes]) -> int:
    # A heavy import that only this needs.
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema(
        [
            pa.field(c.name, _arrow_type(c), metadata={"description": c.description or ""})
            for c in query.columns
        ]
    )
    count = 0
    with (
        parquet.ParquetWriter(stream, schema, compression="zstd") as writer,
        # A named cursor stays in the database; this one keeps the transaction's rights.
        connection.cursor(name="ratehouse_export") as rows,
    ):
        rows.itersize = _BATCH
        rows.execute(query.plain)
        while batch := rows.fetchmany(_BATCH):
            columns = [
                pa.array(values, type=field.type)
                for values, field in zip(zip(*batch, strict=True), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            count += len(batch)
    return count


def _arrow_type(column: Column) -> Any:
    import pyarrow as pa

    known: dict[str, Callable[[], Any]] = {
        "bigint": pa.int64,
        "integer": pa.int32,
        "smallint": pa.int16,
        "boolean": pa.bool_,
        "date": pa.date32,
        "text": pa.string,
        "character varying": pa.string,
        "timestamp with time zone": lambda: pa.timestamp("us", tz="UTC"),
    }
    if column.base_type == "numeric":
        precision, _, scale = column.full_type.partition("(")[2].rstrip(")").partition(",")
        if not precision:
            raise RatehouseError(f"column {column.name} has no fixed precision")
        return pa.decimal128(int(precision), int(scale or 0))
    if column.base_type not in known:
        raise RatehouseError(
            f"column {column.name} is of type {column.full_type}, which has no form in Parquet"
        )
    return known[column.base_type]()


class Counted(io.RawIOBase):
    """A stream that knows how much went through it, and its fingerprint."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.byte_count = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.byte_count

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._stream.write(piece)
        self._digest.update(piece)
        self.byte_count += len(piece)
        return len(piece)

    def sha256(self) -> str:
        """Of everything written so far."""
        return self._digest.hexdigest()
