"""Commands that show what a supplier's rate sheet changes, and import it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from loaders import database
from orchestration.cli.output import LOOK_EXIT_CODE, print_facts, print_json, print_table

File = Annotated[Path, typer.Argument(help="CSV in any dialect, .xlsx, or either gzipped.")]
Deck = Annotated[str, typer.Option(help="The deck the sheet is for.")]
Effective = Annotated[
    str, typer.Option(help="From when rows without a date (and ASAP) hold: a date or `beginning`.")
]
Full = Annotated[
    bool | None,
    typer.Option("--full/--partial", help="The sheet is the whole list, or only changes."),
]
DateOrder = Annotated[str, typer.Option(help="dmy or mdy, where the sheet does not prove it.")]
DecimalMark = Annotated[str, typer.Option(help="Decimal mark, where 1,234 has two readings.")]
Codes = Annotated[
    str, typer.Option(help="list or number: whether `44 20` is two codes, or one.")
]
Hyphen = Annotated[str, typer.Option(help="range or group: whether `1-9` is nine codes, or one.")]
CodePrefix = Annotated[str, typer.Option(help="Digits in front of every code, such as 1.")]
TimeZone = Annotated[str, typer.Option(help="Zone in which the sheet's days begin.")]
SheetName = Annotated[list[str] | None, typer.Option("--sheet", help="Only this sheet.")]
Columns = Annotated[
    str, typer.Option(help="Columns of a sheet without a header: code,-,price (- is none).")
]
Column = Annotated[
    list[str] | None, typer.Option("--column", help="Name a column: price=Rate 2.")
]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", help="Do not read this column.")]
Increment = Annotated[
    list[str] | None,
    typer.Option("--increment", help="Increments of a destination (or *): MEXICO=60/60, *=row."),
]
Pending = Annotated[
    str, typer.Option(help="refuse, keep or replace prices already known for later.")
]
Closed = Annotated[
    str, typer.Option(help="Calls to closed codes: fallback (shorter code prices them) or blocked.")
]
NoticeDays = Annotated[int, typer.Option(help="Days of notice an increase needs.")]
Notice = Annotated[str, typer.Option(help="warn or refuse where notice is too short.")]
Received = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="When the sheet came; today.")
]
Month = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m"], help="Month of the estimate; the last full one."),
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def register(app: typer.Typer) -> None:
    """Add deck preview and deck import."""
    group = typer.Typer(help="Rate decks: suppliers' price lists.", no_args_is_help=True)
    group.command("preview")(preview)
    group.command("import")(import_)
    app.add_typer(group, name="deck")


def preview(
    file: File, deck: Deck, effective: Effective = "", full: Full = None,
    date_order: DateOrder = "", decimal_mark: DecimalMark = "", codes: Codes = "",
    hyphen: Hyphen = "", code_prefix: CodePrefix = "", time_zone: TimeZone = "UTC",
    sheet: SheetName = None, columns: Columns = "", column: Column = None,
    ignore: Ignore = None, increment: Increment = None, pending: Pending = "refuse",
    closed: Closed = "fallback", notice_days: NoticeDays = 7, notice: Notice = "warn",
    received: Received = None, month: Month = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Compare a rate sheet with the deck in force. Changes nothing. Exit code 3: have a look."""
    _run(locals(), is_preview=True)


def import_(
    file: File, deck: Deck, effective: Effective = "", full: Full = None,
    date_order: DateOrder = "", decimal_mark: DecimalMark = "", codes: Codes = "",
    hyphen: Hyphen = "", code_prefix: CodePrefix = "", time_zone: TimeZone = "UTC",
    sheet: SheetName = None, columns: Columns = "", column: Column = None,
    ignore: Ignore = None, increment: Increment = None, pending: Pending = "refuse",
    closed: Closed = "fallback", notice_days: NoticeDays = 7, notice: Notice = "warn",
    received: Received = None, month: Month = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without it is only shown.")
    ] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Import a rate sheet, whole or not at all. Previews without --yes."""
    given = {name: value for name, value in locals().items() if name != "yes"}
    _run(given, is_preview=not yes)


def _run(given: dict[str, Any], *, is_preview: bool) -> None:
    from loaders import decks
    from orchestration.lib import paths

    file, deck, as_json = given.pop("file"), given.pop("deck"), given.pop("as_json")
    options = _options(decks, given)
    run = decks.preview_deck if is_preview else decks.import_deck
    with closing(database.connect(url=database.ensure_database())) as connection:
        result = run(connection, file, deck, options, build_schema=paths.build_schema())
    shown = result.preview if isinstance(result, decks.DeckImport) else result
    load = result.load if isinstance(result, decks.DeckImport) else None
    _show(shown, load, as_json)
    if is_preview and (shown.question or shown.difference.warnings):
        raise typer.Exit(LOOK_EXIT_CODE)


def _options(decks: Any, given: dict[str, Any]) -> Any:
    month: datetime | None = given["month"]
    received: datetime | None = given["received"]
    return decks.DeckOptions(
        effective=given["effective"],
        is_full=given["full"],
        date_order=given["date_order"],
        decimal_mark=given["decimal_mark"],
        codes=given["codes"],
        hyphen=given["hyphen"],
        code_prefix=given["code_prefix"],
        time_zone=given["time_zone"],
        sheets=tuple(given["sheet"] or ()),
        columns=tuple(name.strip() for name in given["columns"].split(",") if name.strip()),
        column=decks.parse_columns(given["column"] or ()),
        ignore=tuple(given["ignore"] or ()),
        increments=decks.parse_increments(given["increment"] or ()),
        pending=given["pending"],
        closed=given["closed"],
        notice_days=given["notice_days"],
        notice=given["notice"],
        received=None if received is None else received.date(),
        month=None if month is None else date(month.year, month.month, 1),
    )


def _show(preview: Any, load: Any, as_json: bool) -> None:
    from orchestration.lib import decks as words

    if as_json:
        print_json(
            {"changed": load is not None, **words.as_json(preview),
             "load": None if load is None else asdict(load)}
        )  # fmt: skip
        return
    print_facts(
        f"{preview.file_name} against deck {preview.deck_code}: {preview.row_count:,} rows, "
        f"{preview.difference.code_count:,} codes",
        [(name, f"{count:,}") for name, count in words.count_rows(preview)],
    )
    print_table(
        "Largest changes", words.CHANGE_COLUMNS, words.change_rows(preview), empty="nothing changes"
    )
    if rows := words.effect_rows(preview):
        print_table("Traffic that would cost something else", words.EFFECT_COLUMNS, rows)
    for sentence in words.sentences(preview):
        typer.echo(sentence)
    if preview.question:
        typer.echo(f"Before an import: {preview.question}.")
    if load is None:
        typer.echo("Nothing was changed. `ratehouse deck import ... --yes` does it.")
    else:
        typer.echo(
            f"Load {load.reference_load_id}: {load.rows_added:,} rows of reference.rate new, "
            f"{load.rows_changed:,} changed, {load.rows_closed:,} ended."
        )
