"""What withdrawing a file touches: its records, what repeats them, drafts, invoices in the way.

A withdrawal is a run that rates nothing and replaces every row of the file by nothing. It has no
rows of its own, so that undoing it is exact. What else must change is rated by a run of its own:
records that were left out as repeats of the file are rated behind it, and the run that takes a
withdrawal back makes them repeats again before the withdrawal is undone in the same moment.
See docs/decisions/0015-withdrawal-is-a-run.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from psycopg2 import errors as pg_errors
from psycopg2 import sql
from psycopg2.extras import Json

from loaders.errors import RatehouseError
from loaders.events import record_event
from loaders.runs.schemas import build_relation, relation_exists

if TYPE_CHECKING:
    from loaders.runs.rating import RatingRun

# The config of a run that rates records whose original was withdrawn.
REPEATS_OF = "repeats_of_withdrawn"


class WithdrawalRefused(RatehouseError):
    """The file may not be withdrawn, or taken back, as things stand."""


def relations(build_schema: str) -> dict[str, sql.Composable]:
    """What the queries here read."""
    rating = (
        "rated_usage", "rated_charge", "current_rated_usage", "current_rated_charge",
        "usage_supersession", "charge_supersession", "usage_total", "charge_total",
    )  # fmt: skip
    return {
        **{name: build_relation(build_schema, "rating", name) for name in rating},
        "draft_invoice": build_relation(build_schema, "billing", "draft_invoice"),
        "schema": sql.Literal(build_schema),
    }


def execute(
    cursor: Any, build_schema: str, query: str, values: Mapping[str, Any] | None = None
) -> None:
    """Run a query over the relations of a build schema."""
    cursor.execute(sql.SQL(query).format(**relations(build_schema)), values or {})


def read_file(cursor: Any, file_id: int) -> dict[str, Any]:
    """The registry's row of a file."""
    cursor.execute(
        "select file_id, file_name, source_code, status, status_reason, sha256, data_count, "
        "received_at from control.file where file_id = %s",
        (file_id,),
    )
    row = cursor.fetchone()
    if row is None:
        raise RatehouseError(f"there is no file {file_id}; `ratehouse files` lists them")
    return dict(zip([column.name for column in cursor.description], row, strict=True))


def change_status(cursor: Any, file_id: int, status: str) -> None:
    """Landed or withdrawn."""
    try:
        cursor.execute("update control.file set status = %s where file_id = %s", (status, file_id))
    except pg_errors.UniqueViolation as error:
        raise WithdrawalRefused(
            f"file {file_id} cannot be restored: the same bytes have landed again since. "
            "Delete that file first, or leave this one withdrawn"
        ) from error


def is_rated(cursor: Any, build_schema: str, file_id: int) -> bool:
    """Whether a run has taken the file."""
    cursor.execute(
        "select exists (select from control.rating_run_file "
        "where file_id = %s and build_schema = %s and is_initial)",
        (file_id, build_schema),
    )
    return cursor.fetchone()[0]


def withdrawal_in_force(cursor: Any, build_schema: str, file_id: int) -> int | None:
    """The run that withdrew the file, unless it was undone."""
    cursor.execute(
        """
        select r.rating_run_id
        from control.rating_run_file as w
        inner join control.rating_run as r on w.rating_run_id = r.rating_run_id
        where w.file_id = %s and w.is_withdrawal and w.build_schema = %s
            and r.run_kind = 'withdraw' and r.status = 'closed'
        """,
        (file_id, build_schema),
    )
    row = cursor.fetchone()
    return None if row is None else row[0]


# Records (of other files) that point at a record of the file as the one they repeat. A repeat has
# the day of its original, so that only those days are read.
_REPEATS = """
    select c.file_id, c.line_no, c.currency_code, c.at_risk_amount
    from {current_rated_usage} as c
    where c.original_usage_id >= %(file_id)s::bigint * 68719476736
        and c.original_usage_id < (%(file_id)s::bigint + 1) * 68719476736
        and c.file_id <> %(file_id)s
        and c.started_at >= %(day_from)s and c.started_at < %(day_to)s
    union all
    select c.file_id, c.line_no, c.cost_currency_code, c.cost_amount
    from {current_rated_charge} as c
    where c.original_charge_id >= %(file_id)s::bigint * 68719476736
        and c.original_charge_id < (%(file_id)s::bigint + 1) * 68719476736
        and c.file_id <> %(file_id)s
"""


