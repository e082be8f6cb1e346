"""Draft invoices inside one Dagster step: preview, or open, build and close each bill group."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource
from psycopg2 import sql

from loaders import database, runs
from loaders.errors import RatehouseError
from loaders.runs.schemas import build_relation, relation_exists
from orchestration.lib import paths, progress
from orchestration.lib.dbt_arguments import BILLING_SELECTION, build_arguments
from orchestration.lib.dbt_process import Context, DbtProcess, folder_name
from orchestration.lib.rating import log_again, put_down_on_failure, run_arguments
from orchestration.lib.report import INVOICE_RUN_ASSET, fetch, invoice_run_event
from orchestration.lib.tables import markdown_table
from orchestration.lib.words import failures_in_words

PREVIEW_COLUMNS = (
    "bill_group",
    "account_code",
    "customer_name",
    "usage_records",
    "usage_amount",
    "charge_records",
    "charge_amount",
    "currency_code",
)

# Sums of what rating decided, before the rounding of lines: no price is worked out here.
_PREVIEW = """
    select
        a.bill_group, a.account_code, a.customer_name,
        coalesce(sum(t.usage_records), 0)::bigint, coalesce(sum(t.usage_amount), 0),
        coalesce(sum(t.charge_records), 0)::bigint, coalesce(sum(t.charge_amount), 0),
        t.currency_code
    from (
        select u.account_id, u.currency_code, u.leg_count as usage_records,
            coalesce(u.retail_amount, u.unrounded_amount) as usage_amount,
            0 as charge_records, 0::numeric as charge_amount
        from {usage_total} as u
        inner join control.rating_run as r on u.rating_run_id = r.rating_run_id
        where r.status = 'closed' and u.state = 'billed' and u.period_month = %(period_month)s
        union all
        select c.account_id, c.currency_code, 0, 0, 1, c.charge_amount
        from {charge} as c
        where c.state = 'billed' and c.period_month = %(period_month)s
    ) as t
    inner join lateral (
        select account_code, customer_name, bill_group
        from reference.account
        where account_id = t.account_id and recorded_to = 'infinity'
        order by valid_from desc
        limit 1
    ) as a on true
    where a.bill_group = any(%(bill_groups)s)
    group by a.bill_group, a.account_code, a.customer_name, t.currency_code
    order by a.bill_group, 5 desc, a.account_code
"""


def preview_bill(
    connection: Any, period_month: date, bill_groups: list[str]
) -> list[tuple[Any, ...]]:
    """What would be billed per account (PREVIEW_COLUMNS), without writing anything."""
    build_schema = paths.build_schema()
    with connection, connection.cursor() as cursor:
        if not relation_exists(cursor, build_schema, "rating", "usage_total"):
            raise RatehouseError(
                "nothing has been rated yet: rate something first (ratehouse rate)"
            )
    return fetch(
        connection,
        sql.SQL(_PREVIEW).format(
            usage_total=build_relation(build_schema, "rating", "usage_total"),
            charge=build_relation(build_schema, "rating", "current_rated_charge"),
        ),
        {"period_month": period_month, "bill_groups": bill_groups},
    )


def bill(
    context: Context, dbt: DbtCliResource, period: str, bill_group: str, *, dry_run: bool
) -> Iterator[Any]:
    """Draft the invoices of a period, or only show what would be drafted."""
    with failures_in_words(), closing(database.connect()) as connection:
        period_month = runs.parse_period(period)
        groups = runs.choose_bill_groups(connection, bill_group)
        if dry_run:
            _log_preview(context, connection, period_month, groups)
            return
        is_asset = isinstance(context, dg.AssetExecutionContext)
        for number, group in enumerate(groups):
            for event in _draft(context, dbt, connection, period_month, group):
                if is_asset and number > 0:
                    log_again(context, event)
                else:
                    yield event


def _draft(
    context: Context, dbt: DbtCliResource, connection: Any, period_month: date, bill_group: str
) -> Iterator[Any]:
    arguments = run_arguments(context)
    arguments.pop("code_is_dirty")
    run = runs.open_invoice_run(connection, period_month, bill_group, **arguments)
    progress.say(run.describe())
    process = DbtProcess(folder_name(context, "billing", run.invoice_run_id))
    selection = None if isinstance(context, dg.AssetExecutionContext) else BILLING_SELECTION
    with put_down_on_failure(lambda words: runs.fail_invoice_run(connection, run, words)):
        yield from process.stream(context, dbt, build_arguments(selection), run.environment())
    result = runs.close_invoice_run(connection, run)
    progress.say(describe_draft(run, result))
    context.log_event(invoice_run_event(connection, run, result, process))


def describe_draft(run: runs.InvoiceRun, result: runs.DraftResult) -> str:
    """What came of it, and whether it is news."""
    totals = result.control_totals
    money = ", ".join(f"{total} {code}" for code, total in totals["invoice_total"].items())
    if result.is_first_draft:
        news = "first draft"
    else:
        news = "changed since the last draft" if result.is_changed else "nothing changed"
    return (
        f"bill group {run.bill_group}: {totals['invoices']} invoice(s), {money or 'no money'} "
        f"({news})"
    )


def _log_preview(context: Context, connection: Any, period_month: date, groups: list[str]) -> None:
    rows = preview_bill(connection, period_month, groups)
    table = markdown_table([name.replace("_", " ") for name in PREVIEW_COLUMNS], rows)
    context.log.info(
        f"Dry run: {len(rows)} account(s) would be invoiced for {period_month:%Y-%m}; "
        f"nothing was written.\n{table}"
    )
    context.log_event(
        dg.AssetObservation(
            asset_key=INVOICE_RUN_ASSET,
            description=f"Preview of {period_month:%Y-%m}; nothing was written.",
            metadata={
                "period": f"{period_month:%Y-%m}",
                "bill_groups": ", ".join(groups),
                "accounts": len(rows),
                "would_be_drafted": dg.MetadataValue.md(table),
            },
        )
    )
