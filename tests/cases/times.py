"""The time of day: bands, calendars, calls that cross a band or a price change."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.cases.book import Given, NotSupported
from tests.cases.results import Ask, Results, amount, amount_of, fact
from tests.cases.world import SOME_START, Bench, Record

_PREFIX = "44"
_CALLED = "442079460000"
_POLICIES = {
    "start": "start", "band_at_start": "start", "at_start": "start", "call_start": "start",
    "split": "split_per_second", "split_per_second": "split_per_second",
    "per_second": "split_per_second", "split_per_increment": "split_per_increment",
    "per_increment": "split_per_increment",
}  # fmt: skip
_WEEKDAYS = {
    "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6, "sun": 7,
}  # fmt: skip
_DAY_WORDS = {
    "weekday": "1-5", "weekdays": "1-5", "workday": "1-5", "weekend": "6-7", "weekends": "6-7",
    "all": "1-7", "every": "1-7", "daily": "1-7",
}  # fmt: skip
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_FEASTS = {"christmas": (12, 25), "boxing day": (12, 26), "new year": (1, 1)}
# Prices of two bands by name: peak_p_per_min, offpeak_rate_per_s.
_NAMED_PRICE = re.compile(r"(?P<band>[a-z_]+?)_(?:rate_|price_)?(?:p_)?per_(?P<unit>min|s)")
_NAMED_SECONDS = re.compile(r"(?P<band>[a-z_-]+)_s")


@dataclass(frozen=True)
class _Band:
    """A row of time_band, and what the call costs in it."""

    code: str
    weekdays: str
    from_time: str
    to_time: str
    price: Any
    fee: Any = None
    increment: Any = None
    minimum: Any = None
    weight: int = 10
    days: tuple[date, ...] = ()


def knows(given: Given) -> bool:
    """Whether a call of this shape goes by the clock."""
    return bool(
        given.keys() & {"bands", "band_starts_weekday", "peak_until", "peak_from", "peak_to"}
    )


def banded(bench: Bench, given: Given) -> dict[str, Ask]:
    """A call in one or several bands of one deck."""
    zone = given.first("tz", "zone", "time_zone", default="UTC")
    start = instant(given.first("start", "start_utc", "start_local", default=SOME_START), zone)
    bands, is_per_second = _bands(given, start.astimezone(ZoneInfo(zone)).year)
    policy = _policy(given)
    bench.add("calendar", calendar_code=bench.code, zone_rule="fixed", time_zone=zone)
    settings: dict[str, Any] = {"minute_seconds": 1} if is_per_second else {}
    rounding = given.first("part_rounding", "increment_rounding")
    if rounding is not None:
        settings["part_rounding"] = {"per_part": "part", "per_total": "total"}.get(
            rounding, rounding
        )
    deck = bench.deck(
        calendar_code=bench.code, straddle_policy=policy, uncovered_time="row_price", **settings
    )
    bench.rate(
        deck, _PREFIX, price_per_minute=bands[0].price,
        connection_fee=given.first("connection_fee", "setup_fee", "connection_fee_p", default=0),
        minimum_seconds=given.get("min_s", 0), increment_seconds=given.get("inc_s", 1),
    )  # fmt: skip
    for band in bands:
        for day in band.days:
            bench.add("calendar_day", calendar_code=bench.code, calendar_date=day.isoformat())
        bench.add(
            "time_band", deck_code=deck, band_code=band.code, weekdays=band.weekdays,
            from_time=band.from_time, to_time=band.to_time, weight=band.weight,
            day_class="holiday" if band.days else None,
        )  # fmt: skip
    for band in {band.code: band for band in bands}.values():
        bench.add(
            "band_rate", deck_code=deck, prefix=_PREFIX, band_code=band.code,
            price_per_minute=band.price, connection_fee=band.fee,
            minimum_seconds=band.minimum, increment_seconds=band.increment,
        )  # fmt: skip
    mode = given.get("mode")
    bench.service(
        bench.plan(deck, rounding_decimals=given.first("dp", "total_dp"), rounding_mode=mode)
    )
    return _asks(bench, _record(bench, given, start, zone))


def price_change(bench: Bench, given: Given) -> dict[str, Ask]:
    """A call during which another price comes into force."""
    zone = given.first("tz", "zone", "time_zone", default="UTC")
    start = instant(given.first("start", "start_utc", "start_local"), zone)
    change = instant(given.first("change_at", "price_change_at", "effective_from"), zone)
    policy = "split" if _policy(given, default="start") != "start" else "start"
    deck = bench.deck(price_change_policy=policy)
    for name, dates in (
        ("old", {"valid_to": change.isoformat()}), ("new", {"valid_from": change.isoformat()}),
    ):  # fmt: skip
        bench.rate(
            deck, _PREFIX,
            price_per_minute=given.first(f"{name}_rate_per_min", f"{name}_price_per_min"),
            connection_fee=given.first(f"{name}_connection_fee", "connection_fee", default=0),
            increment_seconds=given.get("inc_s", 1), minimum_seconds=given.get("min_s", 0), **dates,
        )  # fmt: skip
    bench.service(
        bench.plan(deck, rounding_decimals=given.get("dp"), rounding_mode=given.get("mode"))
    )
    return _asks(bench, _record(bench, given, start, zone))


def instant(text: str, zone: str) -> datetime:
    """A time of a case; without an offset it is local, without a day it is some Tuesday."""
    if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", text):
        text = f"{SOME_START[:10]}T{text}"
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))


def elapsed_record(bench: Bench, given: Given, **values: Any) -> Record:
    """A record that states its start and end, no duration; without offsets in the zone named."""
    texts = [
        given.first(name, f"{name}_utc", f"{name}_local") for name in ("start", "end")
    ]  # fmt: skip
    zone = given.first("tz", "zone", "time_zone", default="UTC")
    return bench.usage({"start_time": texts[0], "end_time": texts[1], **values}, time_zone=zone)


def _record(bench: Bench, given: Given, start: datetime, zone: str) -> Record:
    begins = start.astimezone(UTC)
    values: dict[str, Any] = {
        "start_time": begins.isoformat(), "called_number": _CALLED, "disposition": "answered",
    }  # fmt: skip
    end = given.first("end", "end_utc", "end_local")
    if end is not None:
        # The record does not state its duration.
        ends = instant(end, zone).astimezone(UTC)
        if ends < begins and "T" not in end:
            ends += timedelta(days=1)
        values["end_time"] = ends.isoformat()
    else:
        values["duration"] = given.get("duration_s", 60)
    return bench.usage(values)


def _policy(given: Given, default: str = "split_per_second") -> str:
    named = given.first("policy", "straddle_policy", default=default)
    if named not in _POLICIES:
        raise NotSupported(f"needs a policy '{named}' for calls that cross a band")
    return _POLICIES[named]


def _bands(given: Given, year: int) -> tuple[list[_Band], bool]:
    """The bands, and whether their prices are per second."""
    if "band_starts_weekday" in given:
        starts = sorted(given["band_starts_weekday"])
        price = given.first("rate_per_s", "rate_per_min", default="1")
        bands = [
            _Band(at, "1-5", at, until, price)
            for at, until in zip(starts, [*starts[1:], "24:00"], strict=True)
        ]
        if given.get("weekend_band", False):
            bands.append(_Band("weekend", "6-7", "00:00", "24:00", price))
        return bands, "rate_per_s" in given
    if "bands" in given:
        common = given.first("rate_per_s", "rate_per_min")
        listed = [dict(band) for band in given["bands"]]
        units = {key for band in listed for key in band if key.endswith(("_per_s", "_per_min"))}
        is_per_second = "rate_per_s" in given or any(unit.endswith("_per_s") for unit in units)
        if len({unit.rsplit("_", 1)[1] for unit in units}) > 1:
            raise NotSupported("needs prices per second and per minute in one deck")
        return [_listed(band, listed, common, year) for band in listed], is_per_second
    prices = {
        match["band"]: (given[name], match["unit"])
        for name in sorted(given.keys())
        if (match := _NAMED_PRICE.fullmatch(name))
    }
    others = sorted(name for name in prices if name != "peak")
    if len(others) != 1 or "peak" not in prices:
        raise NotSupported(f"needs a meaning for the bands {', '.join(sorted(prices))}")
    begin, end = given.get("peak_from", "00:00"), given.first("peak_until", "peak_to")
    days = _weekdays(given.first("peak_days", default="1-7"))
    bands = [
        _Band("peak", days, begin, end or "24:00", prices["peak"][0], weight=20),
        _Band(others[0], "1-7", "00:00", "24:00", prices[others[0]][0]),
    ]
    return bands, prices["peak"][1] == "s"


def _listed(band: dict[str, Any], all_bands: list[dict[str, Any]], common: Any, year: int) -> _Band:
    name = str(band.pop("name", band.get("from", "all")))
    prices = [band.pop(key) for key in list(band) if key.endswith(("_per_s", "_per_min"))]
    days = _special_days(name, band, year)
    weekdays = _weekdays(band.pop("days", _DAY_WORDS.get(name.lower(), "1-7")))
    begin = band.pop("from", "00:00")
    end = band.pop("to", None) or band.pop("until", None) or _next_start(begin, all_bands, weekdays)
    found = _Band(
        name, weekdays, begin, end, prices[0] if prices else (common or "1"),
        fee=band.pop("connection_fee", None), increment=band.pop("inc_s", None),
        minimum=band.pop("min_s", None), weight=int(band.pop("weight", 20 if days else 10)),
        days=days,
    )  # fmt: skip
    if band:
        raise NotSupported(f"needs a meaning for {', '.join(band)} of a band")
    return found


def _next_start(begin: str, all_bands: list[dict[str, Any]], weekdays: str) -> str:
    """A band without an end lasts until the next one of these days begins."""
    later = [
        other["from"]
        for other in all_bands
        if other.get("from", "") > begin and _weekdays(other.get("days", "1-7")) == weekdays
    ]
    return min(later, default="24:00")


def _special_days(name: str, band: dict[str, Any], year: int) -> tuple[date, ...]:
    stated = band.pop("dates", None) or band.pop("date", None) or band.pop("day", None)
    if stated is not None:
        return tuple(
            date.fromisoformat(day) for day in (stated if isinstance(stated, list) else [stated])
        )
    for feast, (month, day) in _FEASTS.items():
        if name.lower().startswith(feast):
            return (date(year, month, day),)
    match = re.fullmatch(r"(?:(\d{1,2}) ([A-Za-z]+)|([A-Za-z]+) (\d{1,2}))", name)
    word = (match[2] or match[3]).lower() if match else ""
    months = [number for number, month in enumerate(_MONTHS, 1) if month.startswith(word)]
    if match is None or len(word) < 3 or len(months) != 1:
        return ()
    return (date(year, months[0], int(match[1] or match[4])),)


def _weekdays(days: Any) -> str:
    """As reference data has them: Monday is 1, Sunday may also be 0."""
    if isinstance(days, list):
        days = ",".join(str(day) for day in days)
    text = str(days).lower().replace(" ", "")
    text = _DAY_WORDS.get(text, text)
    for name, number in _WEEKDAYS.items():
        text = re.sub(name + "[a-z]*", str(number), text)
    numbers = [str(int(number) or 7) for number in re.findall(r"\d", text)]
    return "".join(numbers.pop(0) if character.isdigit() else character for character in text)


def _asks(bench: Bench, record: Record) -> dict[str, Ask]:
    asks: dict[str, Ask] = {
        "charge": amount(record),
        "charge_p": amount(record),
        "duration_s": fact(record, "duration_seconds"),
        "billed_s": lambda results: amount_of(results.leg(record), "retail_billed_seconds"),
        "connection_fee": lambda results: amount_of(results.leg(record), "retail_connection_fee"),
        "spans_s": lambda results: [part["seconds"] for part in _parts(results, record)],
        "spans": lambda results: len(_parts(results, record)),
        "bands": lambda results: [part.get("band") for part in _parts(results, record)],
        "bands_used": lambda results: list(
            dict.fromkeys(part.get("band") for part in _parts(results, record))
        ),
        "band": lambda results: _parts(results, record)[0].get("band"),
        "local": lambda results: _parts(results, record)[0]["from_local"],
    }
    for name in bench.case.expected:
        match = _NAMED_SECONDS.fullmatch(name)
        if match and name not in asks:
            asks[name] = _seconds_in(record, match["band"])
    return asks


def _seconds_in(record: Record, band: str) -> Ask:
    return lambda results: sum(
        part["seconds"] for part in _parts(results, record) if part.get("band") == band
    )


def _parts(results: Results, record: Record) -> list[dict[str, Any]]:
    return amount_of(results.leg(record), "retail_parts")
