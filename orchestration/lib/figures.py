"""Figures for people, read from the warehouse. Sums and counts only: nothing is priced here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from psycopg2 import sql

from loaders.errors import RatehouseError
from loaders.runs.schemas import build_relation, relation_exists
from orchestration.lib import paths

Rows = list[tuple[Any, ...]]

STATE_COLUMNS = ("kind", "state", "reason", "records")
CLASS_COLUMNS = ("class", "records", "minutes", "amount", "cost", "currency")
INVOICE_COLUMNS = ("account", "customer", "usage", "charges", "rounding", "total", "currency")
SUSPENSE_COLUMNS = (
    "kind", "reason", "source", "records", "files", "at_risk", "currency", "what_it_means",
    "what_to_do",
)  # fmt: skip
FILE_COLUMNS = (
    "file_id", "file", "source", "layout", "status", "records", "data", "non_data", "quarantined",
    "why",
)  # fmt: skip
BALANCE_COLUMNS = (
    "file_id", "file", "source", "status", "records", "non_data", "quarantined", "held", "waiting",
    "billed", "not_billable", "duplicate", "error", "difference",
)  # fmt: skip
DRAFT_COLUMNS = ("bill_group", "status", "invoices", "total", "currency", "drafted_at")
UNFINISHED_COLUMNS = ("rating_run_id", "kind", "status", "attempt", "opened_at", "failure")


def fetch(connection: Any, query: sql.Composable | str, values: Any = ()) -> Rows:
    with connection, connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()


def _relations(build_schema: str) -> dict[str, sql.Composable]:
    """What the queries read. Totals of closed runs are the totals of the current records."""
    return {
        "usage_total": build_relation(build_schema, "rating", "usage_total"),
        "charge_total": build_relation(build_schema, "rating", "charge_total"),
        "usage": build_relation(build_schema, "rating", "rated_usage"),
        "charge": build_relation(build_schema, "rating", "rated_charge"),
        "invoice": build_relation(build_schema, "billing", "draft_invoice"),
        "invoice_line": build_relation(build_schema, "billing", "draft_invoice_line"),
        "balance": build_relation(build_schema, "marts", "rpt_reconciliation__file"),
        "suspense": build_relation(build_schema, "marts", "rpt_suspense"),
    }


def _query(text: str) -> sql.Composable:
    return sql.SQL(text).format(**_relations(paths.build_schema()))


def require_rated(connection: Any) -> None:
    """Refuse in words while dbt has not built what everything here reads (reports come last)."""
    with connection, connection.cursor() as cursor:
        if relation_exists(cursor, paths.build_schema(), "marts", "rpt_suspense"):
            return
    unfinished = unfinished_runs(connection)
    if unfinished:
        raise RatehouseError(
            f"rating run {unfinished[0][0]} has not finished, and the reports are rebuilt at its "
            "end: wait for it, or finish it with `ratehouse rate`"
        )
    raise RatehouseError("nothing has been rated yet: start `ratehouse rate` first")


def file_rows(connection: Any) -> Rows:
    """Every file received, oldest first (FILE_COLUMNS)."""
    return fetch(
        connection,
        """
        select file_id, file_name, source_code, layout_code, status, record_count, data_count,
            non_data_count, quarantined_count, status_reason
        from control.file
        order by file_id
        """,
    )


def run_state_rows(connection: Any, run_id: int) -> Rows:
    """Records of one run by kind, state and reason (STATE_COLUMNS)."""
    return fetch(
        connection,
        _query(
            """
            select 'usage', state, coalesce(reason, ''), count(*)
            from {usage} where rating_run_id = %(run_id)s group by 2, 3
            union all
            select 'charge', state, coalesce(reason, ''), count(*)
            from {charge} where rating_run_id = %(run_id)s group by 2, 3
            order by 1 desc, 2, 4 desc
            """
        ),
        {"run_id": run_id},
    )


def state_rows(connection: Any) -> Rows:
    """Records that count, by kind, state and reason (STATE_COLUMNS)."""
    return fetch(
        connection,
        _query(
            """
            select t.kind, t.state, coalesce(t.reason, ''), sum(t.record_count)::bigint
            from (
                select 'usage' as kind, rating_run_id, state, reason, record_count
                from {usage_total}
                union all
                select 'charge', rating_run_id, state, reason, record_count
                from {charge_total}
            ) as t
            inner join control.rating_run as r on t.rating_run_id = r.rating_run_id
            where r.status = 'closed'
            group by 1, 2, 3
            having sum(t.record_count) <> 0
            order by 1 desc, 2, 4 desc
            """
        ),
    )


def class_rows(connection: Any) -> Rows:
    """What is billed, by charge class (CLASS_COLUMNS). A call with two legs counts twice."""
    return fetch(
        connection,
        _query(
            """
            select t.charge_class, sum(t.number)::bigint,
                round(sum(t.billed_seconds) / 60.0, 1), sum(t.amount), sum(t.cost),
                t.currency_code
            from (
                select rating_run_id, state, charge_class, leg_count as number, billed_seconds,
                    retail_amount as amount, cost_amount as cost, currency_code
                from {usage_total}
                union all
                select rating_run_id, state, charge_class, record_count, 0, charge_amount,
                    cost_amount, currency_code
                from {charge_total}
            ) as t
            inner join control.rating_run as r on t.rating_run_id = r.rating_run_id
            where r.status = 'closed' and t.state = 'billed'
            group by t.charge_class, t.currency_code
            having sum(t.number) <> 0
            order by 4 desc
            """
        ),
    )


def suspense_rows(connection: Any) -> Rows:
    """Suspended records and unreadable lines by reason, what waits in them, what to do
    (SUSPENSE_COLUMNS)."""
    return fetch(
        connection,
        _query(
            """
            select s.kind, s.reason, s.source_code, s.record_count, s.file_count,
                s.at_risk_amount, s.currency_code, s.description, s.what_to_do
            from {suspense} as s
            order by s.at_risk_amount desc nulls last, s.record_count desc, 1, 2, 3
            """
        ),
    )


def balance_rows(connection: Any) -> Rows:
    """Per file: its records, and where each of them ended (BALANCE_COLUMNS). The difference must
    be nought."""
    return fetch(
        connection,
        _query(
            """
            select f.file_id, f.file_name, f.source_code, f.status, f.record_count,
                f.non_data_count, f.quarantined_count, f.held_count, f.waiting_count,
                f.billed_count, f.not_billable_count, f.duplicate_count, f.error_count,
                f.difference
            from {balance} as f
            order by f.file_id
            """
        ),
    )


def unfinished_runs(connection: Any) -> Rows:
    """Rating runs that do not count yet: at work, killed or failed (UNFINISHED_COLUMNS)."""
    return fetch(
        connection,
        """
        select rating_run_id, run_kind, status, attempt, opened_at, failure
        from control.rating_run
        where status in ('running', 'failed') and build_schema = %s
        order by rating_run_id
        """,
        (paths.build_schema(),),
    )


def top_invoice_rows(connection: Any, invoice_run_ids: Sequence[int], limit: int = 10) -> Rows:
    """The largest drafts of some invoice runs (INVOICE_COLUMNS)."""
    return fetch(
        connection,
        _query(
            """
            select a.account_code, a.customer_name, i.usage_amount, i.charge_amount,
                i.rounding_amount,
                round(i.invoice_total, greatest(scale(trim_scale(i.invoice_total)), 2)),
                i.currency_code
            from {invoice} as i
            left join lateral (
                select account_code, customer_name
                from reference.account
                where account_id = i.account_id and recorded_to = 'infinity'
                order by valid_from desc
                limit 1
            ) as a on true
            where i.invoice_run_id = any(%s)
            order by i.invoice_total desc, a.account_code
            limit %s
            """
        ),
        (list(invoice_run_ids), limit),
    )


def draft_rows(connection: Any, period_month: date) -> Rows:
    """Invoice runs of a period with their id in front (then DRAFT_COLUMNS)."""
    return fetch(
        connection,
        _query(
            """
            select r.invoice_run_id, r.bill_group, r.status, count(*),
                round(
                    sum(i.invoice_total), greatest(scale(trim_scale(sum(i.invoice_total))), 2)
                ),
                i.currency_code, r.drafted_at
            from control.invoice_run as r
            inner join {invoice} as i on r.invoice_run_id = i.invoice_run_id
            where r.period_month = %s and r.build_schema = %s
            group by r.invoice_run_id, i.currency_code
            order by r.bill_group, i.currency_code
            """
        ),
        (period_month, paths.build_schema()),
    )


def example_usage_id(connection: Any) -> int | None:
    """A billed call worth explaining: among the last run's, one of the dearest."""
    found = fetch(
        connection,
        _query(
            """
            select usage_id from {usage}
            where state = 'billed' and rating_run_id = (
                select max(rating_run_id) from control.rating_run
                where status = 'closed' and run_kind = 'initial' and build_schema = %s
            )
            order by retail_amount desc nulls last, usage_id
            limit 1
            """
        ),
        (paths.build_schema(),),
    )
    return found[0][0] if found else None


def run_file_rows(connection: Any, run_id: int) -> Rows:
    """The files of a run's work set with what they hold."""
    return fetch(
        connection,
        """
        select f.file_name, f.source_code, f.layout_code, f.record_count, f.data_count,
            f.non_data_count, f.quarantined_count
        from control.rating_run_file as w
        inner join control.file as f on w.file_id = f.file_id
        where w.rating_run_id = %s
        order by f.file_id
        """,
        (run_id,),
    )


def as_facts(columns: Sequence[str], rows: Rows) -> Iterator[dict[str, Any]]:
    """Rows by the names of their columns."""
    return (dict(zip(columns, row, strict=True)) for row in rows)


def by_state(rows: Rows) -> Mapping[str, int]:
    """STATE_COLUMNS rows summed by state."""
    summed: dict[str, int] = {}
    for _, state, _, number in rows:
        summed[state] = summed.get(state, 0) + number
    return dict(sorted(summed.items()))
