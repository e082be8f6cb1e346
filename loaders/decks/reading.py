"""A rate sheet becomes lines of prices, or a list of what is unclear in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, NoReturn

from loaders.decks.cells import (
    SOON,
    CellError,
    day_order_shown,
    read_codes,
    read_increments,
    read_instant,
    read_price,
    read_seconds,
)
from loaders.decks.errors import DeckRefused, Unclear, refused
from loaders.decks.footnotes import belongs_to, increments_said
from loaders.decks.headers import Header, currencies_in, normalised, recognise
from loaders.decks.options import DeckOptions
from loaders.decks.sheets import Row, Sheet, open_sheets

_HEADER_WITHIN = 100
_JURISDICTIONS = ("interstate", "intrastate", "indeterminate")
_REMOVED = re.compile(r"\b(remov|delet|clos|discontinu|withdraw|ceas)", re.I)
_WORDS = {
    "open": "current open active valid enabled live in_force available",
    "blocked": "blocked barred block suspended not_allowed",
    "closed": "closed close deleted delete removed remove discontinued expired terminated ended "
    "no_longer_available closed_code deleted_code code_closed code_deleted code_removed",
    "pending": "pending future upcoming scheduled",
    "increase": "increase increased inc up rate_increase price_increase",
    "decrease": "decrease decreased dec down rate_decrease price_decrease reduction",
    "new": "new new_code new_destination added add addition new_breakout new_rate new_area",
    "unchanged": "unchanged no_change not_changed same nc none",
    "changed": "change changed update updated modified amended name_change rate_change",
}
_MEANING = {
    word.replace("_", " "): meaning for meaning, words in _WORDS.items() for word in words.split()
}
# Price columns: unit of the price, jurisdiction of the row it makes.
_PRICES = {
    "price": ("minute", "any"), "price_second": ("second", "any"), "per_call": ("call", "any"),
    **{name: ("minute", name) for name in _JURISDICTIONS},
}  # fmt: skip
# What a row may say beside code, name and price.
_SETTINGS = (
    "effective", "end", "status", "change", "billing", "first", "sub", "fee", "grace",
    "minimum_charge", "maximum_charge", "currency", "origin",
)  # fmt: skip


class SheetLine(NamedTuple):
    """One code of one row, as it is compared with the deck."""

    sheet: str
    row: int
    prefix: str
    jurisdiction: str
    destination: str | None
    # rate, block or close
    action: str
    price: Decimal | None
    # minute, second or call
    unit: str
    fee: Decimal | None
    minimum: int | None
    increment: int | None
    grace: int | None
    minimum_charge: Decimal | None
    maximum_charge: Decimal | None
    valid_from: str
    valid_to: str
    mark: str


@dataclass
class DeckSheet:
    """What a file says."""

    lines: list[SheetLine] = field(default_factory=list)
    # What the file speaks of at all; what it does not stays as it is in the deck.
    given: set[str] = field(default_factory=set)
    row_count: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DeckFacts:
    """The deck a sheet is for."""

    deck_code: str
    currency_code: str
    is_jurisdictional: bool


@dataclass
class _Table:
    sheet: Sheet
    header: Header
    rows: list[Row]
    is_removed: bool
    # Text around the table: row, text.
    remarks: list[tuple[int, str]]


def read_deck(path: Path, deck: DeckFacts, options: DeckOptions) -> DeckSheet:
    """Read a file whole, or raise DeckRefused with everything that is unclear."""
    return _Reading(path, deck, options).run()


class _Reading:
    def __init__(self, path: Path, deck: DeckFacts, options: DeckOptions) -> None:
        self._path = path
        self._deck = deck
        self._options = options
        self._effective = options.effective_from()
        self._ignored = {normalised(name) for name in options.ignore}
        self._found = DeckSheet()
        self._unclear: list[Unclear] = []
        self._order = options.date_order
        self._undated = 0

    def run(self) -> DeckSheet:
        tables = self._tables()
        for table in tables:
            self._check_header(table)
        self._finish()
        self._settle_date_order(tables)
        for table in tables:
            self._check_formulas(table)
            self._read(table)
        self._after_all(tables)
        self._finish()
        return self._found

    def _finish(self) -> None:
        if self._unclear:
            raise DeckRefused(self._path.name, self._unclear)

    def _add(
        self, sheet: str, row: int | None, column: str, value: str | None, reason: str
    ) -> None:
        self._unclear.append(Unclear(sheet, row, column, value, reason))

    # The tables of the file

    def _tables(self) -> list[_Table]:
        sheets = open_sheets(self._path, lambda names: len(self._recognise(0, names).columns))
        wanted = {name.casefold() for name in self._options.sheets}
        missing = wanted - {sheet.name.casefold() for sheet in sheets}
        if missing:
            raise refused(
                self._path.name,
                f"there is no sheet {', '.join(sorted(missing))}; "
                f"there are {', '.join(sheet.name for sheet in sheets)}",
            )
        tables = []
        for sheet in sheets:
            if wanted and sheet.name.casefold() not in wanted:
                self._found.notes.append(f"sheet {sheet.name} is not read: not asked for")
            elif sheet.is_hidden and not wanted:
                self._found.notes.append(f"sheet {sheet.name} is hidden and is not read")
            elif (table := self._table(sheet)) is not None:
                tables.append(table)
            else:
                self._found.notes.append(f"sheet {sheet.name} holds no table of codes")
        if not any(table.rows for table in tables):
            raise refused(
                self._path.name,
                "no row names a column of codes and a column of prices; if there is no header, "
                "say what its columns are: --columns code,price",
            )
        return tables

    def _recognise(self, row: int, names: list[str]) -> Header:
        return recognise(row, names, self._options.column, self._ignored)

    def _table(self, sheet: Sheet) -> _Table | None:
        is_removed = _REMOVED.search(sheet.name) is not None
        rows = sheet.rows()
        remarks: list[tuple[int, str]] = []
        header: Header | None = None
        kept: list[Row] = []
        if self._options.columns:
            names = ["" if name == "-" else name for name in self._options.columns]
            positions = {name: place for place, name in enumerate(names) if name}
            header = Header(0, names or [""], positions)
        else:
            for number, values in rows:
                if number > _HEADER_WITHIN:
                    break
                here = self._recognise(number, values)
                if here.is_of_networks and len(here.columns) > 1:
                    raise refused(
                        self._path.name,
                        "prices messages or data by mobile network (MCC, MNC); decks hold "
                        "prices of calls by prefix",
                        sheet=sheet.name,
                        row=number,
                    )
                codes_removed = "removed" in normalised(" ".join(values))
                if here.has_codes and (here.has_prices or is_removed or codes_removed):
                    header = here
                    is_removed = is_removed or not here.has_prices
                    break
                remarks += [(number, text) for text in [_joined(values)] if text]
        if header is None:
            return None
        folded = [name.casefold() for name in header.names]
        for number, values in rows:
            if any(values) and (
                values[0].casefold() != folded[0] or [v.casefold() for v in values] != folded
            ):
                kept.append((number, values))
        return _Table(sheet, header, kept, is_removed, remarks)

    def _check_header(self, table: _Table) -> None:
        header, name = table.header, table.sheet.name
        for said, columns in header.doubtful.items():
            self._add(
                name, header.row, ", ".join(columns), None,
                f"more than one column could be {said.replace('_', ' ')}; say --column "
                f"{said}=HEADER",
            )  # fmt: skip
        for column in header.unread_money:
            self._add(
                name, header.row, column, None,
                "looks like money and nothing would read it; say --ignore or --column "
                "FIELD=HEADER",
            )  # fmt: skip
        for column in header.in_cents:
            self._add(
                name, header.row, column, None,
                "is in hundredths; decks hold whole units of the currency",
            )  # fmt: skip
        if header.unread:
            self._found.notes.append(
                f"{_sheet(name)}columns not read: {', '.join(header.unread)}"
            )
        split = [said for said in _JURISDICTIONS if said in header.columns]
        if split and not self._deck.is_jurisdictional:
            self._add(
                name, header.row, header.name_of(split[0]), None,
                f"deck {self._deck.deck_code} is not jurisdictional: its calls would never have "
                "this price; load the deck with is_jurisdictional true first",
            )  # fmt: skip
        if split and len(split) < 3 and "price" not in header.columns:
            absent = ", ".join(said for said in _JURISDICTIONS if said not in split)
            self._found.notes.append(f"{_sheet(name)}there is no price for: {absent}")
        for said in (*_PRICES, "fee", "minimum_charge", "maximum_charge"):
            if said in header.columns:
                self._check_currency(
                    name, header.row, header.name_of(said), currencies_in(header.name_of(said))
                )

    def _check_currency(self, sheet: str, row: int, column: str, said: set[str]) -> None:
        others = said - {self._deck.currency_code}
        if others and self._deck.currency_code not in said:
            self._add(
                sheet, row, column, ", ".join(sorted(others)),
                f"the prices of deck {self._deck.deck_code} are {self._deck.currency_code}",
            )  # fmt: skip

    def _settle_date_order(self, tables: list[_Table]) -> None:
        """A day above 12 anywhere in the file proves the order for all of it."""
        if self._order:
            return
        proofs: dict[str, tuple[str, int, str]] = {}
        for table in tables:
            for said in ("effective", "end"):
                position = table.header.columns.get(said)
                if position is None:
                    continue
                seen: set[str] = set()
                for row, values in table.rows:
                    value = values[position] if position < len(values) else ""
                    if value and value not in seen:
                        seen.add(value)
                        shown = day_order_shown(value)
                        if shown in ("dmy", "mdy"):
                            proofs.setdefault(shown, (table.sheet.name, row, value))
        if len(proofs) == 2:
            sheet, row, value = proofs["mdy"]
            _, other_row, other = proofs["dmy"]
            self._add(
                sheet, row, "date", value,
                f"has the month first, but '{other}' in row {other_row} the day; say "
                "--date-order, or have the sheet corrected",
            )  # fmt: skip
            self._finish()
        self._order = next(iter(proofs), "")

    def _check_formulas(self, table: _Table) -> None:
        """A formula nobody calculated looks blank, and a blank price blocks."""
        said_by = {
            position: said for said, position in table.header.columns.items()
            if said in ("code", "price", "effective", "end", "fee", *_JURISDICTIONS)
        }  # fmt: skip
        blank = {
            (row, position) for row, values in table.rows for position in said_by
            if position >= len(values) or not values[position]
        }  # fmt: skip
        if not blank:
            return
        for row, position in sorted(table.sheet.formulas(blank)):
            self._add(
                table.sheet.name, row, table.header.name_of(said_by[position]), None,
                "is a formula without a stored result; open and save the workbook, or send values",
            )  # fmt: skip

    # The rows of a table

    def _read(self, table: _Table) -> None:
        columns = table.header.columns
        given = self._found.given
        if columns.keys() & {"destination"} or table.header.places:
            given.add("destination")
        given |= columns.keys() & {"fee", "grace", "minimum_charge", "maximum_charge"}
        if columns.keys() & {"billing", "first"} or self._options.increments:
            given.add("minimum")
        if columns.keys() & {"billing", "sub"} or self._options.increments:
            given.add("increment")
        reader = _Rows(table, self._options, self._order, self._effective)
        lines = self._found.lines
        places = [
            columns[said] for said in ("code", "npanxx", "npa", "area_code", "country_code")
            if said in columns
        ]  # fmt: skip
        for row, values in table.rows:
            if not self._is_row(table, places, row, values):
                continue
            self._found.row_count += 1
            try:
                lines.extend(reader.lines(row, values))
            except _CellRefused as error:
                self._add(table.sheet.name, row, error.column, error.value, error.reason)
                continue
            self._undated += reader.is_undated
            for column, said in reader.currencies or ():
                self._check_currency(table.sheet.name, row, column, {said})

    def _is_row(self, table: _Table, places: list[int], row: int, values: list[str]) -> bool:
        """Codes, else a sentence below or between the rows, else something is missing."""
        if any([place < len(values) and values[place] for place in places]):
            if values.count("") == len(values) - 1 and re.search(r"[^\W\d]{3}", _joined(values)):
                table.remarks.append((row, _joined(values)))
                return False
            return True
        filled = [value for value in values if value]
        if len(filled) == 1 or increments_said(_joined(values))[0]:
            table.remarks.append((row, _joined(values)))
            return False
        self._add(table.sheet.name, row, table.header.name_of("code"), "", "the row has no code")
        return False

    # What only the whole file shows

    def _after_all(self, tables: list[_Table]) -> None:
        if self._undated:
            self._add(
                "", None, "effective date", None,
                f"{self._undated:,} rows do not say from when they hold; say --effective DATE",
            )  # fmt: skip
        if self._deck.is_jurisdictional and any(
            said in table.header.columns for table in tables for said in _JURISDICTIONS
        ) and self._found.lines and not any(  # fmt: skip
            line.prefix.startswith("1") for line in self._found.lines
        ):
            self._add(
                "", None, "code", None,
                "no code starts with 1: area codes and exchanges without their country code? say "
                "--code-prefix 1",
            )  # fmt: skip
        for table in tables:
            for row, text in table.remarks:
                self._remark(table.sheet.name, row, text)

    def _remark(self, sheet: str, row: int, text: str) -> None:
        """A sentence around the table. What it says of increments must be certain."""
        self._found.notes.append(f"{_sheet(sheet)}row {row} says: {text}")
        said, unknown = increments_said(text)
        options = self._options.increments
        for note in said:
            for name in note.names:
                if any(belongs_to(name, asked) for asked in options):
                    continue
                rows = [
                    line for line in self._found.lines
                    if line.action == "rate" and belongs_to(line.destination or "", name)
                ]  # fmt: skip
                others = [
                    line for line in rows if (line.minimum, line.increment) != note.increments
                ]
                words = "/".join(map(str, note.increments))
                if others:
                    self._add(
                        sheet, row, "increments", name,
                        f"the sentence says {words}, {len(others)} rows say otherwise (row "
                        f'{others[0].row} first); confirm with --increment "{name}={words}" or '
                        f'--increment "{name}=row"',
                    )  # fmt: skip
                elif not rows:
                    self._found.notes.append(f"no destination begins with '{name}'")
        if unknown and "*" not in options:
            self._add(
                sheet, row, "increments", text,
                f"speaks of {unknown[0]}, but not clearly of whom; confirm with --increment "
                f'"*={unknown[0].replace(" ", "")}" (rows that say none) or --increment "*=row"',
            )  # fmt: skip


class _CellRefused(Exception):
    def __init__(self, column: str, value: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.value, self.reason = column, value, reason


class _Settings(NamedTuple):
    """What a row says beside code, name and price."""

    mark: str
    is_closed: bool
    valid_from: str
    valid_to: str
    own: tuple[int | None, int | None]
    fee: Decimal | None
    grace: int | None
    minimum_charge: Decimal | None
    maximum_charge: Decimal | None
    is_undated: bool
    currencies: tuple[tuple[str, str], ...]


# A list of removed codes has none.
_NO_PRICE = [("", "minute", "any")]


class _Rows:
    """Reads the rows of one table."""

    def __init__(
        self, table: _Table, options: DeckOptions, order: str, effective: str | None
    ) -> None:
        self._table = table
        self._options = options
        self._order = order
        self._effective = effective
        self._columns = table.header.columns
        self._prices = [
            (said, unit, jurisdiction) for said, (unit, jurisdiction) in _PRICES.items()
            if said in self._columns
        ]  # fmt: skip
        # Beside a price per minute one per second is the same again; one per call must be empty.
        self._has_both = {"price", "per_call"} <= self._columns.keys()
        if "price" in self._columns:
            self._prices = [
                price for price in self._prices if price[0] not in ("price_second", "per_call")
            ]
        self._codes = self._code_reader()
        # Many rows say the same of everything but code, name and price: read once.
        self._settings_at = [
            self._columns[said] for said in _SETTINGS if said in self._columns
        ]
        self._known: dict[tuple[str, ...], _Settings] = {}
        self._width = len(table.header.names)
        self.is_undated = False
        self.currencies: list[tuple[str, str]] = []

    def lines(self, row: int, values: list[str]) -> Iterator[SheetLine]:
        """The codes of a row; raises _CellRefused at the first cell that is unclear."""
        if len(values) < self._width:
            values = values + [""] * (self._width - len(values))
        codes = self._codes(values)
        key = tuple([values[position] for position in self._settings_at])
        settings = self._known.get(key)
        if settings is None:
            settings = self._known[key] = self._settings(values)
        self.is_undated = settings.is_undated
        self.currencies = list(settings.currencies)
        destination = self._destination(values)
        minimum, increment = self._confirmed(settings, destination)
        sheet, prefix = self._table.sheet.name, self._options.code_prefix
        is_closed = settings.is_closed
        if self._has_both and re.search(r"[1-9]", self._cell("per_call", values)):
            self._refuse("per_call", values, "a row has a price per minute or one per call")
        for said, unit, jurisdiction in self._prices or _NO_PRICE:
            price = None if is_closed else self._money(said, values)
            action = "close" if is_closed else "rate"
            if not is_closed and (price is None or settings.mark == "blocked"):
                if price is None and settings.mark in ("increase", "decrease"):
                    self._refuse(said, values, f"is blank, but marked {settings.mark}")
                price, action = None, "block"
            for code in codes:
                yield SheetLine(
                    sheet, row, prefix + code, jurisdiction, destination, action, price,
                    unit, settings.fee, minimum, increment, settings.grace,
                    settings.minimum_charge, settings.maximum_charge, settings.valid_from,
                    settings.valid_to, settings.mark,
                )  # fmt: skip

    def _settings(self, values: list[str]) -> _Settings:
        self.is_undated = False
        self.currencies = []
        mark = self._mark(values)
        is_closed = mark == "closed" or self._table.is_removed
        valid_from, valid_to = self._validity(values, is_closed)
        own = self._own_increments(values)
        if self._cell("origin", values):
            self._refuse("origin", values, "decks have no prices by origin")
        if currency := self._cell("currency", values):
            self.currencies.append((self._table.header.name_of("currency"), currency.upper()))
        return _Settings(
            mark, is_closed, valid_from, valid_to, own, self._optional("fee", values),
            self._seconds("grace", values), self._optional("minimum_charge", values),
            self._optional("maximum_charge", values), self.is_undated, tuple(self.currencies),
        )  # fmt: skip

    def _cell(self, said: str, values: list[str]) -> str:
        position = self._columns.get(said)
        return values[position] if position is not None and position < len(values) else ""

    def _refuse(self, said: str, values: list[str], reason: str) -> NoReturn:
        raise _CellRefused(self._table.header.name_of(said), self._cell(said, values), reason)

    def _code_reader(self) -> Callable[[list[str]], tuple[str, ...]]:
        if "code" in self._columns:
            return self._plain_codes
        if "npanxx" in self._columns or {"npa", "nxx"} <= self._columns.keys():
            return self._exchange_codes
        return self._area_codes

    def _plain_codes(self, values: list[str]) -> tuple[str, ...]:
        return self._read_codes("code", values, self._cell("code", values))

    def _read_codes(self, said: str, values: list[str], text: str) -> tuple[str, ...]:
        try:
            return read_codes(text, self._options.codes, self._options.hyphen)
        except CellError as error:
            raise _CellRefused(
                self._table.header.name_of(said), self._cell(said, values), str(error)
            ) from None

    def _exchange_codes(self, values: list[str]) -> tuple[str, ...]:
        """Area code and exchange are North American whatever else the sheet says."""
        said = "npanxx" if "npanxx" in self._columns else "npa"
        text = self._cell("npanxx", values) or self._cell("npa", values) + self._cell("nxx", values)
        digits = re.sub(r"[\s-]", "", text).removeprefix("+")
        digits = digits.removeprefix("1")
        if not re.fullmatch(r"[2-9]\d\d[2-9]\d\d\d?", digits):
            self._refuse(said, values, "is no area code with an exchange (NPA-NXX)")
        return ("1" + digits,)

    def _area_codes(self, values: list[str]) -> tuple[str, ...]:
        """A country code in one column, its area codes in another."""
        country = self._cell("country_code", values)
        areas = self._cell("area_code", values)
        if not country:
            return self._read_codes("area_code", values, areas)
        codes = self._read_codes("country_code", values, country)
        if not areas:
            return codes
        if len(codes) != 1:
            self._refuse("country_code", values, "names several countries for its area codes")
        parts = [part for part in re.split(r"[;,/\s]+", areas) if part]
        found: list[str] = []
        for part in parts:
            if not re.fullmatch(r"\d+(-\d+)?", part):
                self._refuse("area_code", values, "is no list of area codes")
            first, _, last = part.partition("-")
            if last and len(last) != len(first):
                self._refuse("area_code", values, "is a range whose ends differ in length")
            joined = f"{codes[0]}{first}-{codes[0]}{last}" if last else codes[0] + first
            found += self._read_codes("area_code", values, joined)
        return tuple(found)

    def _destination(self, values: list[str]) -> str | None:
        if "destination" in self._columns:
            return " ".join(self._cell("destination", values).split())
        places = self._table.header.places
        if not places:
            return None
        names = (values[place] for place in places if place < len(values))
        return " - ".join(" ".join(name.split()) for name in names if name)

    def _mark(self, values: list[str]) -> str:
        """What status and change together say of a row."""
        meanings = []
        for said in ("status", "change"):
            text = self._cell(said, values)
            # A change in figures says nothing the prices do not.
            if not text or re.fullmatch(r"[+-]?[\d.,]+ ?%?|[-=]", text):
                continue
            meaning = _MEANING.get(" ".join(re.findall(r"[a-z]+", text.casefold())))
            if meaning is None:
                self._refuse(
                    said, values,
                    "is no known word for a status or change; correct it or say --ignore",
                )  # fmt: skip
            meanings.append(meaning)
        for strong in ("closed", "blocked"):
            if strong in meanings:
                return strong
        if "pending" in meanings and not self._cell("effective", values):
            self._refuse("effective", values, "is empty, but the row is pending")
        return meanings[-1] if meanings else ""

    def _validity(self, values: list[str], is_closed: bool) -> tuple[str, str]:
        first = self._instant("effective", values)
        last = self._instant("end", values)
        if is_closed and last is not None:
            return last.isoformat(), "infinity"
        if first is None:
            if self._effective is None:
                self.is_undated = True
            start = self._effective or "-infinity"
        else:
            start = first.isoformat()
        if last is None:
            return start, "infinity"
        if first is not None and last <= first:
            self._refuse("end", values, "is not later than the start")
        return start, last.isoformat()

    def _instant(self, said: str, values: list[str]) -> datetime | None:
        text = self._cell(said, values)
        if said == "effective" and text.strip(" .!").casefold() in SOON:
            if self._effective is None:
                self._refuse(said, values, "is no date; say which day: --effective DATE")
            return None
        try:
            return read_instant(
                text, self._order, self._options.time_zone, is_last_day=said == "end"
            )
        except CellError as error:
            self._refuse(said, values, str(error))

    def _confirmed(
        self, settings: _Settings, destination: str | None
    ) -> tuple[int | None, int | None]:
        """The row's increments, unless the operator said others for its destination."""
        for name, increments in self._options.increments.items():
            if name != "*" and increments is not None and belongs_to(destination or "", name):
                return increments
        others = self._options.increments.get("*")
        return others if others is not None and settings.own == (None, None) else settings.own

    def _own_increments(self, values: list[str]) -> tuple[int | None, int | None]:
        try:
            found = read_increments(self._cell("billing", values))
        except CellError as error:
            self._refuse("billing", values, str(error))
        if found is not None:
            return found
        first, sub = self._seconds("first", values), self._seconds("sub", values)
        if sub == 0:
            self._refuse("sub", values, "an increment is at least one second")
        return first, sub

    def _seconds(self, said: str, values: list[str]) -> int | None:
        try:
            return read_seconds(self._cell(said, values))
        except CellError as error:
            self._refuse(said, values, str(error))

    def _optional(self, said: str, values: list[str]) -> Decimal | None:
        """Money that may be left out; blank blocks nothing."""
        return self._money(said, values) if self._cell(said, values) else None

    def _money(self, said: str, values: list[str]) -> Decimal | None:
        text = self._cell(said, values)
        try:
            value, currency = read_price(text, self._options.decimal_mark)
        except CellError as error:
            self._refuse(said, values, str(error))
        if currency is not None:
            self.currencies.append((self._table.header.name_of(said), currency))
        return value


def _joined(values: list[str]) -> str:
    return " ".join(" ".join(value.split()) for value in values if value)


def _sheet(name: str) -> str:
    return f"sheet {name}: " if name else ""
