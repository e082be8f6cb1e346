"""Shadow billing runs: a month rated and billed by other models or prices, beside production.

The models are those of a dry run (loaders/runs/dry.py), but built step by step in schemas of their
own and not in one transaction: a month of many millions of records takes its time, and meanwhile
nothing of production may wait. So the shadow reads copies: what counts of the month, and the run,
its work set and proposed reference data, stand in its own schemas. Of the big facts it reads single
partitions, because a reader of the whole table keeps the next month's partition from being made.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from psycopg2 import sql
from psycopg2.extras import Json

from loaders.errors import RatehouseError
from loaders.files.session import transaction
from loaders.reference.kinds import KINDS
from loaders.reference.loading import propose
from loaders.runs import locks
from loaders.runs.dry import (
    BILL_GROUP_MARK,
    DRY_RUN_ID,
    PERIOD_MARK,
    PREFIX,
    DryModels,
    DryRun,
    Model,
)
from loaders.runs.replay import drop_schemas
from loaders.runs.schemas import relation_exists
from loaders.runs.shadow_plan import INVOICES, RATED, SEAMS, Plan

_ROLE = "ratehouse_transformer"
_OWN_SCHEMA = re.compile(rf'"{PREFIX}_(\w+)"')
_OWN_CONTROL = re.compile(
    r'"?\bcontrol"?\."?(rating_run|rating_run_file|rating_run_record|deck_choice)\b"?'
)
# How far a billing period named by a month reaches beyond it: zones, and anchor days.
_EARLIER, _LATER = "1 day", "1 month 2 days"

Say = Callable[[str], None]


class ShadowRefused(RatehouseError):
    """What is asked for cannot be rehearsed."""


@dataclass(frozen=True)
class Scope:
    """The part of production that is rehearsed. No accounts: all of the bill groups."""

    period_month: date
    bill_groups: tuple[str, ...]
    accounts: tuple[str, ...] = ()
    # Only every n-th account, for a quick look.
    every: int = 1

    @property
    def is_part(self) -> bool:
        """Whether only some accounts are looked at; suspense then is not."""
        return bool(self.accounts) or self.every > 1


@dataclass(frozen=True)
class Job:
    """A shadow at work."""

    shadow_run_id: int
    build_schema: str
    is_kept: bool


# -- the register --------------------------------------------------------------------------------


def begin(
    connection: Any,
    scope: Scope,
    *,
    config: Mapping[str, Any],
    base_code: str,
    proposed_code: str,
    requested_by: str,
    is_kept: bool,
) -> Job:
    """Register a shadow and hold the lock of its schemas; clear what a killed one left."""
    _drop_leftovers(connection)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select nextval(pg_get_serial_sequence('control.shadow_run', 'shadow_run_id'))"
        )
        (number,) = cursor.fetchone()
        job = Job(number, f"shadow_{number}", is_kept)
    locks.take_lock(connection, job.build_schema)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            insert into control.shadow_run (
                shadow_run_id, build_schema, status, is_kept, period_month, config, base_code,
                proposed_code, requested_by
            )
            overriding system value
            values (%s, %s, 'running', %s, %s, %s, %s, %s, %s)
            """,
            (
                number, job.build_schema, is_kept, scope.period_month, Json(dict(config)),
                base_code, proposed_code, requested_by,
            ),
        )  # fmt: skip
    return job


def _drop_leftovers(connection: Any) -> None:
    """Those of killed shadows, and of kept ones once the next begins; others at work stay."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            select s.shadow_run_id, s.build_schema, s.status
            from control.shadow_run as s
            where s.status = 'running' or exists (
                select from pg_catalog.pg_namespace as n
                where starts_with(n.nspname::text, s.build_schema || '_')
            )
            order by 1
            """
        )
        found = cursor.fetchall()
    for number, build_schema, status in found:
        try:
            locks.take_lock(connection, build_schema)
        except RatehouseError:
            continue
        try:
            drop_schemas(connection, build_schema)
            if status == "running":
                _end(connection, number, "failed", {"failure": "killed"})
        finally:
            locks.release_lock(connection, build_schema)


def end(connection: Any, job: Job, status: str, result: Mapping[str, Any]) -> None:
    """Keep the verdict and what led to it; drop the schemas unless they are kept."""
    _end(connection, job.shadow_run_id, status, result)
    if not job.is_kept:
        drop_schemas(connection, job.build_schema)
    locks.release_lock(connection, job.build_schema)


