"""How commands print: tables for people, JSON for programs, exit codes for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from orchestration.lib.tables import cell

# 0: all is well. 3: a person must look. 2: it could not be done.
LOOK_EXIT_CODE = 3


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "none"
) -> None:
    """A table whose numbers stand right; one sentence if there are no rows."""
    rows = [list(row) for row in rows]
    if not rows:
        typer.echo(f"{title}: {empty}")
        return
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for number, column in enumerate(columns):
        is_number = all(
            isinstance(row[number], int | float | Decimal | None)
            and not isinstance(row[number], bool)
            for row in rows
        )
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    _console().print(table)


def print_facts(title: str, facts: Iterable[tuple[str, Any]]) -> None:
    """Names and values, one per line; what has no value is left out."""
    shown = [(name, cell(value)) for name, value in facts if value not in (None, "")]
    if not shown:
        return
    typer.secho(title, bold=True)
    width = max(len(name) for name, _ in shown)
    for name, value in shown:
        typer.echo(f"  {name.ljust(width)}  {value}")


def print_json(value: Any) -> None:
    """Money and instants as text: a float would lose digits."""
    typer.echo(json.dumps(value, indent=2, default=_as_text, ensure_ascii=False))


def as_records(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _as_text(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)


def _console() -> Console:
    console = Console(highlight=False)
    # Into a pipe or file nothing is cut off.
    return console if console.is_terminal else Console(highlight=False, width=160)
