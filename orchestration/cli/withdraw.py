"""Commands that withdraw a file with everything it caused, and take that back."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Any

import typer

from loaders import database, runs
from orchestration.cli.history import FileId, Json, Reason, actor, group
from orchestration.cli.output import print_json, print_table
from orchestration.lib import paths, withdrawal

Yes = Annotated[bool, typer.Option("--yes", help="Do it; without it is only shown.")]


def register(_: typer.Typer) -> None:
    """Add delete and restore to the commands about files."""
    group.command()(delete)
    group.command()(restore)


def delete(
    file_id: FileId, reason: Reason, yes: Yes = False, as_json: Json = False
) -> None:
    """Withdraw a file: its usage, charges and draft lines count no more. Previews without --yes.

    Nothing is erased, `restore` brings it back. Refused if money of it stands on an invoice.
    """
    _run(file_id, reason, restore=False, is_preview=not yes, as_json=as_json)


def restore(
    file_id: FileId, reason: Reason, yes: Yes = False, as_json: Json = False
) -> None:
    """Take the withdrawal of a file back: what it caused counts again. Previews without --yes."""
    _run(file_id, reason, restore=True, is_preview=not yes, as_json=as_json)


def _run(file_id: int, reason: str, *, restore: bool, is_preview: bool, as_json: bool) -> None:
    show = runs.preview_restore if restore else runs.preview_withdrawal
    verb = "restored" if restore else "withdrawn"
    with closing(database.connect(url=database.ensure_database())) as connection:
        # Killed after the file itself was done: only what follows from it is left.
        is_begun = not is_preview and runs.is_withdrawn(connection, file_id) is not restore
        preview = (
            None if is_begun else show(connection, file_id, build_schema=paths.build_schema())
        )
    if preview is not None and not as_json:
        print_table(
            f"File {file_id}, {preview.file_name} ({preview.source_code})",
            withdrawal.COLUMNS,
            withdrawal.record_rows(preview),
            empty="nothing is rated",
        )
        for sentence in withdrawal.sentences(preview):
            typer.echo(sentence)
    if preview is not None and (preview.invoices_in_the_way or is_preview):
        if as_json:
            print_json({"changed": False, **withdrawal.as_json(preview)})
        runs.refuse_invoices(
            preview.invoices_in_the_way,
            f"file {file_id} ({preview.file_name}) cannot be {verb}",
        )
        if not as_json:
            typer.echo("Nothing was changed. Do it with --yes.")
        return
    done = _do(file_id, reason, restore)
    if as_json:
        shown = {} if preview is None else withdrawal.as_json(preview)
        print_json({"changed": True, **shown, "status": verb, "runs": done})
        return
    for run in done:
        typer.echo(f"Rating run {run['rating_run_id']} ({run['kind']}) balances and is closed.")
    typer.echo(
        f"File {file_id} is {verb}. "
        + ("" if restore else f"`ratehouse files restore {file_id}` takes that back.")
    )


def _do(file_id: int, reason: str, restore: bool) -> list[dict[str, Any]]:
    from orchestration.lib.execution import run_job

    config = {"file_id": file_id, "restore": restore, "reason": reason, "preview": False}
    result = run_job(
        "withdraw_file",
        {"withdraw_or_restore_file": config},
        requested_by=actor(),
    )
    return [
        {name: metadata[name] for name in ("rating_run_id", "kind")}
        for metadata in result.metadata_of("runs/rating_run")
    ]
