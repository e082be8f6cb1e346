"""The command that lands files."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from loaders import database
from loaders.files import FileResult, load_paths
from loaders.files.names import shown
from orchestration.cli import history
from orchestration.cli.output import (
    LOOK_EXIT_CODE,
    as_records,
    print_json,
    print_table,
)

ERROR_EXIT_CODE = 2
_COLUMNS = (
    "file", "name", "source", "layout", "records", "data", "non-data", "quarantined", "status",
    "reason",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add load and files."""
    app.command()(load)
    app.add_typer(history.group, name="files")


def _connect() -> Any:
    return database.connect(role="ratehouse_loader", url=database.ensure_database())


def load(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders with all they hold.")],
    source: Annotated[
        str | None,
        typer.Option(help="The source they come from; else the folder's name says it."),
    ] = None,
    preview: Annotated[
        bool,
        typer.Option("--preview", help="Only show what they would become; nothing is changed."),
    ] = False,
    limit: Annotated[
        int | None, typer.Option(help="With --preview: at most so many records of each file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Land files. Exit code 3 if a person should look at one of them."""
    if preview:
        from orchestration.cli.preview import preview as show_preview

        return show_preview(paths, source=source, as_json=as_json, limit=limit)
    with closing(_connect()) as connection:
        results = load_paths(connection, paths, source_code=source)
        bad_lines = _first_quarantined(connection, results)
    if as_json:
        print_json([asdict(result) | {"quarantine": bad_lines.get(result.file_id, [])}
                    for result in results])  # fmt: skip
    else:
        print_table("Files", _COLUMNS, [_row(result) for result in results], empty="no files")
        for result in results:
            name = shown(result.file_name)
            if result.explanation and result.status in ("held", "failed"):
                typer.echo(f"{name}: {result.status}: {result.explanation}")
            for line in bad_lines.get(result.file_id, []):
                field = f", {line['field_name']}" if line["field_name"] else ""
                typer.echo(
                    f"{name}, line {line['line_no']}{field}: {line['reason']}"
                )
            hidden = result.quarantined_count - len(bad_lines.get(result.file_id, []))
            if hidden > 0 and result.status == "landed":
                typer.echo(f"{name}: and {hidden:,} more quarantined lines")
    code = exit_code(results)
    if code:
        raise typer.Exit(code)


def exit_code(results: list[FileResult]) -> int:
    """0: nothing to look at. 3: a person should look. 2: something could not be read."""
    worth_a_look = [
        result
        for result in results
        # Hidden files are left alone on purpose: most are uploads that are not complete.
        if result.status_reason != "hidden_file"
    ]
    if any(
        result.status == "failed" and result.status_reason != "symbolic_link"
        for result in worth_a_look
    ):
        return ERROR_EXIT_CODE
    if any(
        result.status in ("held", "failed")
        or (result.status == "landed" and result.quarantined_count)
        for result in worth_a_look
    ):
        return LOOK_EXIT_CODE
    return 0


def _row(result: FileResult) -> list[Any]:
    return [
        result.file_id,
        shown(result.file_name),
        result.source_code,
        _layout(result.layout_code, result.layout_variant),
        result.record_count,
        result.data_count,
        result.non_data_count,
        result.quarantined_count,
        result.status.replace("_", " "),
        result.status_reason or "",
    ]


def _layout(code: str | None, variant: str | None) -> str:
    return "" if code is None else f"{code} ({variant})"


def _first_quarantined(
    connection: Any, results: list[FileResult], limit: int = 5
) -> dict[int | None, list[dict[str, Any]]]:
    """The first bad lines of each file that has just landed."""
    wanted = [
        result.file_id
        for result in results
        if result.status == "landed" and result.quarantined_count
    ]
    found: dict[int | None, list[dict[str, Any]]] = {}
    with connection, connection.cursor() as cursor:
        for file_id in wanted:
            cursor.execute(
                "select line_no, reason_code, field_name, reason from landing.quarantine "
                "where file_id = %s order by line_no limit %s",
                (file_id, limit),
            )
            found[file_id] = as_records(
                ("line_no", "reason_code", "field_name", "reason"), cursor.fetchall()
            )
    return found