def days_of_file(cursor: Any, build_schema: str, file_id: int) -> dict[str, Any]:
    """The UTC days of the file's usage, as bounds; an empty range where it has none."""
    execute(
        cursor,
        build_schema,
        """
        -- as text: Python knows no infinite time
        select
            coalesce(date_trunc('day', min(u.started_at), 'UTC'), '-infinity')::text,
            coalesce(date_trunc('day', max(u.started_at), 'UTC') + '24 hours', '-infinity')::text
        from {rated_usage} as u
        where u.file_id = %(file_id)s
            and u.rating_run_id = any(array(
                select w.rating_run_id from control.rating_run_file as w
                where w.file_id = %(file_id)s
            ))
        """,
        {"file_id": file_id},
    )
    day_from, day_to = cursor.fetchone()
    return {"file_id": file_id, "day_from": day_from, "day_to": day_to}


def count_repeats(cursor: Any, build_schema: str, file_id: int) -> int:
    """Records of other files that were left out because they repeat this one's."""
    execute(
        cursor,
        build_schema,
        "select count(distinct (r.file_id, r.line_no)) from (" + _REPEATS + ") as r",
        days_of_file(cursor, build_schema, file_id),
    )
    return cursor.fetchone()[0]


def insert_withdrawn_file(cursor: Any, run_id: int, build_schema: str, file_id: int) -> int:
    """The work set of a withdrawal: the file, and none of its records."""
    cursor.execute(
        "insert into control.rating_run_file "
        "(rating_run_id, file_id, build_schema, is_initial, is_withdrawal) "
        "values (%s, %s, %s, false, true)",
        (run_id, file_id, build_schema),
    )
    return 1


# Records to look at again when the file comes back: those of other files that come after one of
# its records of the same identity, and its own that had, or have by now, an earlier one.
_RESTORED_RECORDS = """
    with returning_usage as (
        select u.file_id, u.line_no, u.source_id, u.record_key_hash, u.state, u.reason,
            (u.started_at at time zone 'UTC')::date as started_on
        from {usage_supersession} as s
        inner join {rated_usage} as u
            on s.account_id = u.account_id and s.usage_id = u.usage_id
            and s.superseded_run_id = u.rating_run_id
        where s.rating_run_id = %(withdrawal)s and u.leg_no = 1
    ),

    returning_charges as (
        select c.file_id, c.line_no, c.source_id, c.record_key_hash, c.state
        from {charge_supersession} as s
        inner join {rated_charge} as c
            on s.account_id = c.account_id and s.charge_id = c.charge_id
            and s.superseded_run_id = c.rating_run_id
        where s.rating_run_id = %(withdrawal)s
    ),

    others as (
        select c.file_id, c.line_no, u.file_id as own_file_id, u.line_no as own_line_no
        from returning_usage as u
        inner join {current_rated_usage} as c
            on u.source_id = c.source_id and u.record_key_hash = c.record_key_hash
            and u.started_on = (c.started_at at time zone 'UTC')::date
        where c.leg_no = 1
            and c.started_at >= %(day_from)s and c.started_at < %(day_to)s
        union all
        select c.file_id, c.line_no, r.file_id, r.line_no
        from returning_charges as r
        inner join {current_rated_charge} as c
            on r.source_id = c.source_id and r.record_key_hash = c.record_key_hash
    )

    select file_id, line_no from others
    where (file_id, line_no) > (own_file_id, own_line_no)
    union
    select own_file_id, own_line_no from others
    where (file_id, line_no) < (own_file_id, own_line_no)
    union
    select file_id, line_no from returning_usage
    where state = 'duplicate' or reason = 'key_conflict'
    union
    select file_id, line_no from returning_charges where state = 'duplicate'
"""


