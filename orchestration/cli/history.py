"""`ratehouse files`: what was received, and what a person decides about it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from loaders import database
from loaders.files import actions, history
from loaders.files.names import shown
from loaders.settings import login_name
from orchestration.cli.output import print_facts, print_json, print_table

Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
FileId = Annotated[int, typer.Argument(metavar="ID", help="Number of the file.")]
Reason = Annotated[str, typer.Option(help="Why, in words; kept with the file.")]
Preview = Annotated[
    bool, typer.Option("--preview", help="Only say what would happen; nothing is changed.")
]

group = typer.Typer(
    help="List the files received; show, release, discard and download one.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

_COLUMNS = (
    "file", "name", "carrier", "source", "kind", "layout", "records", "data", "non-data",
    "quarantined", "status", "reason",
)  # fmt: skip
_SIDES = (
    ("file", "file_id"), ("name", "file_name"), ("received", "received_at"),
    ("source", "source_code"), ("layout", "layout_code"), ("status", "status"),
    ("records", "data_count"), ("first record", "first_record"), ("last record", "last_record"),
    ("bytes", "byte_count"), ("sha256", "sha256"),
)  # fmt: skip


def actor() -> str:
    """Who sits at this terminal."""
    return login_name("unknown")


def _connect(role: str = "ratehouse_loader") -> Any:
    return closing(database.connect(role=role, url=database.ensure_database()))


@group.callback()
def files(
    context: typer.Context,
    carrier: Annotated[str | None, typer.Option(help="Only files of this carrier.")] = None,
    source: Annotated[str | None, typer.Option(help="Only files of this source.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only cdr, sdr, mixed or unknown.")] = None,
    status: Annotated[
        str | None, typer.Option(help="Only landed, held, discarded, withdrawn or failed.")
    ] = None,
    period: Annotated[
        str | None,
        typer.Option(help="A month like 2026-10: received in it, or with usage of it."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="A day like 2026-10-05: received then or later.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the files received, newest last."""
    if context.invoked_subcommand is not None:
        return
    chosen = history.FileFilter(carrier, source, kind, status, period, since)
    with _connect(history.LISTING_ROLE) as connection:
        listed = history.list_files(connection, chosen)
    if as_json:
        print_json(listed)
        return
    print_table("Files", _COLUMNS, [list_row(row) for row in listed], empty="none received")


def list_row(row: dict[str, Any]) -> list[Any]:
    """A line of the list, also used by the job that shows it."""
    layout = row["layout_code"]
    return [
        row["file_id"],
        shown(row["file_name"]),
        row["carrier_code"],
        row["source_code"],
        row["file_kind"],
        "" if layout is None else f"{layout} ({row['layout_variant']})",
        row["record_count"],
        row["data_count"],
        row["non_data_count"],
        row["quarantined_count"],
        row["status"],
        row["status_reason"],
    ]


