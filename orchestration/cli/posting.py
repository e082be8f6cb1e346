"""The commands from draft to ledger: approve, post, reopen, close."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Any

import typer

from loaders import database, runs
from orchestration.cli.history import actor
from orchestration.cli.output import as_records, print_json, print_table
from orchestration.lib import posting as lib

Period = Annotated[str, typer.Argument(help="The month the period starts in, as 2026-10.")]
Group = Annotated[str, typer.Option("--bill-group", help="One bill group; all of them by default.")]
OneGroup = Annotated[str, typer.Option("--bill-group", help="The bill group.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in words; it is kept.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without it is only shown.")]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def register(app: typer.Typer) -> None:
    """Add approve, post, reopen, close."""
    for command in (approve, post, reopen, close):
        app.command()(command)


def _connect() -> Any:
    return closing(database.connect(url=database.ensure_database()))


def approve(
    period: Period,
    bill_group: Group = "all",
    reason: Reason = "",
    override: Annotated[
        list[str] | None,
        typer.Option(help="Let a blocked gate pass: gate='why'. May be given several times."),
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Approve the drafts of a period. Shows gates and what would be posted without --yes."""
    overrides = lib.parse_overrides(override or [])
    with _connect() as connection:
        if yes:
            proposals = lib.approve(
                connection, period, bill_group, who=actor(), reason=reason, overrides=overrides
            )
        else:
            proposals = lib.look(connection, period, bill_group)
    _show(proposals, as_json)
    if not yes and not as_json:
        typer.echo("Nothing was changed. Approve with --yes and --reason.")


def post(
    period: Period,
    bill_group: Group = "all",
    reason: Reason = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Post what is approved into the ledger: numbered, and never changed again."""
    with _connect() as connection:
        if not yes:
            _show(lib.look(connection, period, bill_group), as_json)
            if not as_json:
                typer.echo("Nothing was posted. Post with --yes.")
            return
        postings = lib.post(connection, period, bill_group, who=actor(), reason=reason or None)
    if as_json:
        print_json(
            [
                {
                    "invoice_run_id": posting.invoice_run_id,
                    "bill_group": posting.bill_group,
                    "round": posting.round_no,
                    "is_new": posting.is_new,
                    "totals": posting.totals,
                    "carried_lines": posting.carried_count,
                    "invoices": as_records(lib.INVOICE_COLUMNS, lib.invoice_rows(posting)),
                }
                for posting in postings
            ]
        )
        return
    for posting in postings:
        typer.echo(lib.describe_posting(posting))
        if posting.invoices:
            print_table("Posted", lib.INVOICE_COLUMNS, lib.invoice_rows(posting))


def reopen(period: Period, bill_group: OneGroup, reason: Reason) -> None:
    """Take the approval of a draft back. Refused once it is posted."""
    with _connect() as connection:
        typer.echo(lib.reopen(connection, period, bill_group, who=actor(), reason=reason))


def close(
    period: Period,
    bill_group: Group = "all",
    reason: Reason = "",
    force: Annotated[bool, typer.Option("--force", help="Although something is open.")] = False,
    yes: Yes = False,
) -> None:
    """Close a period: its first invoices are final. Shows what is open without --yes."""
    with _connect() as connection:
        states = (
            lib.close(connection, period, bill_group, who=actor(), reason=reason, force=force)
            if yes
            else lib.states(connection, period, bill_group)
        )
    for state in states:
        typer.echo(lib.describe_state(state))
    if not states:
        typer.echo(f"No billing run of {period}: name the bill group to close it unbilled.")
    if not yes:
        typer.echo("Nothing was changed. Close with --yes and --reason.")


def _show(proposals: list[runs.Proposal], as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "invoice_run_id": proposal.invoice_run_id,
                    "bill_group": proposal.bill_group,
                    "round": proposal.round_no,
                    "status": proposal.status,
                    "to_post": proposal.to_post,
                    "gates": as_records(lib.GATE_COLUMNS, lib.gate_rows(proposal)),
                    "documents": as_records(lib.DOCUMENT_COLUMNS, lib.document_rows(proposal)),
                }
                for proposal in proposals
            ]
        )
        return
    for proposal in proposals:
        print_table("Gates", lib.GATE_COLUMNS, lib.gate_rows(proposal))
        print_table(
            "To be posted", lib.DOCUMENT_COLUMNS, lib.document_rows(proposal),
            empty="nothing has changed since the last posting",
        )  # fmt: skip
        typer.echo(lib.describe_proposal(proposal))