def count_restored_repeats(cursor: Any, build_schema: str, file_id: int, withdrawal: int) -> int:
    """Records of other files that become repeats again."""
    execute(
        cursor,
        build_schema,
        "select count(*) from (" + _RESTORED_RECORDS + ") as r where r.file_id <> %(file_id)s",
        {**days_of_file(cursor, build_schema, file_id), "withdrawal": withdrawal},
    )
    return cursor.fetchone()[0]


def insert_restored_file(
    cursor: Any, run_id: int, build_schema: str, file_id: int, withdrawal: int
) -> int:
    """The work set of the run that takes a withdrawal back; the number of its files.

    From here on the file counts as landed for the loader, which then refuses its bytes.
    """
    change_status(cursor, file_id, "landed")
    execute(
        cursor,
        build_schema,
        "insert into control.rating_run_record (rating_run_id, file_id, line_no) "
        "select %(run_id)s::bigint, r.file_id, r.line_no from (" + _RESTORED_RECORDS + ") as r",
        {
            **days_of_file(cursor, build_schema, file_id),
            "withdrawal": withdrawal,
            "run_id": run_id,
        },
    )
    cursor.execute(
        """
        insert into control.rating_run_file
            (rating_run_id, file_id, build_schema, is_initial, is_withdrawal)
        select %(run_id)s, f.file_id, %(build_schema)s, false, f.file_id = %(file_id)s
        from (
            select %(file_id)s::bigint as file_id
            union
            select r.file_id from control.rating_run_record as r
            where r.rating_run_id = %(run_id)s
        ) as f
        """,
        {"run_id": run_id, "build_schema": build_schema, "file_id": file_id},
    )
    return cursor.rowcount


# -- invoices ------------------------------------------------------------------------------------

# What is billed of the file, and since when.
_BILLED_OF_FILE = """
    select t.account_id, t.period_month, min(r.closed_at) as billed_at,
        array_agg(distinct r.rating_run_id) as rating_runs
    from (
        select rating_run_id, account_id, period_month, leg_count as number
        from {usage_total} where file_id = %(file_id)s and state = 'billed'
        union all
        select rating_run_id, account_id, period_month, record_count
        from {charge_total} where file_id = %(file_id)s and state = 'billed'
    ) as t
    inner join control.rating_run as r on t.rating_run_id = r.rating_run_id
    where r.status = 'closed'
    group by t.account_id, t.period_month
    having sum(t.number) <> 0
"""
# What is billed of other files' records that become repeats again.
_BILLED_OF_REPEATS = (
    """
    select b.account_id, b.period_month, min(r.closed_at) as billed_at,
        array_agg(distinct r.rating_run_id) as rating_runs
    from (
        select file_id, line_no, account_id, period_month, rating_run_id
        from {current_rated_usage} where state = 'billed'
            and started_at >= %(day_from)s and started_at < %(day_to)s
        union all
        select file_id, line_no, account_id, period_month, rating_run_id
        from {current_rated_charge} where state = 'billed'
    ) as b
    inner join control.rating_run as r on b.rating_run_id = r.rating_run_id
    inner join ("""
    + _RESTORED_RECORDS
    + """) as c on b.file_id = c.file_id and b.line_no = c.line_no
    where b.file_id <> %(file_id)s
    group by b.account_id, b.period_month
"""
)


