"""The command that drafts invoices."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Any

import typer

from loaders import database, runs
from orchestration.cli.output import as_records, print_json, print_table
from orchestration.lib import figures, posting


def register(app: typer.Typer) -> None:
    """Add bill."""
    app.command()(bill)


def bill(
    period: Annotated[str, typer.Argument(help="The month the period starts in, as 2026-10.")],
    bill_group: Annotated[
        str, typer.Option("--bill-group", help="One bill group; all of them by default.")
    ] = "all",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be drafted.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Draft the invoices of a period. A draft may be rebuilt until it is approved."""
    from orchestration.lib.billing_preview import PREVIEW_COLUMNS, preview_bill

    runs.parse_period(period)  # refused before anything starts
    if dry_run:
        # Reads only, so it needs neither Dagster nor dbt.
        with closing(database.connect(url=database.ensure_database())) as connection:
            groups = runs.choose_bill_groups(connection, bill_group)
            rows = preview_bill(connection, runs.parse_period(period), groups)
        if as_json:
            print_json(as_records(PREVIEW_COLUMNS, rows))
            return
        print_table(
            f"Would be drafted for {period} (before rounding; nothing was written)",
            [name.replace("_", " ") for name in PREVIEW_COLUMNS],
            rows,
            empty="nothing is billed in this period",
        )
        return
    drafts = draft(period, bill_group)
    with closing(database.connect()) as connection:
        rows = figures.top_invoice_rows(connection, [d["invoice_run_id"] for d in drafts])
        proposals = [runs.propose(connection, d["invoice_run_id"]) for d in drafts]
    if as_json:
        print_json({"drafts": drafts, "top_invoices": as_records(figures.INVOICE_COLUMNS, rows)})
        return
    print_table(f"Largest invoices of {period} (drafts)", figures.INVOICE_COLUMNS, rows)
    for proposal in proposals:
        typer.echo(posting.describe_proposal(proposal))
    typer.echo(f"Look at the gates, then approve: ratehouse approve {period}")


def draft(period: str, bill_group: str) -> list[dict[str, Any]]:
    """Run the job; what became of each bill group."""
    from orchestration.lib.execution import run_job

    config = {"period": period, "bill_group": bill_group, "dry_run": False}
    result = run_job("billing_run", {"billing_models": config})
    shown = ("invoice_run_id", "period", "bill_group", "invoices", "lines", "is_changed")
    return [
        {name: metadata[name] for name in shown}
        for metadata in result.metadata_of("runs/invoice_run")
    ]
