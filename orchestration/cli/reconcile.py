"""`ratehouse reconcile-carrier`: a carrier's bill against our own calls."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from loaders import database
from orchestration.cli.history import actor
from orchestration.cli.output import LOOK_EXIT_CODE, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add reconcile-carrier."""
    app.command("reconcile-carrier")(reconcile)


def reconcile(
    period: Annotated[
        str, typer.Argument(help="Month as 2026-10 (UTC), or from when on, with --to.")
    ],
    ours: Annotated[list[str], typer.Option("--ours", help="Source of our calls; several times.")],
    theirs: Annotated[
        list[str] | None, typer.Option("--theirs", help="Source of the carrier's records.")
    ] = None,
    to_time: Annotated[str, typer.Option("--to", help="Until when, exclusive.")] = "",
    charges: Annotated[
        list[str] | None, typer.Option(help="Source of the carrier's charge records (SDR).")
    ] = None,
    invoice_total: Annotated[
        str, typer.Option(help="What the carrier's invoice says, as '1234.50 USD'.")
    ] = "",
    direction: Annotated[str, typer.Option(help="Only our outbound or inbound calls.")] = "",
    start_tolerance: Annotated[
        str, typer.Option(help="Seconds between the starts of one call.")
    ] = "60",
    seconds_tolerance: Annotated[
        str, typer.Option(help="Seconds by which durations may differ.")
    ] = "2",
    amount_tolerance: Annotated[
        str, typer.Option(help="Amount by which a call may differ.")
    ] = "0.0001",
    ignore_callers: Annotated[
        bool, typer.Option("--ignore-callers", help="The carrier replaces calling numbers.")
    ] = False,
    dispute: Annotated[
        Path | None, typer.Option(help="Write what to claim into this CSV file.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace that file if it exists.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Keep the result; without it is only shown.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Check a carrier's bill, call by call. Exit code 3: something differs."""
    from orchestration.lib import reconcile as lib

    asked = lib.question(
        ours, theirs or (), period, to_time, charge_sources=charges or (), direction=direction,
        start_tolerance=start_tolerance, seconds_tolerance=seconds_tolerance,
        amount_tolerance=amount_tolerance, match_callers=not ignore_callers,
        invoice_total=invoice_total,
    )  # fmt: skip
    with closing(database.connect(url=database.ensure_database())) as connection:
        result = lib.run(
            connection, asked, preview=not yes, dispute_file=dispute, overwrite=overwrite,
            actor=actor(),
        )  # fmt: skip
    if as_json:
        print_json(asdict(result))
    else:
        typer.echo(lib.describe(result))
        for title, columns, rows in lib.sections(result):
            if rows:
                print_table(title, columns, rows)
        if dispute is not None:
            typer.echo(f"{result.dispute_count} claims in {dispute}")
    if not result.is_agreed:
        raise typer.Exit(LOOK_EXIT_CODE)
