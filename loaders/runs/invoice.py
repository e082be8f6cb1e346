"""Invoice runs: one per period and bill group, a draft that may be rebuilt until it is approved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg2 import sql
from psycopg2.extras import Json

from loaders.errors import RatehouseError
from loaders.events import record_event
from loaders.runs import locks
from loaders.runs.errors import InvoiceRunRefused, RunAbandoned
from loaders.runs.rating import fix_reference_cutoff
from loaders.runs.schemas import build_relation

_PERIOD = re.compile(r"(\d{4})-(\d{2})(?:-01)?")


@dataclass(frozen=True)
class InvoiceRun:
    """One building of one draft, as the caller that holds the lock sees it."""

    invoice_run_id: int
    build_schema: str
    period_month: date
    bill_group: str
    run_token: str
    is_first_draft: bool
    earlier_checksum: str | None
    requested_by: str
    holds_own_lock: bool = True
    round_no: int = 1

    def environment(self) -> dict[str, str]:
        """What the dbt process of this draft must carry."""
        return {
            "RATEHOUSE_INVOICE_RUN_TOKEN": self.run_token,
            "RATEHOUSE_APPLICATION_NAME": locks.dbt_application_name(self.build_schema),
        }

    def describe(self) -> str:
        """One line for progress and logs."""
        return (
            f"invoice run {self.invoice_run_id}: draft of {self.period_month:%Y-%m}, "
            f"bill group {self.bill_group}"
            + (f", round {self.round_no} (adjustments)" if self.round_no > 1 else "")
        )


@dataclass(frozen=True)
class DraftResult:
    """What a draft came to, and whether it says anything else than the one before."""

    invoice_run_id: int
    bill_group: str
    control_totals: Mapping[str, Any]
    content_checksum: str
    is_first_draft: bool
    is_changed: bool


def parse_period(text: str) -> date:
    """`2026-10` as the first day of that month."""
    match = _PERIOD.fullmatch(text.strip())
    if match is None or not 1 <= int(match[2]) <= 12:
        raise RatehouseError(f"'{text}' is not a billing period; write it as 2026-10")
    return date(int(match[1]), int(match[2]), 1)


def bill_groups(connection: Any) -> list[str]:
    """Every bill group that an account belongs to as known now; suspense has none."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            select distinct bill_group from reference.account
            where account_id <> 0 and recorded_to = 'infinity'
            order by bill_group
            """
        )
        return [row[0] for row in cursor.fetchall()]


def choose_bill_groups(connection: Any, bill_group: str) -> list[str]:
    """The groups to draft: the one named, or each of them for `all`."""
    known = bill_groups(connection)
    if bill_group == "all" and known:
        return known
    if bill_group not in known:
        if not known:
            raise RatehouseError("there are no accounts to bill: load the reference data first")
        raise RatehouseError(
            f"no account belongs to bill group '{bill_group}' (known: {', '.join(known)})"
        )
    return [bill_group]


def open_invoice_run(
    connection: Any,
    period_month: date,
    bill_group: str,
    *,
    requested_by: str,
    code_commit: str,
    orchestrator_run_id: str | None = None,
    build_schema: str = "",
) -> InvoiceRun:
    """Begin (again) the draft of a period and bill group.

    The run row of a period and group is one, however often it is drafted. A building that was
    killed is simply begun again: its token is stale and its dbt sessions are ended.
    """
    took_lock = locks.take_lock(connection, build_schema)
    try:
        locks.end_abandoned_dbt_sessions(connection, build_schema)
        return _begin(
            connection,
            period_month,
            bill_group,
            requested_by,
            code_commit,
            orchestrator_run_id,
            build_schema,
            took_lock,
        )
    except BaseException:
        _release(connection, build_schema, took_lock)
        raise


def _begin(
    connection: Any,
    period_month: date,
    bill_group: str,
    requested_by: str,
    code_commit: str,
    orchestrator_run_id: str | None,
    build_schema: str,
    took_lock: bool,
) -> InvoiceRun:
    with connection, connection.cursor() as cursor:
        cutoff = fix_reference_cutoff(cursor)
        cursor.execute(
            "select exists (select from control.rating_run "
            "where status in ('running', 'queued') and build_schema = %s)",
            (build_schema,),
        )
        if cursor.fetchone()[0]:
            raise InvoiceRunRefused(
                "a rating run waits, or was killed half way and is not finished: finish it first "
                "(ratehouse rate), then draft"
            )
        # A killed building of another group may still stand; the lock says that nobody is at it.
        cursor.execute(
            "update control.invoice_run set is_building = false "
            "where is_building and build_schema = %s",
            (build_schema,),
        )
        cursor.execute(
            """
            insert into control.invoice_run as r (
                build_schema, period_month, bill_group, status, reference_cutoff, code_commit,
                orchestrator_run_id, is_building, round_no, is_current
            )
            select %(build_schema)s, %(period_month)s, %(bill_group)s, 'draft', %(cutoff)s,
                %(code_commit)s, %(orchestrator_run_id)s, true, coalesce(max(p.round_no), 0) + 1,
                -- beside a posted round it becomes the current one when it is drafted
                count(*) = 0
            from control.invoice_run as p
            where p.build_schema = %(build_schema)s and p.period_month = %(period_month)s
                and p.bill_group = %(bill_group)s and p.status = 'posted'
            on conflict (build_schema, period_month, bill_group) where status <> 'posted' do update
            set status = 'draft', reference_cutoff = excluded.reference_cutoff,
                code_commit = excluded.code_commit,
                orchestrator_run_id = excluded.orchestrator_run_id,
                run_token = gen_random_uuid(), is_building = true,
                opened_at = clock_timestamp(), drafted_at = null, stale_since = null,
                stale_reason = null
            where r.status in ('draft', 'failed')
            returning invoice_run_id, run_token::text, control_totals ->> 'content_checksum',
                round_no
            """,
            {
                "build_schema": build_schema,
                "period_month": period_month,
                "bill_group": bill_group,
                "cutoff": cutoff,
                "code_commit": code_commit,
                "orchestrator_run_id": orchestrator_run_id,
            },
        )
        row = cursor.fetchone()
        if row is None:
            cursor.execute(
                "select invoice_run_id, status from control.invoice_run "
                "where build_schema = %s and period_month = %s and bill_group = %s "
                "and status <> 'posted'",
                (build_schema, period_month, bill_group),
            )
            run_id, status = cursor.fetchone()
            raise InvoiceRunRefused(
                f"the invoices of {period_month:%Y-%m}, bill group {bill_group}, are {status} "
                f"(invoice run {run_id}): they are not drafted again. Post them, or take the "
                f"approval back: ratehouse reopen {period_month:%Y-%m} --bill-group {bill_group}"
            )
        run = InvoiceRun(
            invoice_run_id=row[0],
            build_schema=build_schema,
            period_month=period_month,
            bill_group=bill_group,
            run_token=row[1],
            is_first_draft=row[2] is None,
            earlier_checksum=row[2],
            requested_by=requested_by,
            holds_own_lock=took_lock,
            round_no=row[3],
        )
        _require_open_period(cursor, period_month, bill_group, run.round_no)
        if run.round_no > 1:
            # Until the new round is drafted, what is posted is what the period comes to.
            _set_current(cursor, run, run.round_no - 1)
        record_event(
            cursor,
            "invoice_run",
            run.invoice_run_id,
            "drafting",
            {
                "period_month": period_month.isoformat(),
                "bill_group": bill_group,
                "round_no": run.round_no,
                "code_commit": code_commit,
                "orchestrator_run_id": orchestrator_run_id,
            },
            requested_by,
        )
        return run


def _require_open_period(cursor: Any, period_month: date, bill_group: str, round_no: int) -> None:
    """Refuse first invoices of a closed period; later rounds bill what came late."""
    cursor.execute(
        "select closed_by, to_char(closed_at at time zone 'UTC', 'YYYY-MM-DD') "
        "from control.closed_period where period_month = %s and bill_group = %s",
        (period_month, bill_group),
    )
    row = cursor.fetchone()
    if row is not None and round_no == 1:
        raise InvoiceRunRefused(
            f"{period_month:%Y-%m}, bill group {bill_group}, was closed by {row[0]} on {row[1]} "
            "without invoices: it is not billed any more"
        )


def _release(connection: Any, build_schema: str, took_lock: bool) -> None:
    if took_lock and not connection.closed:
        locks.release_lock(connection, build_schema)


# The run's own id and token are no content: the same draft made twice has the same checksum.
_CONTENT = """
    select
        (select count(*) from {invoice} as i where i.invoice_run_id = %(run_id)s),
        (select count(*) from {line} as l where l.invoice_run_id = %(run_id)s),
        (
            select coalesce(jsonb_object_agg(t.currency_code, t.invoice_total), '{{}}'::jsonb)
            from (
                select i.currency_code, round(
                    sum(i.invoice_total), greatest(scale(trim_scale(sum(i.invoice_total))), 2)
                )::text as invoice_total
                from {invoice} as i
                where i.invoice_run_id = %(run_id)s
                group by i.currency_code
            ) as t
        ),
        (
            select coalesce(jsonb_object_agg(t.hold_reason, t.invoices), '{{}}'::jsonb)
            from (
                select i.hold_reason, count(*) as invoices
                from {invoice} as i
                where i.invoice_run_id = %(run_id)s and i.hold_reason is not null
                group by i.hold_reason
            ) as t
        ),
        (
            select count(*)
            from {invoice} as i
            where i.invoice_run_id = %(run_id)s
                and i.invoice_total <> (
                    select coalesce(sum(l.line_amount), 0) from {line} as l
                    where l.invoice_run_id = i.invoice_run_id and l.account_id = i.account_id
                        and l.currency_code = i.currency_code
                )
        ),
        md5(
            coalesce((
                select string_agg(
                    md5((to_jsonb(i) - 'invoice_run_id')::text), ''
                    order by i.account_id, i.currency_code
                )
                from {invoice} as i where i.invoice_run_id = %(run_id)s
            ), '') || '/' || coalesce((
                select string_agg(
                    md5((to_jsonb(l) - 'invoice_run_id')::text), ''
                    order by l.account_id, l.currency_code, l.line_no
                )
                from {line} as l where l.invoice_run_id = %(run_id)s
            ), '')
        )
