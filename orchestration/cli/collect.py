"""Commands that fetch files from suppliers, and show how their feeds do."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import Annotated

import typer

from loaders import database
from loaders.errors import RatehouseError
from orchestration.cli.output import LOOK_EXIT_CODE, as_records, print_json, print_table
from orchestration.lib.collect import COLLECTED_COLUMNS, collected_row, summary

Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
_HEALTH = (
    "source_code", "cadence", "collectors", "last_received_at", "last_file_name", "held_count",
    "expected_by", "is_overdue", "last_looked_at", "last_error",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add collect and sources."""
    app.command()(collect)
    app.command()(sources)


def collect(
    collectors: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[COLLECTOR...]",
            help="Only these; else every enabled one. `test COLLECTOR`: connect, list, and say "
            "what would be taken and why the rest would not.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be taken.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fetch what suppliers have put out, and land it. Exit code 3 if a person should look."""
    from loaders.collect import Patience
    from loaders.collect import collect as run

    codes = collectors or []
    patience = None
    if codes[:1] == ["test"]:
        codes = codes[1:]
        if not codes:
            raise RatehouseError("which one? ratehouse collect test COLLECTOR")
        # Somebody waits for the answer.
        dry_run, patience = True, Patience(attempts=1)
    with closing(
        database.connect(role="ratehouse_loader", url=database.ensure_database())
    ) as connection:
        results = run(
            connection,
            codes,
            dry_run=dry_run,
            patience=patience,
            say=lambda text: typer.echo(text, err=True),
        )
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        if not results:
            typer.echo("No collector is declared: ratehouse reference load collector FILE")
        for result in results:
            title = f"{result.collector_code}: {summary(result)}"
            rows = [
                collected_row(file) for file in result.files if dry_run or file.state != "known"
            ]
            print_table(title, COLLECTED_COLUMNS, rows, empty="nothing new")
            if result.error:
                typer.echo(result.error)
    if any(result.status == "failed" for result in results):
        raise typer.Exit(2)
    if any(
        result.count("failed") or any(file.load_status == "held" for file in result.files)
        for result in results
    ):
        raise typer.Exit(LOOK_EXIT_CODE)


def sources(as_json: Json = False) -> None:
    """Health of the feeds: last file, when the next is expected. Exit code 3 if one is overdue."""
    from orchestration.lib.collect import HEALTH_COLUMNS, health_rows

    with closing(database.connect(url=database.ensure_database())) as connection:
        rows = as_records(HEALTH_COLUMNS, health_rows(connection))
    if as_json:
        print_json(rows)
    else:
        print_table(
            "Sources (times in UTC)",
            [name.replace("_", " ") for name in _HEALTH],
            [[row[name] for name in _HEALTH] for row in rows],
            empty="none declared",
        )
    if any(row["is_overdue"] for row in rows):
        raise typer.Exit(LOOK_EXIT_CODE)