def invoices_in_the_way(
    cursor: Any, build_schema: str, file_id: int, withdrawal: int | None = None
) -> list[dict[str, Any]]:
    """Posted invoices, and approved ones, that hold money that would go.

    What was rated after an invoice was drafted is not on it.
    """
    billed = _BILLED_OF_FILE if withdrawal is None else _BILLED_OF_REPEATS
    values = {**days_of_file(cursor, build_schema, file_id), "withdrawal": withdrawal}
    approved = (
        """
        union all
        select 'approved', null::text, d.account_id, d.period_month
        from billed as b
        inner join {draft_invoice} as d
            on b.account_id = d.account_id and b.period_month = d.period_month
        inner join control.invoice_run as r on d.invoice_run_id = r.invoice_run_id
        where r.status = 'approved' and r.drafted_at >= b.billed_at
        """
        if relation_exists(cursor, build_schema, "billing", "draft_invoice")
        else ""
    )
    execute(
        cursor,
        build_schema,
        "with billed as (" + billed + "), "
        """found as (
            select 'posted' as status, i.invoice_label as number, i.account_id, i.period_month
            from billed as b
            inner join ledger.invoice as i
                on b.account_id = i.account_id and b.period_month = i.period_month
            inner join ledger.posting as p
                on i.posting_id = p.posting_id and b.rating_runs && p.rating_runs
            union all
            -- posted, and waiting for the next invoice of the account
            select 'posted', '(waits for the next invoice)', c.account_id, c.period_month
            from billed as b
            inner join ledger.carried_line as c
                on b.account_id = c.account_id and b.period_month = c.period_month
            inner join ledger.posting as p
                on c.posting_id = p.posting_id and b.rating_runs && p.rating_runs
        """
        + approved
        + """
        )
        select distinct found.status, found.number, coalesce(
            (
                select a.account_code from reference.account as a
                where a.account_id = found.account_id and a.recorded_to = 'infinity' limit 1
            ), found.account_id::text
        ) as account_code, to_char(found.period_month, 'YYYY-MM') as period
        from found order by 4, 1 desc, 2, 3
        """,
        values,
    )
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def refuse_invoices(found: Sequence[Mapping[str, Any]], what: str) -> None:
    """Say which invoices stand in the way, and what can be done about them."""
    if not found:
        return
    posted = [invoice for invoice in found if invoice["status"] == "posted"]
    lines = [f"{what}: it would change invoices that are no drafts any more"]
    for invoice in found:
        number = f" {invoice['number']}" if invoice["number"] else ""
        lines.append(
            f"  {invoice['status']} invoice{number}: account {invoice['account_code']}, "
            f"{invoice['period']}"
        )
    lines.append(
        "A posted invoice is never changed: credit it instead."
        if posted
        else "Take the approval back first, then try again."
    )
    raise WithdrawalRefused("\n".join(lines))


def stale_drafts(cursor: Any, build_schema: str) -> list[tuple[Any, str]]:
    """Period and bill group of the drafts that must be made again."""
    cursor.execute(
        "select period_month, bill_group from control.invoice_run "
        "where build_schema = %s and stale_since is not null and status in ('draft', 'failed') "
        "order by period_month, bill_group",
        (build_schema,),
    )
    return cursor.fetchall()


_MARK_STALE = """
    update control.invoice_run as d
    set stale_since = coalesce(d.stale_since, clock_timestamp()),
        stale_reason = coalesce(d.stale_reason, %(why)s)
    from (
        select t.period_month, a.bill_group
        from (
            select account_id, period_month from {usage_total}
            where rating_run_id = any(%(runs)s) and state = 'billed'
            union
            select account_id, period_month from {charge_total}
            where rating_run_id = any(%(runs)s) and state = 'billed'
        ) as t
        inner join reference.account as a
            on t.account_id = a.account_id and a.recorded_to = 'infinity'
        group by t.period_month, a.bill_group
    ) as changed
    where d.build_schema = {schema} and d.status = 'draft' and d.drafted_at is not null
        and d.period_month = changed.period_month and d.bill_group = changed.bill_group
"""


# -- the moment in which a run closes ------------------------------------------------------------