@group.command()
def show(
    file_id: FileId,
    what_if: Annotated[
        bool,
        typer.Option("--what-if", help="Also rate it, in a trial: what it would become and cost."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show one file: counts, bad lines, what happened to it, and what it may repeat."""
    if what_if:
        from orchestration.cli.preview import show_received

        return show_received(file_id, as_json=as_json)
    with _connect() as connection:
        details = history.read_details(connection, file_id)
    if as_json:
        print_json(asdict(details))
        return
    facts = details.facts
    print_facts(
        f"File {file_id}",
        [
            ("name", shown(facts["file_name"])),
            ("came from", shown(facts["origin"])),
            ("received", facts["received_at"]),
            ("carrier", facts["carrier_code"]),
            ("source", facts["source_code"]),
            ("kind", facts["file_kind"]),
            ("status", facts["status"]),
            ("reason", facts["status_reason"]),
            ("in words", facts["detection"].get("explanation")),
            ("released by", facts["released_by"]),
            ("layout", facts["layout_code"]),
            ("variant", facts["layout_variant"]),
            ("scores", _scores(facts["detection"].get("scores"))),
            ("encoding", facts["encoding"]),
            ("compression", facts["compression"]),
            ("bytes", facts["byte_count"]),
            ("sha256", facts["sha256"]),
            ("records", facts["record_count"]),
            ("data", facts["data_count"]),
            ("non-data", facts["non_data_count"]),
            ("quarantined", facts["quarantined_count"]),
            ("stated by the file", facts["trailer_count"]),
            ("number in its row", facts["sequence_number"]),
            ("missing files", _ranges([facts["detection"].get("missing_files")])),
            ("missing records", _ranges(facts["detection"].get("missing_records") or [])),
            ("member of archive", facts["archive_file_id"]),
        ],
    )
    _table("Lines that are no records", ("line_no", "kind", "line"), details.non_data)
    _table(
        "Quarantined lines",
        ("line_no", "reason_code", "field_name", "reason", "line"),
        details.quarantine,
    )
    _table(
        "Files of this archive",
        ("file_id", "file_name", "status", "status_reason", "data_count"),
        details.members,
    )
    for comparison in details.comparisons:
        _print_comparison(comparison)
    if details.remark:
        typer.echo(f"It may repeat another file, but {details.remark}")
    _table("What happened", ("occurred_at", "event", "actor", "reason"), details.events)


def _print_comparison(comparison: history.Comparison) -> None:
    this, other = comparison.this, comparison.other
    print_table(
        f"{comparison.percent.normalize():f} % of this file ({comparison.shared:,} records) "
        f"stand in file {other['file_id']}",
        ("", "this file", "earlier file"),
        [(title, _plain(this.get(name)), _plain(other.get(name))) for title, name in _SIDES],
    )
    for title, rows in (
        ("Only in this file", comparison.only_here),
        (f"Only in file {other['file_id']}", comparison.only_there),
    ):
        if rows:
            print_table(
                f"{title}, first records",
                ("line", "values"),
                [(row["line_no"], shown(_values(row["values"]))) for row in rows],
            )


@group.command()
def release(
    file_id: FileId,
    reason: Reason = "",
    layout: Annotated[
        str | None, typer.Option(help="The layout to read it as, if it was not recognised.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="The source it belongs to, if that was not known.")
    ] = None,
    preview: Preview = False,
    as_json: Json = False,
) -> None:
    """Let a held or discarded file land, whatever held it."""
    with _connect() as connection:
        decision = actions.release(
            connection, file_id, reason=reason, actor=actor(), layout_code=layout,
            source_code=source, preview=preview,
        )  # fmt: skip
    _print_decision(decision, preview, as_json)


@group.command()
def discard(
    file_id: FileId, reason: Reason = "", preview: Preview = False, as_json: Json = False
) -> None:
    """Put a held file aside for good; release takes it back."""
    with _connect() as connection:
        decision = actions.discard(
            connection, file_id, reason=reason, actor=actor(), preview=preview
        )
    _print_decision(decision, preview, as_json)


@group.command()
def download(
    file_id: FileId,
    to: Annotated[
        Path | None, typer.Option(help="File or folder to write to; else this folder.")
    ] = None,
) -> None:
    """Write the file exactly as it was received."""
    with _connect() as connection:
        written = actions.download(connection, file_id, to, actor=actor())
    typer.echo(f"Written: {written}")


def _print_decision(decision: actions.Decision, preview: bool, as_json: bool) -> None:
    if as_json:
        print_json(asdict(decision) | {"is_preview": preview})
        return
    typer.echo(decision.explanation)
    if preview and decision.is_changed:
        typer.echo("This was a preview: nothing was changed.")


def _table(title: str, columns: tuple[str, ...], rows: Iterable[dict[str, Any]]) -> None:
    lines = [[_plain(row[name]) for name in columns] for row in rows]
    if lines:
        print_table(title, [name.replace("_", " ") for name in columns], lines)


def _plain(value: Any) -> Any:
    return shown(value) if isinstance(value, str) else value


def _values(values: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _scores(scores: dict[str, Any] | None) -> str | None:
    best = sorted((scores or {}).items(), key=lambda item: -item[1])[:5]
    return ", ".join(f"{name} {score}" for name, score in best) or None


def _ranges(ranges: list[list[int] | None]) -> str | None:
    shown_ranges = [
        f"{first}" if first == last else f"{first} to {last}"
        for first, last in (one for one in ranges if one)
    ]
    return ", ".join(shown_ranges) or None
