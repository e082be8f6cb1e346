"""Loading reference data: validated as a whole, compared as a whole, dated twice.

A row is identified by its key and valid_from. The same again is left alone; a difference closes
what was known before (recorded_to) and records the new row; both get one clock value, taken under
the lock that rating runs respect when they fix what they know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from loaders.errors import RatehouseError
from loaders.events import record_event
from loaders.files.session import copy_from, transaction
from loaders.reference.errors import SHOWN, ReferenceRefused, Refusal
from loaders.reference.kinds import KINDS, Kind
from loaders.reference.table_file import TableFile, open_table, sha256_of
from loaders.reference.validation import Column, columns_of, validate

_ROWS_AT_A_TIME = 500
_FILE_ENDINGS = (".csv", ".csv.gz", ".zip", ".txt", ".tsv")


@dataclass(frozen=True)
class ReferenceResult:
    """What one reference file changed."""

    kind: str
    rows_read: int
    rows_added: int
    rows_changed: int
    rows_unchanged: int
    reference_load_id: int
    # Only a full load ends rows because the file lacks them.
    rows_closed: int = 0
    # Lines of a report that are no reference data (codes that are not assigned).
    rows_skipped: int = 0
    file_name: str = ""


@dataclass(frozen=True)
class TableQuery:
    """Rows that stand in the database already, as queries over the load's own transaction."""

    # line and the columns, of the types they have in reference.
    rows: str
    # row_id (ctid) of known rows that end without a successor.
    closed: str
    rows_read: int
    rows_unchanged: int
    # Stands in the event of the load.
    detail: dict[str, Any]


def lock_loads(cursor: Cursor) -> None:
    """One load at a time; what is compared after this is what the load will meet."""
    cursor.execute("set local timezone = 'UTC'")
    # Everything below joins whole sets. On statistics that lag behind a load the planner may
    # choose nested loops, which turned seconds into more than ten minutes.
    cursor.execute("set local enable_nestloop = off")
    cursor.execute("set local work_mem = '64MB'")
    cursor.execute("lock table control.reference_load in exclusive mode")


def load_query(
    cursor: Cursor, kind: str, path: Path, sha256: str, query: TableQuery
) -> ReferenceResult:
    """Load rows another loader worked out, inside its transaction, after lock_loads."""
    return _Load(cursor, KINDS[kind], path, sha256, full=False).run(query)


def load_reference(
    connection: Connection, kind: str, path: Path | str, *, full: bool = False
) -> ReferenceResult:
    """Load one file in one transaction, or refuse it and change nothing.

    ``full`` says that the file is everything there is: current rows it lacks are closed.
    """
    path = Path(path)
    if kind not in KINDS:
        raise RatehouseError(
            f"there is no reference kind '{kind}'; there are: {', '.join(KINDS)}"
        )
    try:
        sha256 = sha256_of(path)
        with transaction(connection) as cursor, open_table(kind, path) as table:
            return _Load(cursor, KINDS[kind], path, sha256, full).run(table)
    except OSError as error:
        raise RatehouseError(f"{path} cannot be read: {error.strerror or error}") from error


def load_folder(
    connection: Connection, folder: Path | str, *, full: bool = False
) -> list[ReferenceResult]:
    """Load <kind>.csv (or .csv.gz, .zip, .txt) of each kind there is, in order of dependency."""
    folder = Path(folder)
    if not folder.is_dir():
        raise RatehouseError(f"{folder} is not a folder")
    found: list[tuple[str, Path]] = []
    for kind in KINDS:
        files = [folder / (kind + ending) for ending in _FILE_ENDINGS]
        present = [path for path in files if path.is_file()]
        if len(present) > 1:
            raise RatehouseError(
                f"{folder} holds {kind} more than once: "
                + ", ".join(path.name for path in present)
            )
        found += [(kind, path) for path in present]
    if not found:
        raise RatehouseError(
            f"{folder} holds no reference file; they are named {', '.join(KINDS)} and end in "
            + ", ".join(_FILE_ENDINGS)
        )
    return [load_reference(connection, kind, path, full=full) for kind, path in found]


