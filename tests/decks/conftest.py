"""A warehouse with decks, and sheets written on the spot."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from loaders.database import connect
from loaders.decks import DeckImport, DeckOptions, DeckPreview, import_deck, preview_deck
from loaders.reference import load_reference

SAMPLES = Path(__file__).parent / "samples"
DECKS = (
    "deck_code,deck_name,side,currency_code,is_jurisdictional\n"
    "NOTICE,Notice,wholesale,USD,false\nNEW,New,wholesale,USD,false\n"
    "EURO,Euro,wholesale,EUR,false\nUS,United States,wholesale,USD,true\n"
)


class Warehouse:
    """A database to import into, and the questions tests ask it."""

    def __init__(self, connection: Any, folder: Path) -> None:
        self.connection = connection
        self.folder = folder
        self.reference("deck", DECKS)
        ((self._first_load,),) = self.rows(
            "select max(reference_load_id) from control.reference_load"
        )

    def reference(self, kind: str, content: str) -> None:
        load_reference(self.connection, kind, self.write(f"{kind}.csv", content))

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return cursor.fetchall()

    def sheet(self, content: str | Path) -> Path:
        return content if isinstance(content, Path) else self.write("sheet.csv", content)

    def preview(
        self, content: str | Path, deck: str = "NEW", build_schema: str = "", **options: Any
    ) -> DeckPreview:
        return preview_deck(
            self.connection, self.sheet(content), deck, DeckOptions(**options),
            build_schema=build_schema,
        )  # fmt: skip

    def load(self, content: str | Path, deck: str = "NEW", **options: Any) -> DeckImport:
        return import_deck(self.connection, self.sheet(content), deck, DeckOptions(**options))

    def prices(self, deck: str = "NEW", at: str | None = None) -> dict[str, str]:
        """Code (and jurisdiction) -> price in force at an instant, or the status."""
        return dict(
            self.rows(
                "select prefix || case jurisdiction when 'any' then '' else ' ' || jurisdiction "
                "end, case status when 'open' then trim_scale(coalesce(price_per_minute, "
                "price_per_call))::text else status end from reference.rate "
                "where deck_code = %s and recorded_to = 'infinity' "
                "and valid_during @> coalesce(%s::timestamptz, clock_timestamp()) order by 1",
                deck,
                at,
            )
        )

    def loads(self) -> list[str]:
        """Files of prices loaded in this test, in order."""
        rows = self.rows(
            "select file_name from control.reference_load where reference_load_id > %s "
            "and kind = 'rate' order by reference_load_id",
            self._first_load,
        )
        return [name for (name,) in rows]

    def everything(self) -> list[tuple[Any, ...]]:
        return self.rows("select r::text from reference.rate as r order by 1")


def workbook(path: Path, sheets: dict[str, Sequence[Sequence[Any]]]) -> Path:
    """A workbook with these sheets."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


@pytest.fixture
def warehouse(module_database: str, tmp_path: Path) -> Iterator[Warehouse]:
    """As the loader role: what it may not do, an import must not need. Decks without prices."""
    # A database for each test would take longer than the test.
    with contextlib.closing(connect("ratehouse_owner", module_database)) as owner, owner:
        owner.cursor().execute(
            "alter table reference.rate disable trigger user; delete from reference.rate; "
            "alter table reference.rate enable trigger user"
        )
    with contextlib.closing(connect("ratehouse_loader", module_database)) as session:
        yield Warehouse(session, tmp_path)


@pytest.fixture
def noticed(warehouse: Warehouse) -> Warehouse:
    """With the deck that the notice among the samples is about."""
    warehouse.reference("rate", (SAMPLES / "deck_in_force.csv").read_text())
    return warehouse
