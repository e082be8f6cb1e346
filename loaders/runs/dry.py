"""A rating run that leaves no trace: the same SQL, in a transaction that is rolled back.

What a file would become, what a held file would cost, what a reprocess would clear: all are
answered by rating for real and undoing it. The models are those of dbt, compiled for its target
`dry`; whatever differs from run to run stands in their SQL as a mark that is replaced here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from loaders.files.session import transaction

DRY_RUN_ID = -1
# The schemas a dry run makes for itself: this and the layer's name.
PREFIX = "dry"
CUTOFF_MARK = "DRY RUN CUTOFF"
FILES_MARK = "DRY RUN FILES"
PERIOD_MARK = "DRY RUN PERIOD"
BILL_GROUP_MARK = "DRY RUN BILL GROUP"
ONLY_VERSION_MARK = "DRY RUN ONLY VERSION"
_VERSION_MARK = re.compile(r"'DRY RUN VERSION (\d+)' = ''")
_DAYS_MARK = re.compile(r"'DRY RUN DAYS ([a-z_.]+)' = ''")

_LOCK_DRY_RUN = 0x52480007

_FACTS = ("rated_usage", "rated_charge")
# Before the first run the facts do not exist; their history is then empty.
_EMPTY_HISTORY = """
    select
        null::bigint as account_id, null::integer as source_id, null::bigint as record_key_hash,
        null::bigint as content_hash, null::bigint as file_id, null::bigint as line_no,
        null::smallint as leg_no, null::text as state, null::timestamptz as started_at,
        null::bigint as rating_run_id
    where false