def fail(connection: Any, job: Job, failure: str) -> None:
    """Say why it ended early, and drop the schemas."""
    if connection.closed:
        return
    connection.rollback()
    end(connection, replace(job, is_kept=False), "failed", {"failure": failure})


def _end(connection: Any, number: int, status: str, result: Mapping[str, Any]) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "update control.shadow_run set status = %s, ended_at = clock_timestamp(), result = %s "
            "where shadow_run_id = %s",
            (status, Json(dict(result)), number),
        )


# -- proposed reference data ---------------------------------------------------------------------


@dataclass
class Proposal:
    """Reference tables as they would be: their whole content, outside the database meanwhile."""

    said: list[str] = field(default_factory=list)
    tables: dict[str, Any] = field(default_factory=dict)


class _RollBack(Exception):
    """Leaves a transaction without committing it."""


def propose_reference(
    connection: Any, files: Sequence[tuple[str, Path]], *, full: bool
) -> Proposal:
    """Load files as a real load would, take along the tables they change, and roll it back."""
    proposal = Proposal()
    ordered = sorted(files, key=lambda f: list(KINDS).index(f[0]) if f[0] in KINDS else -1)
    if not ordered:
        return proposal
    try:
        with transaction(connection) as cursor:
            cursor.execute("set local role ratehouse_loader")
            cursor.execute("set local lock_timeout = '30s'")
            for kind, path in ordered:
                added, changed, ended = propose(cursor, kind, path, full=full)
                proposal.said.append(
                    f"{path.name}: {added:,} {kind} row(s) added, {changed:,} changed, "
                    f"{ended:,} ended."
                )
            cursor.execute(
                "select relname from pg_catalog.pg_class "
                "where relnamespace = 'reference'::regnamespace and relkind = 'r' order by 1"
            )
            for (table,) in cursor.fetchall():
                # Rows this very transaction wrote are not older than it.
                cursor.execute(
                    sql.SQL(
                        "select exists (select from reference.{} as t "
                        "where age(t.xmin) <= age(pg_current_xact_id()::xid))"
                    ).format(sql.Identifier(table))
                )
                if not cursor.fetchone()[0]:
                    continue
                # The file lives as long as the proposal.
                content = tempfile.TemporaryFile()  # noqa: SIM115
                query = sql.SQL("copy (select * from reference.{}) to stdout")
                cursor.copy_expert(query.format(sql.Identifier(table)), content)
                proposal.tables[table] = content
            raise _RollBack
    except _RollBack:
        return proposal


# -- the shadow itself ---------------------------------------------------------------------------


def known_when(connection: Any, period_month: date) -> datetime | None:
    """Up to when production knew its reference data when it last rated usage of the month."""
    with connection, connection.cursor() as cursor:
        if not relation_exists(cursor, "", "rating", "usage_total"):
            return None
        cursor.execute(
            """
            select max(r.reference_cutoff) from control.rating_run as r
            where r.build_schema = '' and r.status = 'closed' and r.rating_run_id in (
                select u.rating_run_id from rating.usage_total as u where u.period_month = %(month)s
                union all
                select c.rating_run_id from rating.charge_total as c
                where c.period_month = %(month)s
            )
            """,
            {"month": period_month},
        )
        return cursor.fetchone()[0]


