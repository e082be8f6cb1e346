"""Figures for people, read from the warehouse. Sums and counts only: nothing is priced here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from psycopg2 import sql

from loaders.runs.schemas import build_relation, relation_exists
from orchestration.lib import paths

Rows = list[tuple[Any, ...]]

STATE_COLUMNS = ("kind", "state", "reason", "records")
CLASS_COLUMNS = ("class", "records", "minutes", "amount", "cost", "currency")
INVOICE_COLUMNS = ("account", "customer", "usage", "charges", "rounding", "total", "currency")
SUSPENSE_COLUMNS = (
    "kind", "reason", "records", "files", "at_risk", "currency", "what_it_means", "what_to_do",
)  # fmt: skip
FILE_COLUMNS = (
    "file_id", "file", "source", "layout", "status", "records", "data", "non_data", "quarantined",
    "why",
)  # fmt: skip
BALANCE_COLUMNS = (
    "file_id", "file", "data", "billed", "not_billable", "duplicate", "error", "unaccounted",
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
        "reasons": build_relation(build_schema, "seeds", "record_reasons"),
    }


def _query(text: str) -> sql.Composable:
    return sql.SQL(text).format(**_relations(paths.build_schema()))


def is_anything_rated(connection: Any) -> bool:
    """Whether dbt has built the totals that everything here reads."""
    with connection, connection.cursor() as cursor:
        return relation_exists(cursor, paths.build_schema(), "rating", "usage_total")


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
    """Suspended records by reason, the money waiting in them, what to do (SUSPENSE_COLUMNS)."""
    return fetch(
        connection,
        _query(
            """
            select t.kind, t.reason, sum(t.record_count)::bigint, count(distinct t.file_id),
                sum(t.at_risk), t.currency_code, max(w.description), max(w.what_to_do)
            from (
                select 'usage' as kind, rating_run_id, state, reason, file_id, record_count,
                    at_risk_amount as at_risk, currency_code
                from {usage_total}
                union all
                select 'charge', rating_run_id, state, reason, file_id, record_count,
                    cost_amount, coalesce(currency_code, cost_currency_code)
                from {charge_total}
            ) as t
            inner join control.rating_run as r on t.rating_run_id = r.rating_run_id
            left join {reasons} as w on t.reason = w.reason_code
            where r.status = 'closed' and t.state = 'error'
            group by t.kind, t.reason, t.currency_code
            having sum(t.record_count) <> 0
            order by 5 desc nulls last, 3 desc, 1, 2
            """
        ),
    )


def quarantine_rows(connection: Any) -> Rows:
    """Lines that could not be read, by reason (same columns as suspense_rows)."""
    return fetch(
        connection,
        _query(
            """
            select 'line', q.reason_code, count(*), count(distinct q.file_id), null::numeric,
                null::text, max(w.description), max(w.what_to_do)
            from landing.quarantine as q
            inner join control.file as f on q.file_id = f.file_id and f.status = 'landed'
            left join {reasons} as w on q.reason_code = w.reason_code
            group by q.reason_code
            order by 3 desc, 2
            """
        ),
    )


def balance_rows(connection: Any) -> Rows:
    """Per landed file: its data records, and in which state each of them ended.

    Unaccounted must be nought for every file that a closed run has taken; a file that waits for
    its run has all of its records unaccounted. (BALANCE_COLUMNS, and whether it was rated.)
    """
    return fetch(
        connection,
        _query(
            """
            select f.file_id, f.file_name, f.data_count,
                coalesce(s.billed, 0)::bigint, coalesce(s.not_billable, 0)::bigint,
                coalesce(s.duplicate, 0)::bigint, coalesce(s.error, 0)::bigint,
                (f.data_count - coalesce(s.total, 0))::bigint,
                exists (
                    select from control.rating_run_file as w
                    inner join control.rating_run as r on w.rating_run_id = r.rating_run_id
                    where w.file_id = f.file_id and w.is_initial and r.status = 'closed'
                        and w.build_schema = %(build_schema)s
                )
            from control.file as f
            left join (
                select t.file_id, sum(t.record_count) as total,
                    sum(t.record_count) filter (where t.state = 'billed') as billed,
                    sum(t.record_count) filter (where t.state = 'not_billable') as not_billable,
                    sum(t.record_count) filter (where t.state = 'duplicate') as duplicate,
                    sum(t.record_count) filter (where t.state = 'error') as error
                from (
                    select rating_run_id, file_id, state, record_count from {usage_total}
                    union all
                    select rating_run_id, file_id, state, record_count from {charge_total}
                ) as t
                inner join control.rating_run as r on t.rating_run_id = r.rating_run_id
                where r.status = 'closed'
                group by t.file_id
            ) as s on f.file_id = s.file_id
            where f.status = 'landed'
            order by f.file_id
            """
        ),
        {"build_schema": paths.build_schema()},
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
                i.rounding_amount, i.invoice_total, i.currency_code
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
            select r.invoice_run_id, r.bill_group, r.status, count(*), sum(i.invoice_total),
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


def by_state(rows: Rows) -> Mapping[str, int]:
    """STATE_COLUMNS rows summed by state."""
    summed: dict[str, int] = {}
    for _, state, _, number in rows:
        summed[state] = summed.get(state, 0) + number
    return dict(sorted(summed.items()))
