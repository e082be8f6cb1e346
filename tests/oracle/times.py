"""Start times, days and durations: rules section 3."""

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?"
    r"\s*(?P<half>[AaPp][Mm])?\s*(?P<offset>[Zz]|[+-]\d{2}(?::?\d{2})?)?"
)
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?:[ T]+" + _CLOCK + ")?"
)
_YEAR_LAST = re.compile(
    r"(?P<one>\d{1,2})[-/.](?P<two>\d{1,2})[-/.](?P<three>\d{4}|\d{2})(?:[ T]+" + _CLOCK + ")?"
)
_COMPACT = re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?:[ T]+" + _CLOCK + ")?")
_PACKED = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})")
_EPOCH_SECONDS = re.compile(r"(\d{10})(?:\.(\d+))?")
_EARLIEST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Start:
    """A start time as read: the instant with its quality, or an error."""

    at: dt.datetime | None
    quality: str | None = None
    error: str | None = None


@cache
def zone_of(name: str) -> ZoneInfo:
    """Give a time zone by name."""
    return ZoneInfo(name)


def read_start(raw: str | None, zone: str, date_order: str, received_at: dt.datetime) -> Start:
    """Read a start time; without an offset it is local time of the zone."""
    text = (raw or "").strip()
    if text in ("", "0"):
        return Start(None, error="missing_start_time")
    try:
        at, quality = _instant(text, zone, date_order)
    except (ValueError, OverflowError):
        return Start(None, error="invalid_start_time")
    if at < _EARLIEST or at > received_at + dt.timedelta(days=2):
        return Start(None, error="implausible_start_time")
    return Start(at, quality)


def _instant(text: str, zone: str, date_order: str) -> tuple[dt.datetime, str]:
    if match := _EPOCH_SECONDS.fullmatch(text):
        micros = int((match[2] or "0").ljust(6, "0")[:6])
        return _from_epoch(int(match[1]) * 1_000_000 + micros), "exact"
    if re.fullmatch(r"\d{13}", text):
        return _from_epoch(int(text) * 1000), "exact"
    if re.fullmatch(r"\d{16}", text):
        return _from_epoch(int(text)), "exact"
    if match := _PACKED.fullmatch(text):
        return localise(dt.datetime(*(int(part) for part in match.groups())), zone)
    match = _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text)
    if match:
        date = dt.date(int(match["year"]), int(match["month"]), int(match["day"]))
    elif match := _YEAR_LAST.fullmatch(text):
        date = _by_order(match["one"], match["two"], match["three"], date_order)
    else:
        raise ValueError(text)
    if match["hour"] is None:
        raise ValueError("a start time needs a clock")
    hour = int(match["hour"])
    if match["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(text)
        hour = hour % 12 + (12 if match["half"].lower() == "pm" else 0)
    micros = int((match["fraction"] or "0").ljust(6, "0")[:6])
    local = dt.datetime(
        date.year,
        date.month,
        date.day,
        hour,
        int(match["minute"]),
        int(match["second"] or 0),
        micros,
    )
    if match["offset"]:
        at, quality = (local - _offset(match["offset"])).replace(tzinfo=dt.UTC), "exact"
    else:
        at, quality = localise(local, zone)
    if quality == "exact" and match["second"] is None:
        quality = "minute"
    return at, quality


def _from_epoch(micros: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micros)


def _offset(text: str) -> dt.timedelta:
    if text in "Zz":
        return dt.timedelta(0)
    digits = text[1:].replace(":", "").ljust(4, "0")
    size = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -size if text[0] == "-" else size


def _by_order(one: str, two: str, three: str, date_order: str) -> dt.date:
    if date_order == "dmy":
        day, month, year = one, two, three
    elif date_order == "mdy":
        month, day, year = one, two, three
    elif len(three) == 4:
        raise ValueError("year last in a year-first source")
    else:
        year, month, day = one, two, three
    number = int(year) if len(year) == 4 else 2000 + int(year)
    return dt.date(number, int(month), int(day))


def localise(local: dt.datetime, zone: str) -> tuple[dt.datetime, str]:
    """Place a local time in its zone: instant in UTC and the quality of the reading."""
    tz = zone_of(zone)
    first = local.replace(tzinfo=tz, fold=0)
    second = local.replace(tzinfo=tz, fold=1)
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(dt.UTC), "exact"
    back = first.astimezone(dt.UTC).astimezone(tz).replace(tzinfo=None)
    if back != local:
        # The missing hour: fold 0 reads it with the offset before the change.
        return first.astimezone(dt.UTC), "nonexistent"
    # The repeated hour: standard time is the second pass.
    return second.astimezone(dt.UTC), "ambiguous"


def read_day(raw: str | None, date_order: str) -> dt.date | None:
    """Read a day without a clock; None when it is empty. Raises ValueError when impossible."""
    text = (raw or "").strip()
    if not text:
        return None
    match = _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text)
    if match:
        return dt.date(int(match["year"]), int(match["month"]), int(match["day"]))
    if match := _YEAR_LAST.fullmatch(text):
        return _by_order(match["one"], match["two"], match["three"], date_order)
    raise ValueError(text)


def read_duration(raw: str | None, decimal_mark: str) -> tuple[Decimal | None, str | None]:
    """Read a duration: (seconds, error); (None, None) when the field is empty."""
    text = (raw or "").strip()
    if not text:
        return None, None
    mark = re.escape(decimal_mark)
    if re.fullmatch(rf"-?\d+(?:{mark}\d+)?", text):
        seconds = Decimal(text.replace(decimal_mark, "."))
    elif match := re.fullmatch(rf"(-?)(\d+):([0-5]\d):([0-5]\d(?:{mark}\d+)?)", text):
        seconds = (
            int(match[2]) * 3600 + int(match[3]) * 60 + Decimal(match[4].replace(decimal_mark, "."))
        )
        seconds = -seconds if match[1] else seconds
    else:
        return None, "invalid_duration"
    if seconds < 0:
        return None, "negative_duration"
    if seconds > 7 * 86400:
        return None, "implausible_duration"
    return seconds, None
