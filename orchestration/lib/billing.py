"""Draft invoices inside one Dagster step: preview, or open, build and close each bill group."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from loaders import database, runs
from orchestration.lib import progress
from orchestration.lib.billing_preview import PREVIEW_COLUMNS, preview_bill
from orchestration.lib.dbt_arguments import BILLING_TAG
from orchestration.lib.dbt_process import Context, DbtProcess, folder_name
from orchestration.lib.instance import mark_process
from orchestration.lib.rating import put_down_on_failure, run_arguments
from orchestration.lib.report import INVOICE_RUN_ASSET, invoice_run_event
from orchestration.lib.tables import markdown_table
from orchestration.lib.words import failures_in_words

_SHOWN = 500


def last_month() -> str:
    """The month that is billed unless somebody names another: the one before this."""
    today = datetime.now(UTC).date()
    return f"{today.replace(day=1) - timedelta(days=1):%Y-%m}"


def bill(context: Context, period: str, bill_group: str, *, dry_run: bool) -> Iterator[Any]:
    """Draft the invoices of a period, or only show what would be drafted."""
    mark_process(context)
    with failures_in_words(), closing(database.connect()) as connection:
        period_month = runs.parse_period(period or last_month())
        groups = runs.choose_bill_groups(connection, bill_group)
        if dry_run:
            _log_preview(context, connection, period_month, groups)
            return
        for group in groups:
            yield from _draft(context, connection, period_month, group)


def _draft(context: Context, connection: Any, period_month: date, bill_group: str) -> Iterator[Any]:
    arguments = run_arguments(context)
    arguments.pop("code_is_dirty")
    run = runs.open_invoice_run(connection, period_month, bill_group, **arguments)
    progress.say(run.describe())
    process = DbtProcess(folder_name(context, "billing", run.invoice_run_id))
    with put_down_on_failure(lambda words: runs.fail_invoice_run(connection, run, words)):
        yield from process.stream(BILLING_TAG, run.environment())
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
    held = "".join(
        f"; {count} may not be sent: {reason}" for reason, count in sorted(totals["held"].items())
    )
    return (
        f"bill group {run.bill_group}: {totals['invoices']} invoice(s), {money or 'no money'} "
        f"({news}){held}"
    )


def _log_preview(context: Context, connection: Any, period_month: date, groups: list[str]) -> None:
    rows = preview_bill(connection, period_month, groups)
    # Thousands of customers would make a page nobody can open; the command shows all of them.
    table = markdown_table([name.replace("_", " ") for name in PREVIEW_COLUMNS], rows[:_SHOWN])
    said = (
        f"{len(rows)} account(s) would be invoiced for {period_month:%Y-%m} "
        f"({', '.join(groups)}). A dry run: nothing was written."
    )
    context.log.info(f"{said}\n{table}")
    context.log_event(
        dg.AssetObservation(
            asset_key=INVOICE_RUN_ASSET,
            description=f"Preview of {period_month:%Y-%m}; nothing was written.",
            metadata={
                "summary": said,
                "would_be_drafted": dg.MetadataValue.md(table),
                "accounts": len(rows),
                "period": f"{period_month:%Y-%m}",
                "bill_groups": ", ".join(groups),
            },
        )
    )
