"""Commands for the months of the facts: sizes, upkeep, archive; and the full proof."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.history import actor
from orchestration.cli.output import LOOK_EXIT_CODE, as_records, print_json, print_table

Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
Month = Annotated[str, typer.Argument(help="Month, as 2024-01.")]
Folder = Annotated[Path | None, typer.Option("--folder", help="Folder of the files.")]
Reason = Annotated[str, typer.Option(help="Why, in words; kept.")]

group = typer.Typer(no_args_is_help=True, help="Months of usage: sizes, upkeep, archive.")


def register(app: typer.Typer) -> None:
    """Add the group partitions, and prove."""
    app.add_typer(group, name="partitions")
    app.command()(prove)


@group.command("list")
def list_partitions(as_json: Json = False) -> None:
    """Every month of every fact, where it is and how large."""
    from orchestration.lib import partitions as lib

    with lib.connect() as connection:
        rows = lib.overview(connection)
    if as_json:
        print_json(as_records(lib.PARTITION_COLUMNS, rows))
    else:
        print_table("Months", lib.PARTITION_COLUMNS, rows, empty="nothing was rated yet")


@group.command()
def indexes(as_json: Json = False) -> None:
    """How the indexes are used; what may go, and what may be missing."""
    from orchestration.lib import partitions as lib

    with lib.connect() as connection:
        rows = lib.indexes(connection)
    if as_json:
        print_json(as_records(lib.INDEX_COLUMNS, rows))
    else:
        print_table("Indexes", lib.INDEX_COLUMNS, rows)


@group.command()
def keep(
    ahead: Annotated[int, typer.Option(min=0, max=24, help="Months to make ahead.")] = 3,
) -> None:
    """Make months ahead, set autovacuum, renew statistics."""
    from orchestration.lib import partitions as lib

    with lib.connect() as connection:
        for line in lib.keep(connection, ahead):
            typer.echo(line)


@group.command()
def archive(
    month: Month,
    folder: Folder = None,
    reason: Reason = "",
    recent: Annotated[
        bool, typer.Option("--recent", help="Although drafts may still look back as far.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Move a closed month into Parquet files, checked before it leaves the database."""
    from orchestration.lib import partitions as lib

    with lib.connect() as connection:
        rows = lib.archive(
            connection, month, folder or lib.archive_folder(), reason=reason, actor=actor(),
            recent=recent,
        )  # fmt: skip
    _show("Archived", rows, as_json)


@group.command()
def attach(month: Month, folder: Folder = None, reason: Reason = "", as_json: Json = False) -> None:
    """Read an archived month back; its checksum must be the same."""
    from orchestration.lib import partitions as lib

    with lib.connect() as connection:
        rows = lib.attach(
            connection, month, folder or lib.archive_folder(), reason=reason, actor=actor()
        )
    _show("Read back", rows, as_json)


def _show(title: str, rows: list[tuple[object, ...]], as_json: bool) -> None:
    from orchestration.lib import partitions as lib

    if as_json:
        print_json(as_records(lib.MOVED_COLUMNS, rows))
    else:
        print_table(title, lib.MOVED_COLUMNS, rows)


def prove(as_json: Json = False) -> None:
    """Work everything out again from the whole history, and compare. Changes nothing."""
    from orchestration.lib import prove as lib

    found = lib.prove_warehouse()
    if as_json:
        print_json(as_records(lib.COLUMNS, lib.rows(found)))
    else:
        print_table("Full proof", lib.COLUMNS, lib.rows(found))
    if not all(proof.holds for proof in found):
        raise typer.Exit(LOOK_EXIT_CODE)