def try_row(cursor: Cursor, kind: str, row: Mapping[str, str]) -> None:
    """Add one row as a load would, or refuse it as a load would; the caller rolls back.

    It takes no lock and writes no history: nobody else will ever see the row.
    """
    table = TableFile(list(row), iter([(1, list(row.values()))]))
    _Load(cursor, KINDS[kind], Path("this form"), "", False).try_rows(table)


def propose(cursor: Cursor, kind: str, path: Path, *, full: bool = False) -> tuple[int, int, int]:
    """Rows added, changed and ended, as a load would have them; the caller rolls back.

    It takes no lock that loads or runs wait for, and writes no history.
    """
    if kind not in KINDS:
        raise RatehouseError(
            f"there is no reference kind '{kind}'; there are: {', '.join(KINDS)}"
        )
    with open_table(kind, path) as table:
        return _Load(cursor, KINDS[kind], path, "", full).propose(table)


class _Load:
    """One load, inside its transaction."""

    def __init__(self, cursor: Cursor, kind: Kind, path: Path, sha256: str, full: bool) -> None:
        self._cursor = cursor
        self._kind = kind
        self._path = path
        self._sha256 = sha256
        self._full = full
        self._table = f"reference.{kind.name}"

    def run(self, table: TableFile | TableQuery) -> ReferenceResult:
        """Lock, read, validate, compare, write."""
        cursor = self._cursor
        lock_loads(cursor)
        # One instant for the whole load, later than any load before it even if a clock jumped.
        cursor.execute(
            "select greatest(clock_timestamp(), "
            "max(recorded_at) + interval '1 microsecond') from control.reference_load"
        )
        clock = cursor.fetchone()[0]
        columns = columns_of(cursor, self._kind)
        if isinstance(table, TableQuery):
            file_date, skipped, detail = None, 0, table.detail
            cursor.execute(f"create temporary table load_row on commit drop as {table.rows}")
            cursor.execute("analyze load_row")
            added, changed, unchanged, closed = self._compare(columns, None, table.closed)
            rows_read, unchanged = table.rows_read, unchanged + table.rows_unchanged
        else:
            file_date, detail = table.file_date, {}
            given = self._check_header(table, columns)
            rows_read = self._copy(table, given)
            skipped = table.skipped[0]
            validate(cursor, self._kind, self._path.name, columns, given)
            if file_date is not None:
                self._date_rows(columns, file_date)
            added, changed, unchanged, closed = self._compare(columns, file_date)
        cursor.execute(
            "insert into control.reference_load (kind, file_name, sha256, rows_read, rows_added, "
            "rows_changed, rows_unchanged, recorded_at) values (%s, %s, %s, %s, %s, %s, %s, %s) "
            "returning reference_load_id",
            (
                self._kind.name, self._path.name, self._sha256, rows_read, added, changed,
                unchanged, clock,
            ),
        )  # fmt: skip
        load_id = cursor.fetchone()[0]
        self._write(columns, clock, load_id)
        result = ReferenceResult(
            self._kind.name, rows_read, added, changed, unchanged, load_id, closed,
            skipped, self._path.name,
        )  # fmt: skip
        happened = {
            "kind": result.kind, "full": self._full, "closed": closed,
            "skipped": result.rows_skipped, **detail,
        }  # fmt: skip
        record_event(cursor, "reference", load_id, "loaded", happened)
        return result

    def propose(self, table: TableFile) -> tuple[int, int, int]:
        """Validate, compare, write the rows; several files may come in one transaction."""
        cursor = self._cursor
        cursor.execute("set local timezone = 'UTC'")
        cursor.execute("set local enable_nestloop = off")
        columns = columns_of(cursor, self._kind)
        given = self._check_header(table, columns)
        self._copy(table, given)
        validate(cursor, self._kind, self._path.name, columns, given)
        if table.file_date is not None:
            self._date_rows(columns, table.file_date)
        added, changed, _, closed = self._compare(columns, table.file_date)
        cursor.execute("select clock_timestamp()")
        self._write(columns, cursor.fetchone()[0], None)
        for name in ("load_raw", "load_row", "load_close", "load_insert"):
            cursor.execute(f"drop table {name}")
        return added, changed, closed

    def try_rows(self, table: TableFile) -> None:
        """Validate and insert, as new rows."""
        columns = columns_of(self._cursor, self._kind)
        given = self._check_header(table, columns)
        self._copy(table, given)
        validate(self._cursor, self._kind, self._path.name, columns, given)
        self._cursor.execute(
            "create temporary table load_insert on commit drop as select * from load_row"
        )
        self._insert(columns, None, None)

    def _check_header(self, table: TableFile, columns: dict[str, Column]) -> list[str]:
        refusals = []
        names = table.columns
        for name in sorted({name for name in names if names.count(name) > 1}):
            refusals.append(Refusal(1, name or "(nameless)", None, "is named more than once"))
        for name in dict.fromkeys(names):
            if name not in columns:
                known = "" if refusals else f"; its columns are {', '.join(columns)}"
                refusals.append(
                    Refusal(
                        1,
                        name or "(nameless)",
                        None,
                        f"{self._kind.name} has no such column{known}",
                    )
                )
        for column in columns.values():
            if column.is_required and column.name not in names:
                refusals.append(Refusal(1, column.name, None, "this column must be there"))
        if refusals:
            raise ReferenceRefused(self._kind.name, self._path.name, refusals)
        return names

    def _copy(self, table: TableFile, given: list[str]) -> int:
        declared = ", ".join(f"{name} text" for name in given)
        self._cursor.execute(
            f"create temporary table load_raw (line bigint, {declared}) on commit drop"
        )
        rows = copy_from(
            self._cursor,
            f"copy load_raw (line, {', '.join(given)}) from stdin (encoding utf8)",
            _as_copy_text(table.rows),
        )
        self._cursor.execute("analyze load_raw")
        return rows

    def _date_rows(self, columns: dict[str, Column], file_date: date) -> None:
        """A report holds from its date on; the first one ever has always held."""
        cursor = self._cursor
        cursor.execute(
            f"select exists (select from {self._table} where recorded_to = 'infinity')"
        )
        if not cursor.fetchone()[0]:
            return
        key = self._kind.key[0]
        values = _attributes(columns, self._kind)
        cursor.execute(
            f"select c.valid_from::date, n.line from load_row as n "
            f"inner join {self._table} as c on c.{key} = n.{key} "
            f"and c.recorded_to = 'infinity' and c.valid_to = 'infinity' "
            f"where c.valid_from > %s and ({_differ('c', 'n', values)}) "
            f"order by n.line limit 1",
            (file_date,),
        )
        later = cursor.fetchone()
        if later is not None:
            raise ReferenceRefused(
                self._kind.name,
                self._path.name,
                [
                    Refusal(
                        later[1],
                        "file",
                        None,
                        f"the report is of {file_date}, but a later one, of {later[0]}, "
                        "is loaded already",
                    )
                ],
            )
        # What has not changed keeps its start, so that it compares as the same row.
        names = ", ".join(f"n.{name}" for name in columns if name != "valid_from")
        cursor.execute(
            f"create temporary table load_dated on commit drop as "
            f"select n.line, {names}, coalesce(c.valid_from, %s) as valid_from "
            f"from load_row as n left join {self._table} as c on c.{key} = n.{key} "
            f"and c.recorded_to = 'infinity' and c.valid_to = 'infinity' "
            f"and {_same('c', 'n', values)}",
            (file_date,),
        )
        cursor.execute("drop table load_row")
        cursor.execute("alter table load_dated rename to load_row")
        cursor.execute("analyze load_row")

    def _compare(
        self, columns: dict[str, Column], file_date: date | None, closed_query: str | None = None
    ) -> tuple[int, int, int, int]:
        """Fill load_close and load_insert; return added, changed, unchanged, closed."""
        cursor = self._cursor
        kind = self._kind
        values = [*_attributes(columns, kind), "valid_to"]
        same_key = " and ".join(f"c.{name} = n.{name}" for name in kind.key)
        replaces = "c.valid_from = n.valid_from"
        if kind.name == "service_identifier":
            replaces += f" and {_directions('c')} && {_directions('n')}"
        cursor.execute(
            f"create temporary table load_close on commit drop as "
            f"select c.ctid as row_id, n.line, {_same('c', 'n', values)} as is_same, "
            f"false as ends_at_file_date "
            f"from {self._table} as c inner join load_row as n on {same_key} and {replaces} "
            f"where c.recorded_to = 'infinity'"
        )
        if file_date is not None:
            # The row in force ends where the report's begins.
            cursor.execute(
                f"insert into load_close select c.ctid, n.line, false, true "
                f"from {self._table} as c inner join load_row as n on {same_key} "
                f"where c.recorded_to = 'infinity' and c.valid_to = 'infinity' "
                f"and c.valid_from < n.valid_from"
            )
        cursor.execute("analyze load_close")
        cursor.execute(
            "create temporary table load_insert on commit drop as select n.* from load_row as n "
            "where not exists (select from load_close as k where k.line = n.line and k.is_same)"
        )
        # Joins on purpose: a sub-select in the select list runs once per row.
        cursor.execute("select count(distinct line) from load_close where is_same")
        unchanged = cursor.fetchone()[0]
        cursor.execute(
            "select count(*), count(k.line) from load_insert as n left join "
            "(select distinct line from load_close where not is_same) as k on k.line = n.line"
        )
        inserted, changed = cursor.fetchone()
        cursor.execute("delete from load_close where is_same")
        closed = self._close_absent(file_date) if self._full else 0
        if closed_query is not None:
            cursor.execute(
                f"insert into load_close select q.row_id, null, false, false "
                f"from ({closed_query}) as q "
                f"where not exists (select from load_close as k where k.row_id = q.row_id)"
            )
            closed = cursor.rowcount
        cursor.execute("analyze load_close")
        if file_date is not None:
            self._keep_past(columns, file_date)
        self._refuse_overlaps(same_key)
        return inserted - changed, changed, unchanged, closed

    def _close_absent(self, file_date: date | None) -> int:
        cursor = self._cursor
        same_key = " and ".join(f"c.{name} = n.{name}" for name in self._kind.key)
        same_row = "" if file_date is not None else " and c.valid_from = n.valid_from"
        still_valid = " and c.valid_to = 'infinity'" if file_date is not None else ""
        cursor.execute(
            f"insert into load_close select c.ctid, null, false, {file_date is not None} "
            f"from {self._table} as c where c.recorded_to = 'infinity'{still_valid} "
            f"and not ({self._kind.built_in}) "
            f"and not exists (select from load_row as n where {same_key}{same_row}) "
            f"and not exists (select from load_close as k where k.row_id = c.ctid)"
        )
        return cursor.rowcount

    def _keep_past(self, columns: dict[str, Column], file_date: date) -> None:
        """Rows that end at the report's date held until then: they come back with an end."""
        names = [name for name in columns if name != "valid_to"]
        self._cursor.execute(
            f"insert into load_insert (line, {', '.join(names)}, valid_to) "
            f"select null, {', '.join('c.' + name for name in names)}, %s "
            f"from {self._table} as c inner join load_close as k on k.row_id = c.ctid "
            f"where k.ends_at_file_date and c.valid_from < %s",
            (file_date, file_date),
        )

    def _refuse_overlaps(self, same_key: str) -> None:
        directions = ""
        if self._kind.name == "service_identifier":
            directions = f" and {_directions('c')} && {_directions('n')}"
        key = " || '/' || ".join(f"n.{name}::text" for name in self._kind.key)
        self._cursor.execute(
            f"select o.*, count(*) over () from (select distinct on (n.line) n.line, {key}, "
            f"c.valid_from::text, c.valid_to::text from load_insert as n "
            f"inner join {self._table} as c on {same_key} "
            f"and c.valid_from < n.valid_to and c.valid_to > n.valid_from{directions} "
            f"where c.recorded_to = 'infinity' "
            f"and not exists (select from load_close as k where k.row_id = c.ctid) "
            f"order by n.line, c.valid_from) as o order by 1 limit {SHOWN}"
        )
        rows = self._cursor.fetchall()
        if rows:
            name = "/".join(self._kind.key)
            raise ReferenceRefused(
                self._kind.name,
                self._path.name,
                [
                    Refusal(
                        line,
                        name,
                        value,
                        f"overlaps the row already known, valid from {_instant(valid_from)} to "
                        f"{_instant(valid_to)}; give that row an end in the same file",
                    )
                    for line, value, valid_from, valid_to, _ in rows
                ],
                rows[0][4],
            )

    def _write(self, columns: dict[str, Column], clock: datetime, load_id: int) -> None:
        self._cursor.execute(
            f"update {self._table} as c set recorded_to = %s "
            f"where c.ctid = any (array(select row_id from load_close))",
            (clock,),
        )
        self._insert(columns, clock, load_id)

    def _insert(
        self, columns: dict[str, Column], clock: datetime | None, load_id: int | None
    ) -> None:
        cursor = self._cursor
        kind = self._kind
        names = list(columns)
        id_column, id_value, id_join = "", "", ""
        if kind.has_id:
            code = kind.code_column
            cursor.execute(
                f"insert into reference.{kind.name}_key ({code}) "
                f"select distinct n.{code} from load_insert as n "
                f"where not exists (select from reference.{kind.name}_key as k "
                f"where k.{code} = n.{code}) order by 1"
            )
            id_column = f"{kind.name}_id, "
            id_value = f"k.{kind.name}_id, "
            id_join = f" inner join reference.{kind.name}_key as k on k.{code} = n.{code}"
        cursor.execute(
            f"insert into {self._table} "
            f"({id_column}{', '.join(names)}, recorded_from, reference_load_id) "
            f"select {id_value}{', '.join('n.' + name for name in names)}, "
            f"coalesce(%s, clock_timestamp()), %s "
            f"from load_insert as n{id_join} order by n.line nulls first",
            (clock, load_id),
        )