@dataclass
class Shadow(DryRun):
    """Builds the models of a plan in schemas of its own, each step by itself."""

    scope: Scope = field(default_factory=lambda: Scope(date.min, ()))
    plan: Plan | None = None
    # All models, for the version that counts.
    chain: DryModels = field(default_factory=lambda: DryModels((), ()))
    reference_tables: tuple[str, ...] = ()
    say: Say = print

    def run_sql(self, text: str, values: Mapping[str, Any] | None = None) -> None:
        """Our own SQL; `{p}` stands for the prefix of the schemas."""
        self.cursor.execute(text.replace("{p}", self.prefix), values)

    def ask(self, text: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Rows of our own SQL."""
        self.run_sql(text, values)
        return self.cursor.fetchall()

    def prepare(self, proposal: Proposal, cutoff: datetime) -> None:
        """Schemas, the run and its work set, what counts of the month, and proposed tables."""
        self._cutoff = cutoff
        parts = (*self.models.models, *self.models.billing, *self.models.comparison)
        schemas = {model.schema for model in parts} | {seed.schema for seed in self.models.seeds}
        own = ("control", "history", "reference", "result", "rating")
        for schema in sorted(schemas | {f"{self.prefix}_{layer}" for layer in own}):
            self.cursor.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
        self._take_reference(proposal)
        self._choose_accounts()
        self._copy_history()
        self._make_run()

    def _take_reference(self, proposal: Proposal) -> None:
        for table, content in proposal.tables.items():
            own = f"{self.prefix}_reference"
            self.run_sql(
                f'create table "{own}"."{table}" (like reference."{table}" including indexes)'
            )
            content.seek(0)
            self.cursor.copy_expert(f'copy "{own}"."{table}" from stdin', content)
            self.run_sql(f'analyze "{own}"."{table}"')

    def _choose_accounts(self) -> None:
        scope = self.scope
        self.run_sql(
            """
            create table {p}_control.account as
            select distinct on (a.account_id)
                a.account_id, k.account_code, a.customer_name, a.bill_group
            from reference.account as a
            inner join reference.account_key as k on a.account_id = k.account_id
            where a.recorded_to = 'infinity'
                and (cardinality(%(accounts)s::text[]) = 0 or k.account_code = any(%(accounts)s))
                and (a.account_id <> 0 and a.account_id %% %(every)s = 0 or not %(is_part)s)
            order by a.account_id, a.valid_from desc
            """,
            {
                "accounts": list(scope.accounts), "every": scope.every, "is_part": scope.is_part,
            },
        )  # fmt: skip
        self.run_sql(
            "delete from {p}_control.account where account_id <> 0 "
            "and not bill_group = any(%(groups)s)",
            {"groups": list(scope.bill_groups)},
        )

    def _copy_history(self) -> None:
        """What counts of the month, from its own partitions."""
        first = self.scope.period_month
        values = {"month": first}
        self.run_sql("select 1")
        names = self.ask(
            """
            select format('select * from %%s', i.inhrelid::regclass)
            from pg_catalog.pg_inherits as i
            where i.inhparent = 'rating.rated_usage'::regclass and (
                i.inhrelid::regclass::text ~ '_undated$'
                or right(i.inhrelid::regclass::text, 6) in (
                    to_char(%(month)s::date - interval '1 month', 'YYYYMM'),
                    to_char(%(month)s::date, 'YYYYMM'),
                    to_char(%(month)s::date + interval '1 month', 'YYYYMM')
                )
            )
            order by 1
            """,
            values,
        )
        self.run_sql(
            "create view {p}_history.rated_usage as " + " union all ".join(n[0] for n in names)
        )
        self.run_sql("create view {p}_history.rated_charge as select * from rating.rated_charge")
        # The model that says which versions count, on these partitions.
        counts = next(m for m in self.chain.billing if m.name == "current_rated_usage").sql
        counts = counts.replace(
            f'"{PREFIX}_rating"."rated_usage"', f'"{self.prefix}_history"."rated_usage"'
        ).replace(f'"{PREFIX}_rating"."usage_supersession"', '"rating"."usage_supersession"')
        self.run_sql(
            "create view {p}_history.counting_usage as select c.* from ("
            + counts
            + f"""
            ) as c
            where c.started_at is null
                or (c.started_at >= '{first}'::timestamp at time zone 'UTC' - interval '{_EARLIER}'
                    and c.started_at < '{first}'::timestamp at time zone 'UTC'
                        + interval '{_LATER}')
            """
        )
        self.run_sql(
            """
            create table {p}_control.line as
            select distinct c.file_id, c.line_no from {p}_history.counting_usage as c
            inner join {p}_control.account as a on c.account_id = a.account_id
            where c.period_month = %(month)s
            """
            if self.plan is None or self.plan.rates_usage
            else "create table {p}_control.line (file_id bigint, line_no bigint)",
            values,
        )
        if self.plan is not None and self.plan.rates_usage and not self.scope.is_part:
            # Records without a readable time belong to no month: those of the same files.
            self.run_sql(
                """
                insert into {p}_control.line
                select distinct c.file_id, c.line_no from {p}_history.counting_usage as c
                where c.period_month is null
                    and c.file_id in (select l.file_id from {p}_control.line as l)
                """
            )
        self.run_sql("analyze {p}_control.line")
        self.run_sql(
            """
            create table {p}_history.current_rated_usage as
            select c.* from {p}_history.counting_usage as c
            inner join {p}_control.line as l on c.file_id = l.file_id and c.line_no = l.line_no
            """
        )
        self.run_sql("analyze {p}_history.current_rated_usage")
        self.run_sql(
            """
            create table {p}_history.current_rated_charge as
            select c.* from rating.current_rated_charge as c
            inner join {p}_control.account as a on c.account_id = a.account_id
            where c.period_month = %(month)s and %(rates)s
            """,
            {**values, "rates": self.plan is not None and self.plan.rates_charges},
        )

    def _make_run(self) -> None:
        """The run and its work set, as the models look for them."""
        self.run_sql(
            """
            create table {p}_control.rating_run_record as
            select %(run)s::bigint as rating_run_id, w.file_id, w.line_no from (
                select l.file_id, l.line_no from {p}_control.line as l
                union
                select c.file_id, c.line_no from {p}_history.current_rated_charge as c
            ) as w
            """,
            {"run": DRY_RUN_ID},
        )
        self.run_sql("create index on {p}_control.rating_run_record (file_id, line_no)")
        self.run_sql("analyze {p}_control.rating_run_record")
        for table in ("rating_run", "rating_run_file"):
            self.run_sql(f"create table {{p}}_control.own_{table} (like control.{table})")
        self.run_sql(
            """
            insert into {p}_control.own_rating_run (
                rating_run_id, run_kind, build_schema, status, config, requested_by,
                reference_cutoff, attempt, run_token, opened_at
            )
            values (
                %(run)s, 'shadow', '', 'running', '{}', session_user, %(cutoff)s, 1,
                gen_random_uuid(), clock_timestamp()
            )
            """,
            {"run": DRY_RUN_ID, "cutoff": self._cutoff},
        )
        self.run_sql(
            """
            insert into {p}_control.own_rating_run_file
                (rating_run_id, file_id, build_schema, is_initial, is_withdrawal)
            select distinct %(run)s::bigint, w.file_id, '', false, false
            from {p}_control.rating_run_record as w
            """,
            {"run": DRY_RUN_ID},
        )
        for table in ("rating_run", "rating_run_file"):
            self.run_sql(
                f"create view {{p}}_control.{table} as "
                f"select * from control.{table} where build_schema = '' "
                f"union all select * from {{p}}_control.own_{table}"
            )
        # A deck that was chosen for the run whose version counts stays chosen.
        columns = "file_id, line_no, leg_no, retail_deck_id, cost_deck_id"
        chosen = ", ".join(f"d.{name}" for name in columns.split(", "))
        self.run_sql(
            f"""
            create table {{p}}_control.deck_choice as
            select %(run)s::bigint as rating_run_id, {chosen}
            from control.deck_choice as d
            inner join {{p}}_history.current_rated_usage as c
                on d.rating_run_id = c.rating_run_id and d.file_id = c.file_id
                and d.line_no = c.line_no and d.leg_no = c.leg_no
            """,
            {"run": DRY_RUN_ID},
        )
        self.file_ids = [
            row[0]
            for row in self.ask(
                "select distinct file_id from {p}_control.own_rating_run_file order by 1"
            )
        ]

    def rate_month(self) -> None:
        """Rate the work set, and set it beside what counts."""
        for seed in self.models.seeds:
            self._make_seed(seed)
        for model in self.models.models:
            self._make(model, {})
            if not model.is_view:
                self.say(f"  {model.name} built")
        self.run_sql("update {p}_control.own_rating_run set status = 'closed'")
        self._join_seams()
        if self.plan is not None and self.plan.rates_usage:
            for model in self.models.comparison:
                self._make(model, {})
            self.run_sql(
                """
                create table {p}_result.usage_change as
                select c.* from {p}_marts.rpt_rerated_usage as c
                where c.rating_run_id = %(run)s
                    and (c.is_changed or c.older_reason is distinct from c.newer_reason)
                """,
                {"run": DRY_RUN_ID},
            )
            self.run_sql("analyze {p}_result.usage_change")
        if self.plan is not None and self.plan.rates_charges:
            self.run_sql(_CHARGE_CHANGE, {"run": DRY_RUN_ID})

    def _join_seams(self) -> None:
        """What the invoices read: the shadow's month, and production's other months."""
        for fact in ("usage", "charge"):
            is_rated = self._rates(f"rated_{fact}")
            for seam in (f"current_rated_{fact}", f"{fact}_total"):
                own = f"rated_{fact}" if seam.startswith("current") else f"{fact}_total"
                theirs = f"rating.{seam}"
                if seam == "current_rated_usage" and not self._reads_other_months():
                    theirs = f"{self.prefix}_history.counting_usage"
                if not is_rated:
                    self.run_sql(f"create view {{p}}_rating.{seam} as select * from {theirs}")
                    continue
                if own == seam:
                    self.run_sql(f"alter table {{p}}_rating.{seam} rename to own_{seam}")
                    own = f"own_{seam}"
                self.run_sql(
                    f"create view {{p}}_rating.{seam} as "
                    + self._union(f"{self.prefix}_rating.{own}", theirs)
                )

    def _reads_other_months(self) -> bool:
        """Whether an invoice may count usage of earlier months: years of it lie in one fact."""
        tables = [
            f"{self.prefix}_reference.{name}"
            if name in self.reference_tables
            else f"reference.{name}"
            for name in ("volume_price", "spend_limit")
        ]
        return any(self.ask(f"select exists (select from {name})")[0][0] for name in tables)

    def _rates(self, name: str) -> bool:
        return any(model.name == name for model in self.models.models)

    def _union(self, own: str, theirs: str) -> str:
        columns = [
            self.ask(
                "select array_agg(a.attname::text order by a.attnum), "
                "array_agg(format_type(a.atttypid, a.atttypmod) order by a.attnum) "
                "from pg_catalog.pg_attribute as a where a.attrelid = %(relation)s::regclass "
                "and a.attnum > 0 and not a.attisdropped",
                {"relation": relation},
            )[0]
            for relation in (own, theirs)
        ]
        (names, types), (present, _) = columns
        other = ", ".join(
            f't."{name}"' if name in present else f'null::{kind} as "{name}"'
            for name, kind in zip(names, types, strict=True)
        )
        mine = ", ".join(f'o."{name}"' for name in names)
        return (
            f"select {mine} from {own} as o union all select {other} from {theirs} as t "
            f"where t.period_month <> '{self.scope.period_month}'"
        )

    def bill(self, bill_group: str) -> None:
        """Draft the invoices of a bill group, and keep their lines."""
        marks = {
            PERIOD_MARK: self.scope.period_month.isoformat(), BILL_GROUP_MARK: bill_group,
        }  # fmt: skip
        made: list[Model] = []
        for model in self.models.billing:
            self._make(self._only_chosen(model), marks)
            made.append(model)
        for name in INVOICES:
            kept = f"{{p}}_result.shadow_{name}"
            made_of = f"select i.* from {{p}}_billing.{name} as i"
            self.run_sql(f"create table if not exists {kept} as {made_of} where false")
            self.run_sql(f"insert into {kept} {made_of}")
        for model in reversed(made):
            kind = "view" if model.is_view else "table"
            self.run_sql(f'drop {kind} "{model.schema}"."{model.name}"')

    def _only_chosen(self, model: Model) -> Model:
        if model.name != "int_billing__accounts" or not self.scope.is_part:
            return model
        return replace(
            model,
            sql=f"select chosen.* from ({model.sql}\n) as chosen where chosen.account_id in "
            f"(select a.account_id from {self.prefix}_control.account as a)",
        )

    def take_balances(self) -> None:
        """Allowances carried on from production's drafts of earlier months, as of this run."""
        self.run_sql(
            """
            create table {p}_history.allowance_balance as
            select b.* from billing.allowance_balance as b
            inner join control.invoice_run as r on b.invoice_run_id = r.invoice_run_id
            where r.build_schema = '' and r.is_current and r.drafted_at is not null
                and r.status <> 'failed' and b.period_month < %(month)s
            """,
            {"month": self.scope.period_month},
        )
        self.run_sql(
            "update {p}_history.allowance_balance set invoice_run_id = %(run)s",
            {"run": DRY_RUN_ID},
        )

    def take_production_invoices(self) -> list[tuple[Any, ...]]:
        """The current drafts or posted invoices of the month; which groups have them."""
        for name in INVOICES:
            self.run_sql(
                f"""
                create table {{p}}_result.production_{name} as
                select l.* from billing.{name} as l
                inner join control.invoice_run as r on l.invoice_run_id = r.invoice_run_id
                inner join {{p}}_control.account as a on l.account_id = a.account_id
                where r.build_schema = '' and r.is_current and r.drafted_at is not null
                    and r.status <> 'failed' and r.period_month = %(month)s
                    and r.bill_group = any(%(groups)s)
                """,
                {"month": self.scope.period_month, "groups": list(self.scope.bill_groups)},
            )
        return self.ask(
            """
            select r.bill_group, r.status, r.stale_since is not null or exists (
                select from control.rating_run as later
                where later.build_schema = '' and later.status = 'closed'
                    and later.closed_at > r.drafted_at
            )
            from control.invoice_run as r
            where r.build_schema = '' and r.is_current and r.drafted_at is not null
                and r.status <> 'failed' and r.period_month = %(month)s
                and r.bill_group = any(%(groups)s)
            """,
            {"month": self.scope.period_month, "groups": list(self.scope.bill_groups)},
        )