def settle(cursor: Any, run: RatingRun, actor: str) -> None:
    """What must happen in the very transaction in which a run closes."""
    if run.run_kind == "withdraw":
        file_id = _withdrawn_file(cursor, run.rating_run_id)
        _set_status(cursor, file_id, "withdrawn", run, actor)
        mark_stale(cursor, run.build_schema, [run.rating_run_id], f"file {file_id} was withdrawn")
        _queue_repeats(cursor, run, file_id, actor)
    elif run.run_kind == "restore":
        file_id = _withdrawn_file(cursor, run.rating_run_id)
        cursor.execute(
            "update control.rating_run set status = 'undone' where rating_run_id = ("
            "select undoes_run_id from control.rating_run where rating_run_id = %s) "
            "returning rating_run_id",
            (run.rating_run_id,),
        )
        (withdrawal,) = cursor.fetchone()
        record_event(
            cursor, "rating_run", withdrawal, "undone", {"by_run": run.rating_run_id}, actor
        )
        _set_status(cursor, file_id, "landed", run, actor)
        why = f"file {file_id} was restored"
        mark_stale(cursor, run.build_schema, [run.rating_run_id, withdrawal], why)
    elif run.run_kind == "rerate":
        why = f"run {run.rating_run_id} rated usage again"
        mark_stale(cursor, run.build_schema, [run.rating_run_id], why)
    elif run.run_kind == "undo":
        _undo_replayed(cursor, run, actor)
    elif REPEATS_OF in run.config:
        why = f"file {run.config[REPEATS_OF]} was withdrawn"
        mark_stale(cursor, run.build_schema, [run.rating_run_id], why)


def _undo_replayed(cursor: Any, run: RatingRun, actor: str) -> None:
    """An undo happens in one transaction (loaders/runs/undo.py); only a replay closes it so."""
    from loaders.runs.undo import plan_undo, take_back

    cursor.execute(
        "select undoes_run_id from control.rating_run where rating_run_id = %s",
        (run.rating_run_id,),
    )
    plan = plan_undo(cursor, cursor.fetchone()[0], run.build_schema)
    take_back(cursor, run.rating_run_id, plan, run.reason, actor, run.build_schema)


def _withdrawn_file(cursor: Any, run_id: int) -> int:
    cursor.execute(
        "select file_id from control.rating_run_file where rating_run_id = %s and is_withdrawal",
        (run_id,),
    )
    return cursor.fetchone()[0]


def _set_status(cursor: Any, file_id: int, status: str, run: RatingRun, actor: str) -> None:
    # Landed and withdrawn is what a file is in production; a build of its own has runs only.
    if run.build_schema:
        return
    change_status(cursor, file_id, status)
    record_event(
        cursor,
        "file",
        file_id,
        "withdrawn" if status == "withdrawn" else "restored",
        {"rating_run_id": run.rating_run_id, "reason": run.reason},
        actor,
    )


def mark_stale(cursor: Any, build_schema: str, runs: list[int], why: str) -> None:
    """Mark the drafts of what these runs rated or replaced."""
    execute(cursor, build_schema, _MARK_STALE, {"runs": runs, "why": why})


def _queue_repeats(cursor: Any, run: RatingRun, file_id: int, actor: str) -> None:
    """Make the run that rates what was left out as a repeat of this file.

    It stands in the same transaction, so that a kill between the two loses no record; whoever
    opens a run next begins with it.
    """
    # A replay repeats the run that was made then.
    if run.build_schema or count_repeats(cursor, run.build_schema, file_id) == 0:
        return
    cursor.execute(
        """
        insert into control.rating_run (
            run_kind, build_schema, status, config, reason, requested_by, reference_cutoff
        )
        values ('reprocess', %s, 'queued', %s, %s, %s, %s)
        returning rating_run_id
        """,
        (
            run.build_schema,
            Json({REPEATS_OF: file_id}),
            run.reason,
            actor,
            run.reference_cutoff,
        ),
    )
    (run_id,) = cursor.fetchone()
    execute(
        cursor,
        run.build_schema,
        "insert into control.rating_run_record (rating_run_id, file_id, line_no) "
        "select distinct %(run_id)s::bigint, r.file_id, r.line_no from (" + _REPEATS + ") as r",
        {**days_of_file(cursor, run.build_schema, file_id), "run_id": run_id},
    )
    cursor.execute(
        """
        insert into control.rating_run_file (rating_run_id, file_id, build_schema, is_initial)
        select distinct rating_run_id, file_id, %s, false
        from control.rating_run_record where rating_run_id = %s
        """,
        (run.build_schema, run_id),
    )
