"""Commands that show and write invoices, and the evidence of a billing run."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from loaders import database
from orchestration.cli.output import (
    LOOK_EXIT_CODE,
    as_records,
    print_facts,
    print_json,
    print_table,
)

Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
Group = Annotated[str, typer.Option("--bill-group", help="One bill group; all of them by default.")]
Key = Annotated[
    str,
    typer.Argument(metavar="NUMBER|DRAFT", help="An invoice number, or DRAFT-2026-10-ACME-USD."),
]

invoices = typer.Typer(
    help="List, show and write invoices, posted or drafts.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add invoice list|show|export, and evidence."""
    app.add_typer(invoices, name="invoice")
    app.command()(evidence)


def _connect() -> Any:
    return closing(database.connect(url=database.ensure_database()))


@invoices.command("list")
def list_(
    period: Annotated[str, typer.Argument(help="The month the period starts in, as 2026-10.")],
    bill_group: Group = "all",
    as_json: Json = False,
) -> None:
    """The documents of a period: posted, and drafts of what would be posted next."""
    from orchestration.lib import documents as lib

    with _connect() as connection:
        rows = lib.head_rows(lib.list_documents(connection, period, bill_group))
    if as_json:
        print_json(as_records(lib.HEAD_COLUMNS, rows))
        return
    print_table(f"Documents of {period}", lib.HEAD_COLUMNS, rows)


@invoices.command("show")
def show(key: Key, as_json: Json = False) -> None:
    """One document: totals and lines. Its register is written by export."""
    from orchestration.lib import documents as lib

    with _connect() as connection:
        head, lines = lib.show(connection, key)
    if as_json:
        print_json({"document": dict(head), "lines": [dict(line) for line in lines]})
        return
    (row,) = lib.head_rows([head])
    print_facts(
        f"{head['invoice_kind'].replace('_', ' ').capitalize()} {key}",
        [
            ("account", f"{head['account_code']} {head['customer_name']}"),
            ("period", f"{head['first_day']} to {head['last_day']} ({head['time_zone']})"),
            ("date", head["invoice_date"]),
            ("due", head["due_date"]),
            ("adjusts", head["adjusts_label"]),
        ],
    )
    print_table("Lines", lib.LINE_COLUMNS, lib.line_rows(lines))
    totals = dict(zip(lib.HEAD_COLUMNS, row, strict=True))
    print_facts(
        "Totals", [(name, totals[name]) for name in ("net", "tax", "rounding", "total", "currency")]
    )


@invoices.command("export")
def export(
    key: Annotated[
        str,
        typer.Argument(metavar="[NUMBER|DRAFT]", help="One document; or name a period or run."),
    ] = "",
    period: Annotated[str, typer.Option(help="All documents of a period, as a zip.")] = "",
    bill_group: Group = "all",
    run: Annotated[int, typer.Option(help="All documents of an invoice run, as a zip.")] = 0,
    file_format: Annotated[
        str, typer.Option("--format", help="pdf, csv, json, several with commas, or all.")
    ] = "pdf",
    to: Annotated[
        Path | None,
        typer.Option(help="A folder for one document, a zip for many; `exports` by default."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write invoices as PDF, CSV (lines and register) or JSON.

    The same document gives the same bytes.
    """
    from orchestration.lib import documents as lib
    from orchestration.lib import paths

    formats = lib.formats_of(file_format)
    if bool(key) == bool(period or run):
        raise typer.BadParameter("name one document, or --period, or --run")
    with _connect() as connection:
        if key:
            written = lib.write_one(connection, key, formats, to)
            target = None
        else:
            target = to or paths.export_folder() / lib.zip_name(period, bill_group, run, formats)
            selections = lib.select(connection, period=period, bill_group=bill_group, run_id=run)
            written = lib.write_many(connection, selections, formats, target)
    if as_json:
        print_json([vars(file) for file in written])
    elif target is not None:
        typer.echo(f"{len(written)} files in {target}")
    else:
        for file in written:
            typer.echo(f"{file.name} ({file.byte_count:,} bytes, sha256 {file.sha256})")


def evidence(
    run: Annotated[
        str, typer.Argument(metavar="RUN|verify", help="An invoice run, or the word verify.")
    ],
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The pack to verify.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="The zip to write; in `exports` by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write what proves a billing run into a zip, or check such a zip against the database."""
    from orchestration.lib import evidence as lib

    if run == "verify":
        if file is None:
            raise typer.BadParameter("name the pack: ratehouse evidence verify FILE")
        with _connect() as connection:
            result = lib.verify(connection, file)
        if as_json:
            print_json({"is_whole": result.is_whole, "findings": result.findings})
        else:
            print_table("Evidence", lib.FINDING_COLUMNS, lib.finding_rows(result))
            typer.echo(lib.describe_verdict(result))
        if not result.is_whole:
            raise typer.Exit(LOOK_EXIT_CODE)
        return
    if not run.isdecimal():
        raise typer.BadParameter("name an invoice run by its number, or say: verify FILE")
    with _connect() as connection:
        pack = lib.write(connection, int(run), to)
    if as_json:
        print_json({"path": str(pack.path), "sha256": pack.sha256, "members": pack.members})
        return
    print_facts(
        f"{len(pack.members)} members in {pack.path}",
        [("sha256", pack.sha256), ("invoice run", pack.invoice_run_id), ("status", pack.status)],
    )
    typer.echo(pack.statement)
