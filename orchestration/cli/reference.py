"""Commands that load reference data: customers, services, plans, decks, number plans."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from loaders import database
from loaders.reference import KINDS, ReferenceResult, load_folder, load_reference
from orchestration.cli.output import print_json, print_table

_FULL = typer.Option(
    "--full", help="The file is everything there is: rows it lacks are closed. Default: partial."
)
_JSON = typer.Option("--json", help="Machine-readable output.")


def register(app: typer.Typer) -> None:
    """Add reference load and reference load-all."""
    group = typer.Typer(
        help="Load reference data (dated twice; nothing is ever overwritten).",
        no_args_is_help=True,
    )
    group.command("load")(load)
    group.command("load-all")(load_all)
    app.add_typer(group, name="reference")


def _connect() -> Any:
    return database.connect(role="ratehouse_loader", url=database.ensure_database())


def load(
    kind: Annotated[str, typer.Argument(help="One of: " + ", ".join(KINDS) + ".")],
    file: Annotated[Path, typer.Argument(help="CSV with a header, or the numbering report.")],
    full: Annotated[bool, _FULL] = False,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Load one reference file, whole or not at all."""
    with closing(_connect()) as connection:
        _show([load_reference(connection, kind, file, full=full)], as_json)


def load_all(
    folder: Annotated[Path, typer.Argument(help="Folder with <kind>.csv files.")],
    full: Annotated[bool, _FULL] = False,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Load every reference file of a folder, in the order in which they need one another."""
    with closing(_connect()) as connection:
        _show(load_folder(connection, folder, full=full), as_json)


def _show(results: list[ReferenceResult], as_json: bool) -> None:
    if as_json:
        print_json([asdict(result) for result in results])
        return
    print_table(
        "Reference data",
        ["kind", "file", "rows", "new", "changed", "closed", "unchanged", "skipped", "load"],
        [
            [
                result.kind, result.file_name, result.rows_read, result.rows_added,
                result.rows_changed, result.rows_closed, result.rows_unchanged,
                result.rows_skipped, result.reference_load_id,
            ]
            for result in results
        ],
    )  # fmt: skip
