"""The command that writes what the marts say into a file."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from loaders import database
from orchestration.cli.output import print_facts, print_json


def register(app: typer.Typer) -> None:
    """Add export."""
    app.command()(export)


def export(
    dataset: Annotated[str, typer.Argument(metavar="usage|charges", help="What to export.")],
    to: Annotated[
        Path | None, typer.Option(help="The zip to write; by default in the folder `exports`.")
    ] = None,
    period: Annotated[str, typer.Option(help="Billing period, as 2026-10.")] = "",
    usage_type: Annotated[
        str, typer.Option("--type", help="voice, sms, mms, data, feature or other.")
    ] = "",
    account: Annotated[str, typer.Option(help="Only this account.")] = "",
    carrier: Annotated[str, typer.Option(help="Only sources of this carrier.")] = "",
    source: Annotated[str, typer.Option(help="Only this source.")] = "",
    state: Annotated[
        str, typer.Option(help="Only billed, not_billable, duplicate or error.")
    ] = "",
    columns: Annotated[
        str, typer.Option(help="Columns in the order wanted, with commas; all by default.")
    ] = "",
    file_format: Annotated[str, typer.Option("--format", help="csv or parquet.")] = "csv",
    where: Annotated[
        str,
        typer.Option(
            help='A condition, as {"any": [["retail_amount", ">", 1], {"all": [...]}]}; '
            "@FILE reads it from a file."
        ),
    ] = "",
    unmasked: Annotated[
        bool, typer.Option("--unmasked", help="Numbers and names whole; you must be allowed to.")
    ] = False,
    large: Annotated[
        bool, typer.Option("--large", help="Even if it reads very many rows.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file if it exists.")
    ] = False,
    show_query: Annotated[
        bool, typer.Option("--show-query", help="Only show the SQL; it runs as bi_reader.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Write rated usage or charges into a zip. Times are UTC.

    The same question on the same data gives the same bytes.
    """
    from loaders import export as exports
    from orchestration.lib import paths

    question = exports.Question(
        dataset=dataset,
        period=period,
        usage_type=usage_type,
        account=account,
        carrier=carrier,
        source=source,
        state=state,
        columns=tuple(name.strip() for name in columns.split(",") if name.strip()),
        format=file_format,
        where=_read_condition(where),
        unmasked=unmasked,
    )
    target = (to or paths.export_folder() / question.file_name()).absolute()
    with closing(database.connect(url=database.ensure_database())) as connection:
        if show_query:
            typer.echo(exports.show_query(connection, question))
            return
        result = exports.export(connection, question, target, overwrite=overwrite, large=large)
    if as_json:
        print_json(asdict(result))
        return
    print_facts(
        f"{result.row_count:,} rows in {result.path}",
        [
            ("member", result.member),
            ("sha256", result.sha256),
            ("zip bytes", result.byte_count),
            ("rating runs", ", ".join(map(str, result.rating_runs))),
        ],
    )


def _read_condition(text: str) -> str:
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{text[1:]} cannot be read: {error}") from error
