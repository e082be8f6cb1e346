"""The world of the cases: reference data and records, written as files and loaded as such."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import IO, Any

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from loaders.decks import DeckOptions, import_deck
from loaders.errors import RatehouseError
from loaders.reference.kinds import KINDS
from tests.cases.book import Case, NotSupported

# Cases that do not say when: after the reports of the numbering administrator that they name.
SOME_MONTH = date(2026, 9, 1)
SOME_START = "2026-09-15T12:00:00Z"
BILL_GROUP = "cases"

USAGE_COLUMNS = (
    "record_id", "usage_type", "start_time", "end_time", "duration", "quantity", "bytes_up",
    "bytes_down", "calling_number", "called_number", "direction", "disposition", "service_key",
    "lrn", "carrier_amount", "currency_code", "category", "message_text", "message_encoding",
    "visited_network", "call_group",
)  # fmt: skip
CHARGE_COLUMNS = (
    "record_id", "service_key", "product_code", "description", "charge_type", "period_from",
    "period_to", "event_date", "quantity", "unit_price", "net_amount", "currency_code",
)  # fmt: skip
# Of longer sheets only the lines of the areas called are imported: all would take a minute.
_WHOLE_SHEET = 50_000


class Catalogue:
    """Which settings this version of the warehouse knows, from the database."""

    def __init__(self, cursor: Cursor) -> None:
        cursor.execute(
            "select table_name, column_name from information_schema.columns "
            "where table_schema = 'reference'"
        )
        self._columns: dict[str, set[str]] = {}
        for table, column in cursor.fetchall():
            self._columns.setdefault(table, set()).add(column)
        cursor.execute(
            "select r.relname, a.attname, pg_get_constraintdef(c.oid) from pg_constraint as c "
            "inner join pg_class as r on c.conrelid = r.oid "
            "inner join pg_attribute as a on a.attrelid = r.oid and a.attnum = c.conkey[1] "
            "where c.contype = 'c' and array_length(c.conkey, 1) = 1 "
            "and r.relnamespace = 'reference'::regnamespace "
            "and pg_get_constraintdef(c.oid) like '%= ANY%'"
        )
        self._words = {
            (table, column): set(re.findall(r"'([^']*)'::text", text))
            for table, column, text in cursor.fetchall()
        }

    def has(self, kind: str, column: str) -> bool:
        """Whether the setting exists."""
        return column in self._columns.get(kind, ())

    def check(self, kind: str, row: Mapping[str, Any]) -> None:
        """Every setting exists and takes the value, or the case is not supported."""
        for column, value in row.items():
            if not self.has(kind, column):
                raise NotSupported(f"needs a setting {kind}.{column}")
            words = self._words.get((kind, column))
            if words and value is not None and str(value) not in words:
                raise NotSupported(f"needs {kind}.{column} = {value}")


@dataclass(frozen=True)
class Record:
    """One line of a file of usage or charges."""

    source_code: str
    position: int

    @property
    def line_no(self) -> int:
        """Below the header."""
        return self.position + 2


@dataclass
class Sheet:
    """A deck of the reference folder, and the destinations of the calls it prices."""

    deck_code: str
    path: Path
    destinations: set[str] = field(default_factory=set)
    case_ids: set[str] = field(default_factory=set)


@dataclass
class _File:
    """The records of one source."""

    kind: str
    rows: list[dict[str, str]] = field(default_factory=list)


class World:
    """What all cases need, together."""

    def __init__(self, catalogue: Catalogue, reference: Sequence[Path]) -> None:
        self.catalogue = catalogue
        self._reference = reference
        self._rows: dict[str, list[tuple[str, dict[str, str]]]] = {}
        self._sources: dict[tuple[tuple[str, str], ...], str] = {}
        self._files: dict[str, _File] = {}
        self._sheets: dict[tuple[Any, ...], Sheet] = {}
        # Reports of the numbering administrator that cases look numbers up in.
        self.reports: dict[str, Path] = {}
        self.months: set[date] = set()
        self._own_months = 0

    def add(self, kind: str, case_id: str, row: Mapping[str, Any]) -> None:
        """A reference row of a case."""
        self.catalogue.check(kind, row)
        texts = {name: _text(value) for name, value in row.items() if value is not None}
        self._rows.setdefault(kind, []).append((case_id, texts))

    def source(self, case_id: str, settings: Mapping[str, str]) -> str:
        """The source with these settings; cases that want the same one share its file."""
        key = tuple(sorted(settings.items()))
        if key not in self._sources:
            code = f"cases_{len(self._sources) + 1:03d}"
            is_charge = settings["file_kind"] == "sdr"
            columns = CHARGE_COLUMNS if is_charge else USAGE_COLUMNS
            # A cost deck is a case's own.
            self.add(
                "source",
                case_id if "cost_deck_code" in settings else "sources",
                {
                    "source_code": code,
                    "carrier_code": "cases",
                    "layout_code": "carrier_charge" if is_charge else "mapped_usage",
                    "time_zone": "UTC",
                    "column_map": json.dumps({name: name for name in columns}),
                    "reject_ceiling_percent": "100",
                    **settings,
                },
            )
            self._sources[key] = code
            self._files[code] = _File(settings["file_kind"])
        return self._sources[key]

    def record(self, source_code: str, values: Mapping[str, Any]) -> Record:
        """One more line of that source's file."""
        rows = self._files[source_code].rows
        rows.append({name: _text(value) for name, value in values.items() if value is not None})
        return Record(source_code, len(rows) - 1)

    def forget(self, case_ids: Iterable[str]) -> None:
        """Leave the reference rows of these cases out."""
        gone = set(case_ids)
        for kind, rows in self._rows.items():
            self._rows[kind] = [row for row in rows if row[0] not in gone]

    def case_of_line(self, kind: str, line: int) -> str:
        """Whose row stands on a line of the reference file last written."""
        return self._rows[kind][line - 2][0]

    def own_month(self) -> date:
        """A month in which no other case has anything: reports add up whole months."""
        self._own_months += 1
        # Reports are of all months: nothing has to be invoiced in this one.
        self.months.add(SOME_MONTH)
        return date(2001 + self._own_months // 12, 1 + self._own_months % 12, 1)

    def write_reference(self, folder: Path) -> list[tuple[str, Path]]:
        """One file per kind that has rows, in order of dependency."""
        written = []
        for kind in KINDS:
            if kind in self.reports:
                written.append((kind, self.reports[kind]))
            rows = [row for _, row in self._rows.get(kind, ())]
            if rows:
                path = folder / f"{kind}.csv"
                _write(path, list(dict.fromkeys(name for row in rows for name in row)), rows)
                written.append((kind, path))
        return written

    def write_files(self, folder: Path) -> list[tuple[str, Path]]:
        """The records: one file per source."""
        declared = {row["source_code"] for _, row in self._rows.get("source", ())}
        written = []
        for code, file in self._files.items():
            if code not in declared:
                continue
            path = folder / f"{code}.csv"
            columns = CHARGE_COLUMNS if file.kind == "sdr" else USAGE_COLUMNS
            _write(path, columns, file.rows)
            written.append((code, path))
        return written

    def find(self, pattern: str, what: str) -> Path:
        """A file of the first reference folder that has it."""
        for folder in self._reference:
            for place in (folder, folder / "rate_decks", folder / "nanpa"):
                if found := sorted(place.glob(pattern)):
                    return found[-1]
        raise NotSupported(f"needs {what} in the reference folder")

    def needs_places(self, table: str | None = None) -> None:
        """Area codes and exchanges as the numbering administrator reports them."""
        self.reports["npa"] = self.find("npa_report*.csv", "the NPA report (npa_report*.csv)")
        pattern = f"{table}.*" if table else "co_codes*"
        self.reports["npanxx"] = self.find(pattern, f"the CO code report ({pattern})")

    def real_deck(self, case_id: str, name: str, destination: str, **settings: Any) -> str:
        """The code of a deck of the reference folder, and that this destination is rated."""
        path = self.find(f"{name}.csv*", f"the deck {name}")
        self.catalogue.check("deck", settings)
        key = (name, *sorted(settings.items()))
        if key not in self._sheets:
            code = f"{name}_{len(self._sheets) + 1}"
            self._sheets[key] = Sheet(code, path)
            with _opened(path) as stream:
                is_jurisdictional = "intrastate" in stream.readline().lower()
            self.add(
                "deck",
                "sheets",
                {
                    "deck_code": code, "deck_name": name, "side": "retail",
                    "currency_code": "USD", "is_jurisdictional": is_jurisdictional, **settings,
                },
            )  # fmt: skip
        self._sheets[key].destinations.add(destination)
        self._sheets[key].case_ids.add(case_id)
        return self._sheets[key].deck_code

    def import_sheets(self, connection: Connection, folder: Path) -> dict[str, str]:
        """The rows of the decks that cases named, as an operator imports them; what is refused."""
        refused: dict[str, str] = {}
        for sheet in self._sheets.values():
            path = folder / f"{sheet.deck_code}.csv"
            with _opened(sheet.path) as stream:
                lines = stream.readlines()
            if len(lines) > _WHOLE_SHEET:
                areas = tuple(sorted(number[:4] for number in sheet.destinations))
                lines = [lines[0], *(line for line in lines[1:] if line.startswith(areas))]
            path.write_text("".join(lines), encoding="utf-8")
            options = DeckOptions(effective="beginning", is_full=True)
            try:
                import_deck(connection, path, sheet.deck_code, options)
            except RatehouseError as error:
                reason = f"its deck is refused: {str(error).splitlines()[-1].strip()}"
                refused |= dict.fromkeys(sheet.case_ids, reason)
        return refused


def _opened(path: Path) -> IO[str]:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


class Bench:
    """One case's own corner of the world: an account with a service, a plan and decks."""

    def __init__(self, world: World, case: Case, number: int) -> None:
        self.world = world
        self.case = case
        self.code = f"C{number:04d}"
        self._records = 0

    def add(self, kind: str, **row: Any) -> None:
        """A reference row of this case."""
        self.world.add(kind, self.case.id, row)

    def has(self, kind: str, column: str) -> bool:
        """Whether the warehouse knows this setting."""
        return self.world.catalogue.has(kind, column)

    def deck(self, suffix: str = "", **settings: Any) -> str:
        """A deck, retail unless said otherwise."""
        code = self.code + suffix
        self.add(
            "deck",
            **{"deck_code": code, "deck_name": code, "side": "retail", "currency_code": "USD"}
            | settings,
        )
        return code

    def rate(self, deck_code: str, prefix: str, **row: Any) -> None:
        """A row of a deck."""
        self.add("rate", deck_code=deck_code, prefix=prefix, **row)

    def plan(self, deck_code: str, suffix: str = "", **settings: Any) -> str:
        """A plan. Cases that do not say how to round want the exact amount."""
        code = self.code + suffix
        exact = {"rounding_decimals": 10, "rounding_mode": "half_up"}
        stated = {name: value for name, value in settings.items() if value is not None}
        self.add("plan", plan_code=code, plan_name=code, deck_code=deck_code, **exact | stated)
        return code

    def service(
        self, plan_code: str | None = None, suffix: str = "", *,
        service: Mapping[str, Any] | None = None, **account: Any,
    ) -> str:  # fmt: skip
        """An account with one service, which records name by its code."""
        code = self.code + suffix
        self.add(
            "account", account_code=code, customer_name=code, bill_group=BILL_GROUP,
            plan_code=plan_code, **account,
        )  # fmt: skip
        self.add("service", service_code=code, account_code=code, **service or {})
        self.add(
            "service_identifier", service_code=code, identifier_kind="account_key",
            identifier_value=code,
        )  # fmt: skip
        return code

    def usage(self, values: Mapping[str, Any], **source: str) -> Record:
        """One usage record, of a source with these settings."""
        self._records += 1
        settings = {
            "file_kind": "cdr", "number_plan": "e164", "classify_mode": "none",
            "direction_mode": "outbound",
        } | source  # fmt: skip
        row = {
            "record_id": f"{self.code}-{self._records}", "start_time": SOME_START,
            "service_key": self.code,
        } | dict(values)  # fmt: skip
        return self.world.record(self.world.source(self.case.id, settings), row)

    def charge(self, values: Mapping[str, Any], **tariff: Any) -> Record:
        """One charge line, and the tariff row of its product."""
        self._records += 1
        product = f"{self.code}-{self._records}"
        self.add(
            "charge_tariff", charge_tariff_code="cases", product_code=product,
            product_name=product, **tariff,
        )  # fmt: skip
        source = self.world.source(
            self.case.id, {"file_kind": "sdr", "charge_tariff_code": "cases"}
        )
        row = {
            "record_id": product, "service_key": self.code, "product_code": product,
            "period_from": "2026-09-01",
        } | dict(values)  # fmt: skip
        return self.world.record(source, row)

    def event(self, values: Mapping[str, Any], **tariff: Any) -> Record:
        """One charge line of a product that several lines of the case have."""
        if not self._records:
            self.add(
                "charge_tariff", charge_tariff_code="cases", product_code=self.code,
                product_name=self.code, **tariff,
            )  # fmt: skip
        self._records += 1
        source = self.world.source(
            self.case.id, {"file_kind": "sdr", "charge_tariff_code": "cases"}
        )
        row = {
            "record_id": f"{self.code}-{self._records}", "service_key": self.code,
            "product_code": self.code,
        } | dict(values)  # fmt: skip
        return self.world.record(source, row)

    def invoiced(self, month: date = SOME_MONTH) -> date:
        """Say that an answer stands on the invoice of a month."""
        self.world.months.add(month)
        return month


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _write(path: Path, columns: Iterable[str], rows: Iterable[Mapping[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(columns), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
