"""The command that rehearses a change of rules or prices over a month of production."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loaders import database
from loaders.runs.shadow_result import Table
from orchestration.cli.history import actor
from orchestration.cli.output import LOOK_EXIT_CODE, print_json, print_table
from orchestration.lib.impact_report import readable

# Tables and columns that say most; the report has them all.
_SHOWN = {
    "Money": (),
    "Customers": (
        "account",
        "rated_difference",
        "invoice_before",
        "invoice_after",
        "invoice_difference",
        "percent",
        "currency",
    ),
    "Rules": (),
    "New errors": (),
}
_ROWS = 12


def register(app: typer.Typer) -> None:
    """Add shadow."""
    app.command()(shadow)


def shadow(
    period: Annotated[
        str, typer.Argument(help="A month, as 2026-10; the last one drafted by default.")
    ] = "",
    ref: Annotated[
        str, typer.Option(help="Git branch, tag or commit to try; the working tree by default.")
    ] = "",
    base: Annotated[
        str, typer.Option(help="What to compare with; production's last commit by default.")
    ] = "",
    reference: Annotated[
        list[str] | None,
        typer.Option(help="Proposed reference file, as rate=new.csv; may be repeated."),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="The files hold everything there is of their kinds.")
    ] = False,
    bill_group: Annotated[
        list[str] | None, typer.Option(help="Only this bill group; may be repeated.")
    ] = None,
    account: Annotated[
        list[str] | None, typer.Option(help="Only this account; may be repeated.")
    ] = None,
    every: Annotated[int, typer.Option(help="A sample for a quick look: every n-th account.")] = 1,
    known_now: Annotated[
        bool,
        typer.Option(
            "--known-now", help="Reference data of now, not of the month's last rating run."
        ),
    ] = False,
    top: Annotated[int, typer.Option(help="How many single calls and lines to show.")] = 20,
    thresholds: Annotated[
        Path | None, typer.Option(help="TOML file of thresholds instead of impact.toml.")
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(help="One threshold, as customer_amount.fail=50; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for report.md, .html, .json and CSV files.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep its schemas until the next shadow run.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Rate and bill a month by changed rules or prices, beside production, and compare.

    Nothing of production is changed. Exit code 3: beyond the thresholds.
    """
    from orchestration.lib import progress
    from orchestration.lib.shadow import Request, parse_reference, rehearse

    request = Request(
        period=period,
        proposed=ref,
        base=base,
        reference=parse_reference(reference or []),
        full=full,
        bill_groups=tuple(bill_group or ()),
        accounts=tuple(account or ()),
        every=every,
        known_now=known_now,
        keep=keep,
        out=out,
        top=top,
        threshold_file=thresholds,
        thresholds=tuple(threshold or ()),
    )
    database.ensure_database()
    with progress.listening(lambda text: None if text.startswith(" ") else _tell(text)):
        result = rehearse(request, requested_by=actor())
    if as_json:
        print_json(result.to_json())
    else:
        if result.outcome is not None:
            for table in result.outcome.tables:
                if table.title in _SHOWN and table.rows:
                    _print(table)
        for sentence in result.sentences:
            typer.echo(sentence)
        typer.echo(result.headline)
        typer.echo(f"The report: {result.files['html']}")
    if not result.passes:
        raise typer.Exit(LOOK_EXIT_CODE)


def _tell(text: str) -> None:
    typer.echo(text, err=True)


def _print(table: Table) -> None:
    wanted = _SHOWN[table.title] or table.columns
    places = [table.columns.index(name) for name in wanted]
    rows = [[row[place] for place in places] for row in readable(table.rows[:_ROWS])]
    more = len(table.rows) - _ROWS
    title = f"{table.title} (and {more} more)" if more > 0 else table.title
    print_table(title, [name.replace("_", " ") for name in wanted], rows)
