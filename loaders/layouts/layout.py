"""What a layout is: its landing table, how its files are read, what proves them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

DELIMITERS = (",", ";", "\t", "|")
DELIMITER_NAMES = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
RECORD_LINE = "record_line"
DOCUMENT = "document"
EXTRA_COLUMNS = "extra_columns"
# Columns that hold JSON as text: an index may be on one value of it.
JSON_COLUMNS = ("document", "attributes")


@dataclass(frozen=True)
class LinePattern:
    """A regular expression searched on the raw line, whatever the line's encoding."""

    text: str

    @cached_property
    def _of_text(self) -> re.Pattern[str]:
        return re.compile(self.text)

    @cached_property
    def _of_bytes(self) -> re.Pattern[bytes]:
        return re.compile(self.text.encode(), re.ASCII)

    def find(self, line: bytes, encoding: str) -> re.Match[str] | re.Match[bytes] | None:
        """Decoding costs; most lines are ASCII, where bytes and characters are the same."""
        if line.isascii():
            return self._of_bytes.search(line)
        return self._of_text.search(line.decode(encoding, "replace"))

    def find_text(self, line: str) -> re.Match[str] | None:
        return self._of_text.search(line)

    @property
    def at_line_start(self) -> bytes:
        """For a lookahead at the start of a line, in a pattern compiled with re.MULTILINE."""
        flags, pattern = _scoped(self.text)
        inner = f"(?{flags}:{pattern})" if flags else f"(?:{pattern})"
        anchored = pattern.startswith("^") and "|" not in pattern
        return (inner if anchored else rf"[^\n]*?{inner}").encode()


def _scoped(pattern: str) -> tuple[str, str]:
    match = re.match(r"\(\?([aimsux]+)\)", pattern)
    return (match[1], pattern[match.end() :]) if match else ("", pattern)


@dataclass(frozen=True)
class NonData:
    """Lines that are no records."""

    pattern: LinePattern
    kind: str


@dataclass(frozen=True)
class Control:
    """Figures a header or trailer states: groups count, total and sequence of the pattern."""

    pattern: LinePattern
    total: str | None = None
    # What a data line adds to the total: group added. Hours, minutes and seconds as digits; behind
    # the seconds of a line so many decimals, which the total leaves out.
    adds: LinePattern | None = None
    decimals: int = 0

    def seconds(self, digits: str) -> Decimal:
        """Of a line's HHMMSS, with its decimals."""
        whole, parts = digits[: len(digits) - self.decimals], digits[len(digits) - self.decimals :]
        return clock_seconds(whole) + Decimal(f"0.{parts or 0}")


def clock_seconds(digits: str) -> int:
    """Of hours, minutes and seconds written without anything between them."""
    digits = digits.rjust(6, "0")
    return int(digits[:-4]) * 3600 + int(digits[-4:-2]) * 60 + int(digits[-2:])


@dataclass(frozen=True)
class HeaderRule:
    """The header words that prove a layout, and what its values must look like."""

    required: tuple[str, ...]
    checks: dict[str, str] = field(default_factory=dict)
    # True: a header with a word that names no column is another layout's.
    is_complete: bool = False


@dataclass(frozen=True)
class Variant:
    """A headerless shape: the table column of each field, and the checks that prove it."""

    code: str
    columns: tuple[str, ...]
    checks: dict[str, str]
    # Lines of another variant of the same family may stand in the same file.
    family: str = ""
    # Fewer fields than columns are allowed down to this; 0: none may lack.
    minimum: int = 0

    @property
    def least(self) -> int:
        return self.minimum or len(self.columns)


@dataclass(frozen=True)
class Documents:
    """How records are found in a file of documents (readers radius_detail, json, xml)."""

    required: tuple[str, ...] = ()
    # json: the key of the array that holds the records, where an object wraps them.
    records: str | None = None
    # xml: the element that is one record.
    element: str | None = None
    # xml: values under these paths are percent-encoded and are decoded once.
    percent_encoded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """One landing table and how its files are recognised."""

    code: str
    title: str
    file_kind: str
    table_columns: tuple[str, ...]
    unassigned_source: str
    # Header words that name each table column, most specific first.
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    # Where the columns go that have no meaning here, in file order; the last one takes the rest.
    overflow: tuple[str, ...] = (EXTRA_COLUMNS,)
    # Columns that hold an instant or a day: a total row has none. Empty: any column may.
    date_columns: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = ()
    # Takes files by score over its aliases, and column maps; only where no named layout fits.
    is_generic: bool = False
    reader: str = "delimited"
    quoting: str = "csv"
    delimiters: tuple[str, ...] = DELIMITERS
    grows: bool = False
    headers: tuple[HeaderRule, ...] = ()
    non_data: tuple[NonData, ...] = ()
    control: Control | None = None
    data_line: LinePattern | None = None
    documents: Documents = Documents()
    defaults: dict[str, str] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)
    # What records are looked up by from other files: columns, or `column.key` of a JSON column.
    indexes: tuple[tuple[str, ...], ...] = ()
    # What senders do differently, by name: the values a source may choose, the default first.
    options: dict[str, tuple[str, ...]] = field(default_factory=dict)
