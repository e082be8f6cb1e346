"""A month of a fact moved to a Parquet file, and read back, with equal checksums on the way.

The file is written, read back into a table of its own and compared before the month is dropped; the
drop and the record of it are one transaction. Killed before it, nothing happened.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from loaders.errors import RatehouseError
from loaders.partitions.catalogue import create_partition, facts, open_periods
from loaders.runs import locks

_BATCH = 20_000
# Drafts with volume prices look back as far (models/billing/int_billing__usage_counts.sql).
_LOOKED_BACK_AT = 24
_FORMAT = 1


class ArchiveRefused(RatehouseError):
    """A month that must not be moved, or a file that is not what it should be."""


@dataclass(frozen=True)
class ArchivedMonth:
    """One fact's month outside the database, or back in it."""

    fact: str
    month: date
    rows: int
    checksum: str
    periods: tuple[date, ...]
    path: Path
    byte_count: int
    sha256: str


def archive_month(
    connection: Any,
    month: date,
    folder: Path,
    *,
    reason: str,
    actor: str,
    today: date,
    recent: bool = False,
    build_schema: str = "",
) -> list[ArchivedMonth]:
    """Move a month of every fact kept by month into Parquet files in a folder."""
    _say_why(reason)
    age = (today.year - month.year) * 12 + today.month - month.month
    if age <= _LOOKED_BACK_AT and not recent:
        raise ArchiveRefused(
            f"{month:%Y-%m} is {age} months old, and drafts may look back {_LOOKED_BACK_AT} months "
            "(volume prices, allowances). If no draft needs it, say so (--recent)."
        )
    is_own = locks.take_lock(connection, build_schema)
    try:
        with connection, connection.cursor() as cursor:
            found = {
                fact: f"{parent}_{month:%Y%m}"
                for fact, parent in facts(cursor, build_schema).items()
                if _exists(cursor, f"{parent}_{month:%Y%m}")
            }
            if not found:
                raise ArchiveRefused(f"there is no partition of {month:%Y-%m}")
            for relation in found.values():
                _refuse_open(cursor, relation, month, build_schema)
        folder.mkdir(parents=True, exist_ok=True)
        return [
            _archive(connection, fact, relation, month, folder, reason, actor, build_schema)
            for fact, relation in found.items()
        ]
    finally:
        if is_own:
            locks.release_lock(connection, build_schema)


def _refuse_open(cursor: Any, relation: str, month: date, build_schema: str) -> None:
    periods = sorted({month, *_periods(cursor, relation)})
    open_now = open_periods(cursor, periods, build_schema)
    if open_now:
        raise ArchiveRefused(
            f"{relation} has rows of periods that are not closed: {'; '.join(open_now)}. "
            "Post and close them first (ratehouse close)."
        )


def _archive(
    connection: Any,
    fact: str,
    relation: str,
    month: date,
    folder: Path,
    reason: str,
    actor: str,
    build_schema: str,
) -> ArchivedMonth:
    path = folder / f"{fact.replace('.', '_')}_{month:%Y%m}.parquet"
    with connection, connection.cursor() as cursor:
        cursor.execute("set local timezone to 'UTC'")
        # Nobody writes (the lock of the runs); nobody shall by hand, either.
        cursor.execute(f"lock table {relation} in share mode")
        rows, checksum = _checksum(cursor, relation)
        periods = _periods(cursor, relation)
        columns = _columns(cursor, relation)
        partial = path.with_name(f".{path.name}.part")
        _write(connection, relation, columns, partial)
        digest = _sha256(partial)
        # What can be read back from the file is what stands in the database.
        staged = _restore(cursor, partial, relation, columns)
        if (again := _checksum(cursor, staged)) != (rows, checksum):
            raise ArchiveRefused(
                f"{partial} does not read back as {relation}: {rows} rows, checksum {checksum} "
                f"became {again[0]}, {again[1]}. Nothing was changed."
            )
        cursor.execute(f"drop table {staged}")
        manifest = {
            "format": _FORMAT, "fact": fact, "month": f"{month:%Y-%m}", "rows": rows,
            "row_checksum": checksum, "sha256": digest, "bytes": partial.stat().st_size,
            "periods": [f"{period:%Y-%m}" for period in periods],
            "columns": [{"name": name, "type": kind} for name, kind in columns],
        }  # fmt: skip
        partial.replace(path)
        _write_whole(path.with_suffix(".json"), json.dumps(manifest, indent=2) + "\n")
        done = ArchivedMonth(
            fact, month, rows, checksum, tuple(periods), path, path.stat().st_size, digest
        )
        parent = facts(cursor, build_schema)[fact]
        cursor.execute(f"alter table {parent} detach partition {relation}")
        cursor.execute(f"drop table {relation}")
        _record(cursor, done, "archived", reason, actor, build_schema)
    return done