"""


def draft_checksum(cursor: Any, invoice_run_id: int) -> str:
    """Checksum of a production draft as its rows stand now."""
    cursor.execute(
        sql.SQL(_CONTENT).format(
            invoice=build_relation("", "billing", "draft_invoice"),
            line=build_relation("", "billing", "draft_invoice_line"),
        ),
        {"run_id": invoice_run_id},
    )
    return cursor.fetchone()[-1]


def close_invoice_run(connection: Any, run: InvoiceRun) -> DraftResult:
    """Keep what the draft came to, and say whether it differs from the one before."""
    try:
        with connection, connection.cursor() as cursor:
            _require_own(cursor, run)
            cursor.execute(
                sql.SQL(_CONTENT).format(
                    invoice=build_relation(run.build_schema, "billing", "draft_invoice"),
                    line=build_relation(run.build_schema, "billing", "draft_invoice_line"),
                ),
                {"run_id": run.invoice_run_id},
            )
            invoices, lines, totals, held, unequal, checksum = cursor.fetchone()
            problem = (
                f"invoice run {run.invoice_run_id}: the total of {unequal} invoice(s) is not the "
                "sum of their lines; the draft does not count"
                if unequal
                else None
            )
            is_changed = checksum != run.earlier_checksum
            control_totals = {
                "invoices": invoices,
                "lines": lines,
                "invoice_total": totals,
                "held": held,
                "content_checksum": checksum,
            }
            cursor.execute(
                """
                update control.invoice_run
                set is_building = false, control_totals = %(totals)s,
                    status = case when %(failed)s then 'failed' else status end,
                    drafted_at = case when %(failed)s then null else clock_timestamp() end,
                    rating_runs = array(
                        select r.rating_run_id from control.rating_run as r
                        where r.build_schema = %(build_schema)s and r.status = 'closed'
                        order by r.rating_run_id
                    )
                where invoice_run_id = %(run_id)s
                """,
                {
                    "totals": Json(control_totals),
                    "failed": bool(unequal),
                    "build_schema": run.build_schema,
                    "run_id": run.invoice_run_id,
                },
            )
            if not unequal:
                _set_current(cursor, run, run.round_no)
                if is_changed:
                    _mark_later_drafts_stale(cursor, run)
            record_event(
                cursor,
                "invoice_run",
                run.invoice_run_id,
                "failed" if unequal else "drafted",
                {**control_totals, "is_changed": is_changed, "failure": problem},
                run.requested_by,
            )
    finally:
        _release(connection, run.build_schema, run.holds_own_lock)
    if problem is not None:
        raise RatehouseError(problem)
    return DraftResult(
        invoice_run_id=run.invoice_run_id,
        bill_group=run.bill_group,
        control_totals=control_totals,
        content_checksum=checksum,
        is_first_draft=run.is_first_draft,
        is_changed=is_changed,
    )


def _set_current(cursor: Any, run: InvoiceRun, round_no: int) -> None:
    # First the one that goes: only one may be current at any time.
    for is_current in (False, True):
        cursor.execute(
            "update control.invoice_run set is_current = %(is_current)s "
            "where build_schema = %(build_schema)s and period_month = %(period_month)s "
            "and bill_group = %(bill_group)s and is_current <> %(is_current)s "
            "and (round_no = %(round_no)s) = %(is_current)s",
            {
                "is_current": is_current,
                "build_schema": run.build_schema,
                "period_month": run.period_month,
                "bill_group": run.bill_group,
                "round_no": round_no,
            },
        )


def _mark_later_drafts_stale(cursor: Any, run: InvoiceRun) -> None:
    """Allowances that roll over and counters of longer periods go on from the earlier invoice."""
    cursor.execute(
        """
        update control.invoice_run
        set stale_since = clock_timestamp(), stale_reason = %(why)s
        where build_schema = %(build_schema)s and bill_group = %(bill_group)s
            and period_month > %(period_month)s and status in ('draft', 'approved')
            and drafted_at is not null and stale_since is null
        """,
        {
            "why": f"the draft of {run.period_month:%Y-%m} before it was made again and changed",
            "build_schema": run.build_schema,
            "bill_group": run.bill_group,
            "period_month": run.period_month,
        },
    )


def fail_invoice_run(connection: Any, run: InvoiceRun, failure: str) -> None:
    """Put the draft down with the reason; drafting it again starts afresh."""
    try:
        with connection, connection.cursor() as cursor:
            _require_own(cursor, run)
            cursor.execute(
                "update control.invoice_run set status = 'failed', is_building = false "
                "where invoice_run_id = %s",
                (run.invoice_run_id,),
            )
            record_event(
                cursor,
                "invoice_run",
                run.invoice_run_id,
                "failed",
                {"failure": failure},
                run.requested_by,
            )
    finally:
        _release(connection, run.build_schema, run.holds_own_lock)


def _require_own(cursor: Any, run: InvoiceRun) -> None:
    cursor.execute(
        "select is_building, run_token::text from control.invoice_run "
        "where invoice_run_id = %s for update",
        (run.invoice_run_id,),
    )
    is_building, token = cursor.fetchone()
    if not is_building or token != run.run_token:
        raise RunAbandoned(
            f"invoice run {run.invoice_run_id} is no longer this process's: another one has begun "
            "the draft again. Nothing was changed"
        )
