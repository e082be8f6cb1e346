"""What a run came to, as metadata people can read and Dagster can plot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
from psycopg2 import sql

from loaders import runs
from loaders.runs.schemas import build_relation
from orchestration.lib.dbt_process import DbtProcess
from orchestration.lib.tables import markdown_table

RATING_RUN_ASSET = dg.AssetKey(["runs", "rating_run"])
INVOICE_RUN_ASSET = dg.AssetKey(["runs", "invoice_run"])


def fetch(connection: Any, query: sql.Composable | str, values: Any = ()) -> list[tuple[Any, ...]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()


def file_table(results: Iterable[Any]) -> str:
    """What became of each file, worst first."""
    order = {"failed": 0, "held": 1, "landed": 2, "already_loaded": 3}
    ordered = sorted(results, key=lambda r: (order.get(r.status, 9), r.file_name))
    return markdown_table(
        ["file", "source", "layout", "status", "records", "data", "quarantined", "why"],
        [
            (
                r.file_name,
                r.source_code,
                r.layout_code,
                r.status,
                r.record_count,
                r.data_count,
                r.quarantined_count,
                r.status_reason,
            )
            for r in ordered
        ],
    )


def state_rows(connection: Any, build_schema: str, run_id: int) -> list[tuple[Any, ...]]:
    """Records of a run by kind, state and reason."""
    return fetch(
        connection,
        sql.SQL(
            """
            select 'usage', state, coalesce(reason, ''), count(*)
            from {usage} where rating_run_id = %(run_id)s group by 2, 3
            union all
            select 'charge', state, coalesce(reason, ''), count(*)
            from {charge} where rating_run_id = %(run_id)s group by 2, 3
            order by 1 desc, 2, 4 desc
            """
        ).format(
            usage=build_relation(build_schema, "rating", "rated_usage"),
            charge=build_relation(build_schema, "rating", "rated_charge"),
        ),
        {"run_id": run_id},
    )


def run_file_rows(connection: Any, run_id: int) -> list[tuple[Any, ...]]:
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


def dbt_metadata(process: DbtProcess) -> dict[str, Any]:
    return {
        "dbt_steps": dg.MetadataValue.md(
            markdown_table(["steps", "number"], process.counts().items())
        ),
        "slowest_steps": dg.MetadataValue.md(
            markdown_table(["step", "seconds"], process.slowest())
        ),
    }


def rating_run_event(
    connection: Any, run: runs.RatingRun, totals: Mapping[str, Any], process: DbtProcess
) -> dg.AssetMaterialization:
    """A closed run: its balance, files, states and dbt steps."""
    states = state_rows(connection, run.build_schema, run.rating_run_id)
    by_state: dict[str, int] = {}
    for _, state, _, number in states:
        by_state[state] = by_state.get(state, 0) + number
    return dg.AssetMaterialization(
        asset_key=RATING_RUN_ASSET,
        description=run.describe(),
        metadata={
            "rating_run_id": run.rating_run_id,
            "kind": run.run_kind,
            "attempt": run.attempt,
            "files": run.file_count,
            "lines": run.line_count,
            # One number per state: Dagster draws them over the runs.
            **{f"records_{state}": number for state, number in sorted(by_state.items())},
            "balance": dg.MetadataValue.md(totals_table(totals)),
            "states": dg.MetadataValue.md(
                markdown_table(["kind", "state", "reason", "records"], states)
            ),
            "work_set": dg.MetadataValue.md(
                markdown_table(
                    ["file", "source", "layout", "records", "data", "non-data", "quarantined"],
                    run_file_rows(connection, run.rating_run_id),
                )
            ),
            **dbt_metadata(process),
        },
    )


def totals_table(totals: Mapping[str, Any]) -> str:
    """Control totals, one line each."""
    return markdown_table(
        ["total", "value"],
        [(name.replace("_", " "), value) for name, value in totals.items()],
    )


def top_invoice_rows(
    connection: Any, build_schema: str, invoice_run_ids: Sequence[int], limit: int = 10
) -> list[tuple[Any, ...]]:
    """The largest drafts of some invoice runs."""
    return fetch(
        connection,
        sql.SQL(
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
        ).format(invoice=build_relation(build_schema, "billing", "draft_invoice")),
        (list(invoice_run_ids), limit),
    )


TOP_INVOICE_COLUMNS = [
    "account",
    "customer",
    "usage",
    "charges",
    "rounding",
    "total",
    "currency",
]


def invoice_run_event(
    connection: Any, run: runs.InvoiceRun, result: runs.DraftResult, process: DbtProcess
) -> dg.AssetMaterialization:
    """A draft: how many invoices, what they come to, whether anything changed."""
    totals = result.control_totals
    return dg.AssetMaterialization(
        asset_key=INVOICE_RUN_ASSET,
        description=run.describe(),
        metadata={
            "invoice_run_id": run.invoice_run_id,
            "period": f"{run.period_month:%Y-%m}",
            "bill_group": run.bill_group,
            "invoices": totals["invoices"],
            "lines": totals["lines"],
            "is_changed": result.is_changed,
            "totals": dg.MetadataValue.md(
                markdown_table(["currency", "total"], totals["invoice_total"].items())
            ),
            "top_invoices": dg.MetadataValue.md(
                markdown_table(
                    TOP_INVOICE_COLUMNS,
                    top_invoice_rows(connection, run.build_schema, [run.invoice_run_id]),
                )
            ),
            **dbt_metadata(process),
        },
    )
