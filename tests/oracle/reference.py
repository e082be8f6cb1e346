"""The reference CSVs, dated: what holds at an instant. Every row counts as known."""

import csv
import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

Row = dict[str, str]
_ALWAYS = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
_NEVER = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)

_DEFAULTS = {
    "source": {
        "time_zone": "UTC", "date_order": "ymd", "decimal_mark": ".", "number_plan": "nanp",
        "direction_mode": "indeterminate", "classify_mode": "npanxx", "rating_mode": "rate",
        "currency_code": "USD", "column_map": "{}",
    },
    "account": {
        "bill_group": "main", "time_zone": "UTC", "anchor_day": "1", "currency_code": "USD",
    },
    "service_identifier": {"direction": "both"},
    "plan": {
        "is_default": "false", "duration_rounding": "up", "increment_base": "after_minimum",
        "rounding_level": "call", "rounding_decimals": "4", "rounding_mode": "half_up",
    },
    "deck": {
        "is_jurisdictional": "false", "minimum_seconds": "0", "increment_seconds": "1",
        "rounding_decimals": "6", "rounding_mode": "half_up",
    },
    "rate": {"jurisdiction": "any", "status": "open", "connection_fee": "0"},
    "rate_step": {"jurisdiction": "any", "increment_seconds": "1"},
    "band_rate": {"jurisdiction": "any"},
    "charge_tariff": {
        "charge_class": "recurring", "proration": "none", "rounding_decimals": "2",
        "rounding_mode": "half_up", "currency_code": "USD", "price_scope": "list",
        "scope_code": "", "rounding_level": "line", "fee_period": "month",
        "fee_period_count": "1", "days_in_month": "30", "full_month_rule": "any_day",
        "end_rule": "stated", "trial_days": "0", "invoice_timing": "first_day",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Dated:
    """A reference row and when it holds."""

    row: Row
    valid_from: dt.datetime
    valid_to: dt.datetime

    def holds(self, at: dt.datetime) -> bool:
        return self.valid_from <= at < self.valid_to


def _instant(text: str | None, default: dt.datetime) -> dt.datetime:
    if not text or text in ("-infinity", "infinity"):
        return default
    at = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)


def truth(text: str | None) -> bool:
    """Read a boolean of a CSV."""
    return (text or "").lower() in ("true", "t", "yes", "y", "1")


def dated_rows(kinds: Mapping[str, Iterable[Mapping[str, str]]]) -> dict[str, list[Dated]]:
    """Rows of each kind with their defaults, and when they hold."""
    return {
        kind: [
            Dated(
                _DEFAULTS.get(kind, {}) | {k: v for k, v in row.items() if v not in (None, "")},
                _instant(row.get("valid_from"), _ALWAYS),
                _instant(row.get("valid_to"), _NEVER),
            )
            for row in rows
        ]
        for kind, rows in kinds.items()
    }


class Reference:
    """All reference data of a folder of `<kind>.csv` files, or of rows given in memory."""

    def __init__(self, kinds: dict[str, list[Row]]) -> None:
        rows = dated_rows(kinds)

        def index(kind: str, *columns: str) -> dict[tuple[str, ...], list[Dated]]:
            table: dict[tuple[str, ...], list[Dated]] = defaultdict(list)
            for dated in rows.get(kind, []):
                table[tuple(dated.row.get(column, "") for column in columns)].append(dated)
            return table

        self._sources = index("source", "source_code")
        self._accounts = index("account", "account_code")
        self._services = index("service", "service_code")
        self._identifiers = index("service_identifier", "identifier_kind", "identifier_value")
        self._plans = index("plan", "plan_code")
        self._decks = index("deck", "deck_code")
        self._rates = index("rate", "deck_code", "prefix")
        self._steps = index("rate_step", "deck_code", "prefix", "jurisdiction")
        self._calendars = index("calendar", "calendar_code")
        self._days = index("calendar_day", "calendar_code", "calendar_date")
        self._bands = index("time_band", "deck_code")
        self._band_rates = index("band_rate", "deck_code", "prefix", "jurisdiction")
        self._changes: set[dt.datetime] | None = None
        self._npa = index("npa", "npa")
        self._npanxx = index("npanxx", "npanxx")
        self._latas = index("lata", "npanxx")
        self._local = index("local_calling_area", "calling_area_code", "from_state",
                            "from_rate_centre", "to_state", "to_rate_centre")  # fmt: skip
        self._charge_tariffs = index(
            "charge_tariff", "charge_tariff_code", "product_code", "price_scope", "scope_code"
        )
        self._rating_versions = rows.get("rating_version", [])
        self._default_plans = [p for p in rows.get("plan", []) if truth(p.row["is_default"])]
        self.longest_prefix = max((len(key[1]) for key in self._rates), default=0)
        self.pattern_lengths = sorted(
            {
                len(value.removesuffix("{!}"))
                for kind, value in self._identifiers
                if kind == "pattern"
            },
            reverse=True,
        )

    @classmethod
    def load(cls, folder: Path) -> "Reference":
        """Read every CSV of a folder."""
        kinds = {}
        for path in sorted(folder.glob("*.csv")):
            with path.open(encoding="utf-8", newline="") as stream:
                kinds[path.stem] = list(csv.DictReader(stream))
        return cls(kinds)

    @staticmethod
    def _one(found: list[Dated], at: dt.datetime) -> Row | None:
        return next((dated.row for dated in found if dated.holds(at)), None)

    def rating_version(self, period: dt.date) -> int:
        """The version of the rules that rates a billing period; the newest where none is named."""
        at = dt.datetime.combine(period, dt.time(), dt.UTC)
        row = self._one(self._rating_versions, at)
        return int(row["rating_version"]) if row else 2

    def source(self, code: str) -> Row:
        """Give a source; the demo's sources are not dated."""
        return self._sources[(code,)][0].row

    def column_map(self, code: str) -> dict[str, str]:
        """Give header of the file -> meaning of a mapped source."""
        return json.loads(self.source(code).get("column_map", "{}"))

    def account(self, code: str, at: dt.datetime) -> Row | None:
        return self._one(self._accounts[(code,)], at)

    def service(self, code: str, at: dt.datetime) -> Row | None:
        return self._one(self._services[(code,)], at)

    def identifiers(self, kind: str, value: str, at: dt.datetime) -> list[Row]:
        return [d.row for d in self._identifiers.get((kind, value), ()) if d.holds(at)]

    def plan(self, code: str, at: dt.datetime) -> Row | None:
        return self._one(self._plans[(code,)], at)

    def default_plan(self, at: dt.datetime) -> Row | None:
        return self._one(self._default_plans, at)

    def deck(self, code: str, at: dt.datetime) -> Row | None:
        return self._one(self._decks[(code,)], at)

    def rates(self, deck_code: str, prefix: str, at: dt.datetime) -> list[Row]:
        return [d.row for d in self._rates.get((deck_code, prefix), ()) if d.holds(at)]

    def steps(self, rate: Row) -> list[Row]:
        """The steps of a rate row: those in force where it starts."""
        key = (rate["deck_code"], rate["prefix"], rate["jurisdiction"])
        at = _instant(rate.get("valid_from"), _ALWAYS)
        found = [d.row for d in self._steps.get(key, ()) if d.holds(at)]
        return sorted(found, key=lambda row: int(row["from_second"]))

    def calendar(self, code: str | None, at: dt.datetime) -> Row | None:
        return self._one(self._calendars.get((code or "",), []), at)

    def day_class(self, calendar: str | None, day: dt.date) -> str | None:
        """The class of a special day."""
        at = dt.datetime.combine(day, dt.time(), dt.UTC)
        row = self._one(self._days.get((calendar or "", day.isoformat()), []), at)
        return row.get("day_class") or "holiday" if row else None

    def bands(self, deck_code: str, at: dt.datetime) -> list[Row]:
        return [d.row for d in self._bands.get((deck_code,), ()) if d.holds(at)]

    def has_bands(self, rate: Row) -> bool:
        """Tell whether a rate row has prices of its own in bands while it holds."""
        key = (rate["deck_code"], rate["prefix"], rate["jurisdiction"])
        begin = _instant(rate.get("valid_from"), _ALWAYS)
        end = _instant(rate.get("valid_to"), _NEVER)
        found = self._band_rates.get(key, ())
        return any(d.valid_from < end and d.valid_to > begin for d in found)

    def band_rate(self, rate: Row, band: str, at: dt.datetime) -> Row | None:
        key = (rate["deck_code"], rate["prefix"], rate["jurisdiction"])
        found = [d for d in self._band_rates.get(key, ()) if d.row["band_code"] == band]
        return self._one(found, at)

    def rate_changes(self, after: dt.datetime, until: dt.datetime) -> set[dt.datetime]:
        """Instants within a call at which some rate row comes into force or ends."""
        if self._changes is None:
            self._changes = {
                at
                for found in self._rates.values()
                for dated in found
                for at in (dated.valid_from, dated.valid_to)
            }
        return {at for at in self._changes if after < at <= until}

    def area_code(self, npa: str, at: dt.datetime) -> Row | None:
        return self._one(self._npa.get((npa,), []), at)

    def exchange(self, npanxx: str, at: dt.datetime) -> Row | None:
        return self._one(self._npanxx.get((npanxx,), []), at)

    def lata(self, npanxx: str, at: dt.datetime) -> str | None:
        row = self._one(self._latas.get((npanxx,), []), at)
        return row["lata"] if row else None

    def is_local(
        self, area: str, from_centre: tuple[str, str], to_centre: tuple[str, str], at: dt.datetime
    ) -> bool:
        """Tell whether a pair of rate centres is listed, in this direction."""
        return self._one(self._local.get((area, *from_centre, *to_centre), []), at) is not None

    def charge_price(
        self, tariff: str, product: str, scope: str, code: str, at: dt.datetime
    ) -> Row | None:
        return self._one(self._charge_tariffs.get((tariff, product, scope, code), []), at)

    def service_start(self, code: str) -> dt.datetime | None:
        """When a service began; None for one that has always been there."""
        start = min(dated.valid_from for dated in self._services[(code,)])
        return None if start == _ALWAYS else start


def decimal(text: str | None, default: str = "0") -> Decimal:
    """Read a price of a CSV."""
    return Decimal(text or default)