_CHARGE_CHANGE = """
    create table {p}_result.charge_change as
    with older as (select * from {p}_history.current_rated_charge),
    newer as (select * from {p}_rating.rated_charge where rating_run_id = %(run)s)
    select
        coalesce(n.charge_id, o.charge_id) as charge_id, coalesce(n.file_id, o.file_id) as file_id,
        coalesce(n.line_no, o.line_no) as line_no,
        o.account_id as older_account_id, n.account_id as newer_account_id,
        o.state as older_state, n.state as newer_state,
        o.reason as older_reason, n.reason as newer_reason,
        coalesce(n.product_code, o.product_code) as product_code,
        coalesce(n.charge_class, o.charge_class) as charge_class,
        o.charge_amount as older_amount, n.charge_amount as newer_amount,
        o.currency_code as older_currency_code, n.currency_code as newer_currency_code,
        o.cost_amount as older_cost_amount, n.cost_amount as newer_cost_amount
    from older as o
    full join newer as n on o.charge_id = n.charge_id
    where (
        o.account_id, o.state, o.reason, o.charge_amount, o.currency_code, o.cost_amount,
        o.product_code, o.charge_class, o.period_month
    ) is distinct from (
        n.account_id, n.state, n.reason, n.charge_amount, n.currency_code, n.cost_amount,
        n.product_code, n.charge_class, n.period_month
    )
"""