def _as_copy_text(rows: Iterable[tuple[int, list[str]]]) -> Iterator[bytes]:
    """Rows in the text format of COPY, some hundred at a time."""
    remaining = iter(rows)
    while batch := list(islice(remaining, _ROWS_AT_A_TIME)):
        yield "".join(
            f"{line}\t{chr(9).join(map(_escaped, values))}\n" for line, values in batch
        ).encode()


def _escaped(value: str) -> str:
    if "\\" in value or "\t" in value or "\n" in value or "\r" in value:
        value = (
            value.replace("\\", "\\\\")
            .replace("\t", "\\t")
            .replace("\n", "\\n")
            .replace("\r", "\\r")
        )
    return value.replace("\x00", "")


def _attributes(columns: dict[str, Column], kind: Kind) -> list[str]:
    return [name for name in columns if name not in (*kind.key, "valid_from", "valid_to")]


def _same(left: str, right: str, names: list[str]) -> str:
    lefts = ", ".join(f"{left}.{name}" for name in names)
    rights = ", ".join(f"{right}.{name}" for name in names)
    return f"(({lefts}) is not distinct from ({rights}))"


def _differ(left: str, right: str, names: list[str]) -> str:
    return f"not {_same(left, right, names)}"


def _directions(alias: str) -> str:
    """The directions an identifier serves, as the set the exclusion constraint compares."""
    return (
        f"(case {alias}.direction when 'outbound' then array[1] when 'inbound' then array[2] "
        f"else array[1, 2] end)"
    )


def _instant(text: str) -> str:
    names = {"-infinity": "the beginning", "infinity": "no end"}
    return names.get(text, text.removesuffix(" 00:00:00+00").removesuffix("+00"))
