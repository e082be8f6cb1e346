"""Opening rate sheets: text in any dialect and encoding, workbooks sheet by sheet, also gzipped.

Every cell comes out as text, together with its row as a person counts it.
"""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from loaders.decks.errors import refused

Row = tuple[int, list[str]]

_DELIMITERS = ",;\t|"
_UNPACKED_BYTES_AT_MOST = 1 << 30
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)  # fmt: skip


@dataclass(frozen=True)
class Sheet:
    """One table of a file. A text file has one, without a name."""

    name: str
    # Started anew by each call: the header is looked for before the rows are read.
    rows: Callable[[], Iterator[Row]]
    is_hidden: bool = False
    # Cells that hold a formula; only asked of cells that look empty.
    formulas: Callable[[set[tuple[int, int]]], set[tuple[int, int]]] = lambda cells: set()


def open_sheets(path: Path, fits: Callable[[list[str]], int]) -> list[Sheet]:
    """The tables of a file. ``fits`` says how many column names of a deck a row has."""
    content = _unpacked(path)
    if content.startswith(b"PK"):
        return _workbook(path, content)
    if content.startswith(_OLD_OFFICE):
        raise refused(path.name, "an old or protected workbook; save it as .xlsx or CSV")
    if content.startswith(b"%PDF"):
        raise refused(path.name, "a PDF cannot be read; ask for the list as a workbook or CSV")
    if not content.strip():
        raise refused(path.name, "the file is empty")
    return [_text_sheet(path, content, fits)]


def _unpacked(path: Path) -> bytes:
    with path.open("rb") as stream:
        is_packed = stream.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if is_packed else path.open("rb") as stream:
            content = stream.read(_UNPACKED_BYTES_AT_MOST + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise refused(path.name, f"the archive is damaged or incomplete: {error}") from error
    if len(content) > _UNPACKED_BYTES_AT_MOST:
        raise refused(path.name, "holds more than 1 GiB unpacked; that is no rate sheet")
    return content


def _text_sheet(path: Path, content: bytes, fits: Callable[[list[str]], int]) -> Sheet:
    text = _decoded(path, content)

    def rows_with(delimiter: str) -> Iterator[Row]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        row = 1
        try:
            for values in reader:
                yield row, [value.strip() for value in values]
                row = reader.line_num + 1
        except csv.Error as error:
            raise refused(path.name, f"the file is not CSV: {error}", row=row) from error

    delimiter = max(_DELIMITERS, key=lambda mark: _merit(rows_with(mark), fits))
    return Sheet("", lambda: rows_with(delimiter))


def _merit(rows: Iterator[Row], fits: Callable[[list[str]], int]) -> tuple[int, int]:
    """How well a delimiter explains the head of a file: column names found, then cells."""
    best, cells = 0, 0
    for row, values in rows:
        if row > 100:
            break
        best = max(best, fits(values))
        cells += len(values)
    return best, cells


def _decoded(path: Path, content: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            try:
                return content.decode(encoding)
            except UnicodeDecodeError as error:
                raise refused(path.name, f"its text is damaged: {error.reason}") from error
    if b"\x00" in content[:4096]:
        raise refused(path.name, "is neither text nor a workbook (.xlsx)")
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _workbook(path: Path, content: bytes) -> list[Sheet]:
    import openpyxl

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(info.file_size for info in archive.infolist()) > _UNPACKED_BYTES_AT_MOST:
                raise refused(path.name, "holds more than 1 GiB unpacked; that is no rate sheet")
            if "xl/workbook.xml" not in archive.namelist():
                raise refused(
                    path.name, "a zip that is no workbook (.xlsx); unpack it and name the file"
                )
        values = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, zlib.error) as error:
        raise refused(path.name, f"the workbook is damaged: {error}") from error

    def formulas_of(name: str, cells: set[tuple[int, int]]) -> set[tuple[int, int]]:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True)
        sheet = book[name]
        sheet.reset_dimensions()
        wanted = {row for row, _ in cells}
        found = set()
        for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
            if number in wanted:
                for column, value in enumerate(row):
                    if isinstance(value, str) and value.startswith("="):
                        found.add((number, column))
        return found & cells

    def sheet(worksheet: Any) -> Sheet:
        # What a workbook says of its size is often wrong; then rows would be lost.
        worksheet.reset_dimensions()

        def rows() -> Iterator[Row]:
            for number, row in enumerate(worksheet.iter_rows(values_only=True), start=1):
                yield number, [_as_text(value) for value in row]

        return Sheet(
            worksheet.title, rows, worksheet.sheet_state != "visible",
            lambda cells: formulas_of(worksheet.title, cells),
        )  # fmt: skip

    return [sheet(worksheet) for worksheet in values.worksheets]


def _as_text(value: Any) -> str:
    """As the spreadsheet means it: numbers to the 15 digits it keeps, days without a clock."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value).strip()


def _number(value: float) -> str:
    from decimal import Decimal

    return f"{Decimal(f'{value:.15g}'):f}" if value == value and abs(value) < 1e30 else str(value)