"""
# What an invoice reads of the period before.
_BALANCES = "allowance_balance"
_BALANCE_COLUMNS = {
    "invoice_run_id": "bigint", "account_id": "bigint", "period_month": "date",
    "holder_kind": "text", "holder_key": "text", "allowance_code": "text", "purchase_code": "text",
    "grant_kind": "text", "carried_units": "numeric", "usable_to": "timestamptz",
    "is_once": "boolean", "origin_month": "date", "expires_month": "date",
}  # fmt: skip


@dataclass(frozen=True)
class Seed:
    """A dbt seed: column names, their types, and the rows as text."""

    name: str
    schema: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]


@dataclass(frozen=True)
class Model:
    """A dbt model as compiled for the target `dry`."""

    name: str
    schema: str
    is_view: bool
    # Its expressions are worked out once for each row, though later steps use them often.
    is_barrier: bool
    sql: str
    indexes: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class DryModels:
    """What a dry run builds, in an order in which nothing reads what is not there yet."""

    seeds: tuple[Seed, ...]
    models: tuple[Model, ...]
    # What follows rating: totals, draft invoices, marts. Only `invoice` builds these.
    billing: tuple[Model, ...] = ()
    # What sets versions beside each other. Only `compare` builds these.
    comparison: tuple[Model, ...] = ()


@dataclass
class DryRun:
    """The open transaction of a dry run. Ask with ``cursor`` after ``rate``."""

    cursor: Cursor
    models: DryModels
    file_ids: list[int] = field(default_factory=list)
    # Of its schemas, as the models name them.
    prefix: str = PREFIX
    _cutoff: datetime | None = None
    _only_version: int | None = None

    def rate(
        self,
        *,
        records: Sequence[tuple[int, int]] = (),
        until: str | None = None,
        add_work: Callable[[Cursor, int], object] | None = None,
        known_at: datetime | None = None,
        only_version: int | None = None,
    ) -> None:
        """Rate the lines of ``file_ids`` (or only ``records`` of them, as file and line).

        ``until`` names the last model to build; what comes after it is left out. ``add_work``
        writes the records, and what is changed about them, itself. ``known_at`` and
        ``only_version``: with the reference data of then, by one version of the rules.
        """
        self._only_version = only_version
        self._cutoff = self._open(records, known_at)
        if add_work is not None:
            add_work(self.cursor, DRY_RUN_ID)
        self._make_schemas()
        self._make_history()
        for seed in self.models.seeds:
            self._make_seed(seed)
        for model in self.models.models:
            self._make(model, {})
            if model.name == until:
                break

    def compare(self) -> None:
        """After ``rate``: what sets the records beside the versions that count so far."""
        self.cursor.execute(
            f"create view {PREFIX}_history.current_rated_usage as "
            "select * from rating.current_rated_usage"
        )
        for model in self.models.comparison:
            self._make(model, {})

    @contextmanager
    def invoice(self, period_month: date, bill_group: str) -> Iterator[None]:
        """After ``rate``: the run as if closed, and its draft invoices, while the block lasts.

        Allowances that are carried on stay: the next period may be invoiced in a block after it.
        """
        cursor = self.cursor
        cursor.execute("savepoint dry_invoice")
        cursor.execute(
            "update control.rating_run set status = 'closed', closed_at = clock_timestamp() "
            "where rating_run_id = %s",
            (DRY_RUN_ID,),
        )
        marks = {PERIOD_MARK: period_month.isoformat(), BILL_GROUP_MARK: bill_group}
        for model in self.models.billing:
            self._make(model, marks)
        yield
        carried = self._read_balances()
        cursor.execute("rollback to savepoint dry_invoice")
        self._keep_balances(carried)

    def _open(self, records: Sequence[tuple[int, int]], known_at: datetime | None) -> datetime:
        cursor = self.cursor
        cursor.execute("select coalesce(%s, clock_timestamp())", (known_at,))
        cutoff: datetime = cursor.fetchone()[0]
        cursor.execute(
            "insert into control.rating_run (rating_run_id, run_kind, build_schema, status, "
            "requested_by, reference_cutoff) overriding system value "
            "values (%s, 'shadow', %s, 'running', session_user, %s)",
            (DRY_RUN_ID, PREFIX, cutoff),
        )
        cursor.execute(
            "insert into control.rating_run_file "
            "(rating_run_id, file_id, build_schema, is_initial) "
            "select %s, unnest(%s::bigint[]), %s, true",
            (DRY_RUN_ID, self.file_ids, PREFIX),
        )
        if records:
            cursor.execute(
                "insert into control.rating_run_record (rating_run_id, file_id, line_no) "
                "select distinct %s::bigint, r.file_id, r.line_no "
                "from unnest(%s::bigint[], %s::bigint[]) as r (file_id, line_no)",
                (DRY_RUN_ID, [file for file, _ in records], [line for _, line in records]),
            )
        return cutoff

    def _make_schemas(self) -> None:
        schemas = {seed.schema for seed in self.models.seeds}
        parts = (*self.models.models, *self.models.billing, *self.models.comparison)
        schemas |= {model.schema for model in parts}
        for schema in sorted(schemas | {f"{PREFIX}_history"}):
            self.cursor.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))

    def _make_history(self) -> None:
        for fact in _FACTS:
            self.cursor.execute("select to_regclass(%s) is not null", (f"rating.{fact}",))
            present = self.cursor.fetchone()[0]
            source = f"select * from rating.{fact}" if present else _EMPTY_HISTORY
            self.cursor.execute(f"create view {PREFIX}_history.{fact} as {source}")
        columns = ", ".join(f"{name} {kind}" for name, kind in _BALANCE_COLUMNS.items())
        self.cursor.execute(f"create table {PREFIX}_history.{_BALANCES} ({columns})")
        self.cursor.execute("select to_regclass(%s) is not null", (f"billing.{_BALANCES}",))
        if self.cursor.fetchone()[0]:
            self.cursor.execute(
                f"insert into {PREFIX}_history.{_BALANCES} "
                f"select {', '.join(_BALANCE_COLUMNS)} from billing.{_BALANCES}"
            )

    def _read_balances(self) -> str:
        """What the invoices of this run carry on, as JSON."""
        if all(model.name != _BALANCES for model in self.models.billing):
            return "[]"
        self.cursor.execute(
            f"select coalesce(jsonb_agg(to_jsonb(b)), '[]')::text from {PREFIX}_billing.{_BALANCES}"
            f" as b where b.carried_units > 0"
        )
        carried: str = self.cursor.fetchone()[0]
        return carried

    def _keep_balances(self, carried: str) -> None:
        kept = f"{PREFIX}_history.{_BALANCES}"
        self.cursor.execute(
            f"insert into {kept} select b.* from jsonb_populate_recordset(null::{kept}, %s) as b",
            (carried,),
        )

    def _make_seed(self, seed: Seed) -> None:
        table = sql.Identifier(seed.schema, seed.name)
        columns = [
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
            for name, kind in zip(seed.columns, seed.types, strict=True)
        ]
        self.cursor.execute(
            sql.SQL("create table {} ({})").format(table, sql.SQL(", ").join(columns))
        )
        if seed.rows:
            row = sql.SQL("({})").format(
                sql.SQL(", ").join(
                    sql.SQL("{}::" + kind).format(sql.Placeholder()) for kind in seed.types
                )
            )
            self.cursor.execute(
                sql.SQL("insert into {} values {}").format(
                    table, sql.SQL(", ").join([row] * len(seed.rows))
                ),
                [value for values in seed.rows for value in values],
            )
        self.cursor.execute(sql.SQL("analyze {}").format(table))

    def _make(self, model: Model, marks: Mapping[str, str]) -> None:
        assert self._cutoff is not None
        relation = sql.Identifier(model.schema, model.name).as_string(self.cursor)
        text = model.sql
        for mark, value in {
            CUTOFF_MARK: self._cutoff.isoformat(),
            FILES_MARK: ",".join(map(str, self.file_ids)),
            ONLY_VERSION_MARK: str(self._only_version or ""),
            **marks,
        }.items():
            text = text.replace(mark, value)
        if _DAYS_MARK.search(text):
            text = _DAYS_MARK.sub(lambda mark: self._days(mark[1]), text)
        if versions := _VERSION_MARK.findall(text):
            needed = {max(versions, key=int), *self._pinned_versions()}
            if self._only_version is not None:
                needed = {str(self._only_version)}
            text = _VERSION_MARK.sub(lambda mark: str(mark[1] in needed).lower(), text)
        # psycopg2 leaves a statement without values alone, percent signs and all.
        if model.is_view:
            barrier = " with (security_barrier = true)" if model.is_barrier else ""
            self.cursor.execute(f"create view {relation}{barrier} as {text}")
            return
        self.cursor.execute(f"create table {relation} as {text}")
        for index in model.indexes:
            unique = "unique " if index.get("unique") else ""
            using = index.get("type") or "btree"
            columns = ", ".join(f'"{column}"' for column in index["columns"])
            self.cursor.execute(f"create {unique}index on {relation} using {using} ({columns})")
        self.cursor.execute(f"analyze {relation}")

    def _pinned_versions(self) -> list[str]:
        """Versions of the rating models that some billing period is pinned to."""
        self.cursor.execute("select distinct rating_version::text from reference.rating_version")
        return [version for (version,) in self.cursor.fetchall()]

    def _days(self, column: str) -> str:
        """The UTC days of this run's usage as literal ranges: literals prune partitions."""
        self.cursor.execute(
            f"select day::text, (day + 1)::text from ("
            f"select distinct (started_at at time zone 'UTC')::date as day "
            f"from {self.prefix}_usage.int_usage__normalised where started_at is not null) as days "
            f"order by 1"
        )
        ranges = [
            f"({column} >= '{day} 00:00:00+00' and {column} < '{following} 00:00:00+00')"
            for day, following in self.cursor.fetchall()
        ]
        return "(" + " or ".join(ranges) + ")" if ranges else "false"


@contextmanager
def dry_run(connection: Connection, models: DryModels) -> Iterator[DryRun]:
    """A transaction in which to land and rate; it is rolled back whatever happens.

    One at a time: they all build in the same schemas, which nobody else ever sees.
    """
    with _rolled_back(connection) as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", (_LOCK_DRY_RUN,))
        yield DryRun(cursor, models)


class _RollBack(Exception):
    """Leaves a transaction without committing it."""


@contextmanager
def _rolled_back(connection: Connection) -> Iterator[Cursor]:
    try:
        with transaction(connection) as cursor:
            yield cursor
            raise _RollBack
    except _RollBack:
        return