def shadow_models(dry: DryModels, plan: Plan, prefix: str, reference: Sequence[str]) -> DryModels:
    """The models of a plan with the shadow's own names in their SQL."""

    def named(model: Model) -> Model:
        return replace(
            model, schema=_layer(model.schema, prefix), sql=own_names(model.sql, prefix, reference)
        )

    return DryModels(
        tuple(replace(seed, schema=_layer(seed.schema, prefix)) for seed in dry.seeds),
        tuple(named(model) for model in plan.rating),
        tuple(named(model) for model in plan.billing),
        tuple(named(model) for model in dry.comparison),
    )


def own_names(text: str, prefix: str, reference: Sequence[str]) -> str:
    """SQL that reads the shadow's schemas, run, work set and proposed tables."""
    text = _OWN_SCHEMA.sub(rf'"{prefix}_\1"', text)
    text = _OWN_CONTROL.sub(rf'"{prefix}_control"."\1"', text)
    if reference:
        names = "|".join(map(re.escape, sorted(reference, key=len, reverse=True)))
        text = re.sub(rf'"?\breference"?\."?({names})\b"?', rf'"{prefix}_reference"."\1"', text)
    return text


def _layer(schema: str, prefix: str) -> str:
    return f"{prefix}_{schema.removeprefix(f'{PREFIX}_')}"


__all__ = [
    "RATED", "SEAMS", "Job", "Proposal", "Scope", "Shadow", "ShadowRefused", "begin", "end",
    "fail", "known_when", "own_names", "propose_reference", "shadow_models",
]  # fmt: skip
