"""The time of day: rules section 7, walked through a second at a time."""

import csv
import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path

from tests.oracle.reference import Reference, Row, decimal
from tests.oracle.rounding import round_amount
from tests.oracle.times import zone_of

_ZONES = Path(__file__).resolve().parents[2] / "seeds" / "area_code_zones.csv"


@dataclass(frozen=True)
class Zones:
    """Where the parties of a call are."""

    account: str = "UTC"
    source: str = "UTC"
    calling_area: str | None = None


@dataclass(frozen=True)
class Terms:
    """What a second costs: a band, and the row with what the band changes of it."""

    band: str | None
    row: Row
    own: Row

    def price(self, column: str) -> Fraction:
        return Fraction(decimal(self.own.get(column) or self.row.get(column)))

    def setting(self, column: str, deck: Row) -> int:
        return int(self.own.get(column) or self.row.get(column) or deck[column])

    @property
    def key(self) -> tuple[object, ...]:
        """Seconds with one key are one part."""
        row = tuple(self.row.get(name) for name in ("prefix", "jurisdiction", "valid_from"))
        return (self.band, *row, self.price("price_per_minute"))


@dataclass(frozen=True)
class Clock:
    """A call and the clocks it goes by. row_at finds the row of its number at an instant."""

    reference: Reference
    zones: Zones
    at: dt.datetime
    row_at: Callable[[dt.datetime], Row | None]

    def cuts(self, row: Row, deck: Row) -> bool:
        """Tell whether the time of day, or a price change, matters for this row."""
        is_voice = (deck.get("usage_type") or "voice") == "voice"
        is_split = deck.get("price_change_policy") == "split" and is_voice
        return is_split or self.reference.has_bands(row)

    def charge(
        self, row: Row, deck: Row, first: int, charged: int, *, base: str, is_charged: bool
    ) -> tuple[Fraction, int, Fraction]:
        """Connection fee, billed seconds and price of the seconds from `first` on, undivided."""
        begin = self.terms(row, deck, 0)
        fee = begin.price("connection_fee")
        policy = deck.get("straddle_policy") or "start"
        is_voice = (deck.get("usage_type") or "voice") == "voice"
        is_split = is_voice and not row.get("price_per_call")
        by_band = is_split and policy != "start"
        by_change = is_split and deck.get("price_change_policy") == "split"
        if row.get("price_per_call"):
            return fee, _billed(begin, deck, charged, base) if is_charged else 0, Fraction(0)
        if not is_charged:
            return fee, 0, Fraction(0)

        def at_second(second: int) -> Terms:
            return self.terms(row, deck, second, by_band=by_band, by_change=by_change)

        if by_band and policy == "split_per_increment":
            blocks = []
            for start, length in _blocks(row, deck, charged, base):
                blocks.append((at_second(first + start), length))
            return fee, sum(length for _, length in blocks), _priced(blocks, deck)
        seconds = [at_second(first + second) for second in range(charged)] or [begin]
        parts = [
            (terms[0], len(terms) if charged else 0)
            for terms in (list(group) for _, group in groupby(seconds, key=lambda s: s.key))
        ]
        if (deck.get("part_rounding") or "total") == "part":
            billed = [(parts[0][0], _billed(parts[0][0], deck, parts[0][1], base))]
            for terms, length in parts[1:]:
                increment = terms.setting("increment_seconds", deck)
                billed.append((terms, increment * -(-length // increment)))
        else:
            added = _billed(begin, deck, charged, base) - charged
            billed = [*parts[:-1], (parts[-1][0], parts[-1][1] + added)]
        return fee, sum(length for _, length in billed), _priced(billed, deck)

    def terms(
        self, row: Row, deck: Row, second: int, *, by_band: bool = True, by_change: bool = False
    ) -> Terms:
        """What holds in a second of the call."""
        now = self.at + dt.timedelta(seconds=second)
        band = self.band(deck, now if by_band else self.at)
        if by_change:
            row = self._latest_row(row, now)
        own = self.reference.band_rate(row, band, now if by_change else self.at) if band else None
        return Terms(band, row, own or {})

    def band(self, deck: Row, now: dt.datetime) -> str | None:
        """The band of a deck at an instant: the heaviest of those that hold."""
        local = now.astimezone(zone_of(self.zone(deck)))
        clock = local.strftime("%H:%M:%S")
        found = []
        for band in self.reference.bands(deck["deck_code"], self.at):
            begin, end = _clock(band.get("from_time") or "00:00"), _clock(
                band.get("to_time") or "24:00"
            )
            day = local.date()
            if end <= begin and clock < end:
                day -= dt.timedelta(days=1)  # begun yesterday
            elif clock < begin or (end > begin and clock >= end):
                continue
            if day.isoweekday() not in _weekdays(band.get("weekdays") or "1-7"):
                continue
            wanted = band.get("day_class") or ""
            if wanted and wanted != self.reference.day_class(deck.get("calendar_code"), day):
                continue
            found.append((int(band.get("weight") or 10), band["band_code"]))
        return max(found)[1] if found else None

    def zone(self, deck: Row) -> str:
        """By whose clock a deck goes."""
        calendar = self.reference.calendar(deck.get("calendar_code"), self.at) or {}
        own = {
            "account": self.zones.account, "source": self.zones.source,
            "calling_area": self.zones.calling_area,
        }.get(calendar.get("zone_rule") or "fixed")  # fmt: skip
        return own or calendar.get("time_zone") or "UTC"

    def _latest_row(self, row: Row, now: dt.datetime) -> Row:
        """The row that came into force last since the start; the search goes back from now."""
        for change in sorted(self.reference.rate_changes(self.at, now), reverse=True):
            later = self.row_at(change)
            if later is not None and later["status"] == "open" and later.get("price_per_minute"):
                return later
        return row


def area_zone(letters: str | None, place: str | None) -> str | None:
    """The one zone of an area code, by the letters of its report."""
    with _ZONES.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["time_zone_letters"] == letters]
    for wanted in (place, None if place == "NANP AREA" else ""):
        for row in rows:
            if wanted is not None and row["place"] == wanted:
                return row["time_zone"]
    return None


def _clock(text: str) -> str:
    return text if len(text) == 8 else text + ":00"


def _weekdays(text: str) -> set[int]:
    days: set[int] = set()
    for listed in text.split(","):
        low, _, high = listed.partition("-")
        days |= set(range(int(low), int(high or low) + 1))
    return days


def _billed(terms: Terms, deck: Row, charged: int, base: str) -> int:
    minimum = terms.setting("minimum_seconds", deck)
    increment = terms.setting("increment_seconds", deck)
    if charged <= minimum:
        return minimum
    offset = minimum if base == "after_minimum" else 0
    return offset + increment * math.ceil(Fraction(charged - offset, increment))


def _blocks(row: Row, deck: Row, charged: int, base: str) -> list[tuple[int, int]]:
    """Minimum and increments one after the other: first second and length."""
    terms = Terms(None, row, {})
    minimum = terms.setting("minimum_seconds", deck)
    increment = terms.setting("increment_seconds", deck)
    if charged <= minimum:
        return [(0, minimum)]
    blocks = [(0, minimum)] if minimum and base == "after_minimum" else []
    while (end := sum(blocks[-1]) if blocks else 0) < charged:
        blocks.append((end, increment))
    return blocks


def _priced(parts: list[tuple[Terms, int]], deck: Row) -> Fraction:
    """Seconds by price per minute, a minute not yet divided."""
    decimals = deck.get("increment_amount_decimals")
    total = Fraction(0)
    for terms, seconds in parts:
        price = Fraction(
            decimal(
                terms.own.get("price_per_minute") or terms.own.get("price_per_unit")
                or terms.row.get("price_per_minute") or terms.row.get("price_per_unit")
            )
        )  # fmt: skip
        total += seconds * (
            rounded_price(price, terms.setting("increment_seconds", deck), deck)
            if decimals
            else price
        )
    return total


def rounded_price(price: Fraction, increment: int, deck: Row) -> Fraction:
    """A price per minute of which that of an increment has been rounded."""
    minute = int(deck.get("minute_seconds") or 60)
    rounded = round_amount(
        increment * price / minute, int(deck["increment_amount_decimals"]),
        deck.get("increment_amount_mode") or "half_up",
    )  # fmt: skip
    return Fraction(rounded) * minute / increment