def attach_month(
    connection: Any,
    month: date,
    folder: Path,
    *,
    reason: str,
    actor: str,
    build_schema: str = "",
) -> list[ArchivedMonth]:
    """Read a month back from its files; rows that came meanwhile stay beside them."""
    _say_why(reason)
    is_own = locks.take_lock(connection, build_schema)
    try:
        with connection, connection.cursor() as cursor:
            away = [a for a in _archived(cursor, build_schema) if a.month == month]
        if not away:
            raise ArchiveRefused(f"no fact has {month:%Y-%m} in an archive")
        return [
            _attach(connection, gone, folder / gone.path.name, reason, actor, build_schema)
            for gone in away
        ]
    finally:
        if is_own:
            locks.release_lock(connection, build_schema)


def _attach(
    connection: Any,
    gone: ArchivedMonth,
    path: Path,
    reason: str,
    actor: str,
    build_schema: str,
) -> ArchivedMonth:
    if not path.exists():
        raise ArchiveRefused(f"{path} is missing; {gone.fact} of {gone.month:%Y-%m} is in it")
    if _sha256(path) != gone.sha256:
        raise ArchiveRefused(f"{path} is not the file that was archived: its bytes have changed")
    manifest = json.loads(path.with_suffix(".json").read_text())
    columns = [(column["name"], column["type"]) for column in manifest["columns"]]
    with connection, connection.cursor() as cursor:
        cursor.execute("set local timezone to 'UTC'")
        parent = facts(cursor, build_schema)[gone.fact]
        staged = _restore(cursor, path, parent, columns)
        if (read := _checksum(cursor, staged, columns)) != (gone.rows, gone.checksum):
            raise ArchiveRefused(
                f"{path} reads as {read[0]} rows, checksum {read[1]}; archived were {gone.rows} "
                f"rows, {gone.checksum}. Nothing was changed."
            )
        relation = create_partition(cursor, parent, gone.month)
        names = ", ".join(f'"{name}"' for name, _ in columns)
        cursor.execute(f"insert into {relation} ({names}) select {names} from {staged}")
        cursor.execute(f"drop table {staged}")
        cursor.execute(f"analyze {relation}")
        _record(cursor, gone, "attached", reason, actor, build_schema)
    return gone


def archived_months(connection: Any, build_schema: str = "") -> list[ArchivedMonth]:
    """Months of facts that are in files now."""
    with connection, connection.cursor() as cursor:
        return _archived(cursor, build_schema)


def _archived(cursor: Any, build_schema: str) -> list[ArchivedMonth]:
    cursor.execute(
        "select fact, month, row_count, row_checksum, periods, file_name, byte_count, sha256 "
        "from (select distinct on (fact, month) * from control.partition_archive "
        "where build_schema = %s order by fact, month, partition_archive_id desc) as latest "
        "where act = 'archived' order by fact, month",
        (build_schema,),
    )
    return [
        ArchivedMonth(fact, month, rows, checksum, tuple(periods), Path(name), size, digest)
        for fact, month, rows, checksum, periods, name, size, digest in cursor.fetchall()
    ]


def _record(
    cursor: Any, done: ArchivedMonth, act: str, reason: str, actor: str, build_schema: str
) -> None:
    cursor.execute(
        "insert into control.partition_archive (build_schema, fact, month, act, row_count, "
        "row_checksum, periods, file_name, byte_count, sha256, reason, actor) "
        "values (%s, %s, %s, %s, %s, %s, %s::date[], %s, %s, %s, %s, %s)",
        (
            build_schema, done.fact, done.month, act, done.rows, done.checksum, list(done.periods),
            done.path.name, done.byte_count, done.sha256, reason, actor,
        ),
    )  # fmt: skip


def _say_why(reason: str) -> None:
    if not reason.strip():
        raise ArchiveRefused("say why (--reason)")


def _exists(cursor: Any, relation: str) -> bool:
    cursor.execute("select to_regclass(%s) is not null", (relation,))
    return cursor.fetchone()[0]


def _columns(cursor: Any, relation: str) -> list[tuple[str, str]]:
    cursor.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_catalog.pg_attribute "
        "where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
        (relation,),
    )
    return cursor.fetchall()


def _periods(cursor: Any, relation: str) -> list[date]:
    if "period_month" not in {name for name, _ in _columns(cursor, relation)}:
        return []
    cursor.execute(
        f"select distinct period_month from {relation} where period_month is not null order by 1"
    )
    return [month for (month,) in cursor.fetchall()]


def _checksum(
    cursor: Any, relation: str, columns: Sequence[tuple[str, str]] = ()
) -> tuple[int, str]:
    """Rows, and the sum of their hashes: the order does not matter, nor does the server."""
    names = ", ".join(f'"{name}"' for name, _ in columns or _columns(cursor, relation))
    cursor.execute(
        "select count(*), md5(coalesce(sum(("
        f"'x' || substr(md5(row({names})::text), 1, 15))::bit(60)::bigint::numeric), 0)::text) "
        f"from {relation}"
    )
    count, checksum = cursor.fetchone()
    return count, checksum


def _arrow_type(kind: str) -> Any:
    """How a type stands in the file; what has no exact form there stands as text."""
    import pyarrow as pa

    known = {
        "bigint": pa.int64(), "integer": pa.int32(), "smallint": pa.int16(),
        "boolean": pa.bool_(), "date": pa.date32(),
        "timestamp with time zone": pa.timestamp("us", tz="UTC"),
    }  # fmt: skip
    if kind.startswith("numeric("):
        precision, _, scale = kind[8:-1].partition(",")
        if int(precision) <= 38:
            return pa.decimal128(int(precision), int(scale or 0))
    return known.get(kind, pa.string())


def _write(connection: Any, relation: str, columns: Sequence[tuple[str, str]], path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([pa.field(name, _arrow_type(kind)) for name, kind in columns])
    chosen = ", ".join(
        f'"{name}"::text' if _arrow_type(kind) == pa.string() else f'"{name}"'
        for name, kind in columns
    )
    with (
        path.open("wb") as stream,
        parquet.ParquetWriter(stream, schema, compression="zstd") as writer,
        connection.cursor(name="ratehouse_archive") as rows,
    ):
        rows.itersize = _BATCH
        rows.execute(f"select {chosen} from {relation}")
        while batch := rows.fetchmany(_BATCH):
            writer.write_table(
                pa.Table.from_arrays(
                    [
                        pa.array(values, type=column.type)
                        for values, column in zip(zip(*batch, strict=True), schema, strict=True)
                    ],
                    schema=schema,
                )
            )
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _restore(cursor: Any, path: Path, like: str, columns: Sequence[tuple[str, str]]) -> str:
    """The rows of a file in a table that falls with the transaction; its name."""
    staged = "ratehouse_archived_month"
    described = ", ".join(f'"{name}" {kind}' for name, kind in columns)
    cursor.execute(f"drop table if exists pg_temp.{staged}")
    cursor.execute(f"create temporary table {staged} ({described}) on commit drop")
    cursor.copy_expert(f"copy {staged} from stdin", _Lines(path))
    return f"pg_temp.{staged}"


class _Lines:
    """The rows of a Parquet file as COPY takes them."""

    def __init__(self, path: Path) -> None:
        self._lines = self._read_rows(path)
        self._rest = b""

    @staticmethod
    def _read_rows(path: Path) -> Iterator[bytes]:
        from pyarrow import parquet

        for batch in parquet.ParquetFile(path).iter_batches(batch_size=_BATCH):
            columns = [column.to_pylist() for column in batch.columns]
            yield "".join(
                "\t".join(map(_field, row)) + "\n" for row in zip(*columns, strict=True)
            ).encode()

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            piece = next(self._lines, None)
            if piece is None:
                break
            self._rest += piece
        size = len(self._rest) if size < 0 else size
        given, self._rest = self._rest[:size], self._rest[size:]
        return given


def _field(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, datetime):
        return value.isoformat()
    text = str(value)
    if "\\" in text or "\t" in text or "\n" in text or "\r" in text:
        text = (
            text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
            .replace("\r", "\\r")
        )  # fmt: skip
    return text


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_whole(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(text)
    partial.replace(path)
