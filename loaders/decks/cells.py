"""Cells of rate sheets: codes, prices, increments, dates. What has two readings is refused."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

# Country codes have one digit (1, 7), two, or, all others, three.
_TWO_DIGIT_COUNTRIES = frozenset(
    str(code) for code in (
        20, 27, *range(30, 35), 36, *range(39, 42), *range(43, 50), *range(51, 59),
        *range(60, 67), 81, 82, 84, 86, *range(90, 96), 98,
    )
)  # fmt: skip
_LONGEST_CODE = 13
_LARGEST_RANGE = 1000
_PRICE_DECIMALS = 10
_DASHES = str.maketrans({"\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-"})
_SCIENTIFIC = re.compile(r"^[+-]?\d+([.,]\d+)?[eE][+-]?\d+$")
_BLOCKED_WORDS = frozenset({"blocked", "barred", "block", "not allowed", "no service", "suspended"})
_SIGNS = {"$": None, "€": "EUR", "£": "GBP", "¥": None}
_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july",
         "aug august", "sep sept september", "oct october", "nov november", "dec december"),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_CLOCK = (
    r"(?:[ T]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?P<fraction>\.\d+)?)?"
    r" ?(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?"
)
_YEAR_FIRST = re.compile(rf"(?P<y>\d{{4}})[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}}){_CLOCK}")
_PACKED = re.compile(r"(?P<y>(?:19|20)\d{2})(?P<m>\d{2})(?P<d>\d{2})")
_NUMERIC = re.compile(
    rf"(?P<a>\d{{1,2}})[-/.](?P<b>\d{{1,2}})[-/.](?P<y>\d{{4}}|\d{{2}}){_CLOCK}"
)
_NAMED = re.compile(
    rf"(?i)(?P<d>\d{{1,2}})[-/ .]*(?P<m>[a-z]+)[-/ .,]*(?P<y>\d{{4}}|\d{{2}}){_CLOCK}"
)
_NAMED_FIRST = re.compile(rf"(?i)(?P<m>[a-z]+)[ .-]*(?P<d>\d{{1,2}}),? +(?P<y>\d{{4}}){_CLOCK}")
SOON = frozenset(
    {"asap", "immediate", "immediately", "now", "with immediate effect", "at once", "instant"}
)


class CellError(ValueError):
    """Why a cell cannot be read."""


def country_code_of(digits: str) -> str:
    """The country code a number begins with, by the plan of E.164."""
    if digits[:1] in ("1", "7"):
        return digits[:1]
    return digits[:2] if digits[:2] in _TWO_DIGIT_COUNTRIES else digits[:3]


@lru_cache(maxsize=65536)
def read_codes(text: str, code_reading: str = "", hyphen_reading: str = "") -> tuple[str, ...]:
    """Every code of a cell. ``code_reading``: list or number; ``hyphen_reading``: range or group.

    Where a cell has two readings these options decide; without them it is refused.
    """
    if text.isdigit():
        return (_checked(text),)
    if _SCIENTIFIC.match(text):
        raise CellError("scientific notation: digits are lost; ask for the codes as text")
    if re.fullmatch(r"\d+[.]\d+", text):
        raise CellError("a decimal number: digits may be lost; ask for the codes as text")
    if code_reading != "list" and _may_be_thousands(text):
        if code_reading != "number":
            raise CellError(
                "may be one code with a thousands comma or several codes; say --codes list or "
                "--codes number"
            )
        return (_checked(text.replace(",", "")),)
    codes: list[str] = []
    is_mixed = {" " in part.strip() for part in re.split(r"[;,/|\n]", text) if part.strip()}
    for part in re.split(r"[;,/|\n]", text.translate(_DASHES)):
        if part.strip():
            codes += _codes_of_part(part.strip(), code_reading, hyphen_reading, len(is_mixed) > 1)
    if not codes:
        raise CellError("holds no code")
    return tuple(codes)


def _may_be_thousands(text: str) -> bool:
    """`1,242` and `355,356`; not `44207,44208`."""
    return re.fullmatch(r"\d{1,3}(,\d{3})+", text) is not None


def _codes_of_part(
    part: str, code_reading: str, hyphen_reading: str, is_mixed: bool
) -> list[str]:
    if "-" in part:
        return _hyphenated(part, hyphen_reading)
    words = part.split()
    if len(words) == 1:
        return [_checked(words[0])]
    plain = [_without_access(word) for word in words]
    first, rest = plain[0], plain[1:]
    is_country = first == country_code_of(first)
    own = [country_code_of(word) == country_code_of(first) for word in rest]
    if code_reading == "number" or (
        code_reading != "list" and is_country and not any(own) and not is_mixed
        and len(words) == 2
    ):  # fmt: skip
        return [_checked("".join(words))]
    if code_reading == "list" or (not is_country and all(own) and not is_mixed):
        return [_checked(word) for word in words]
    raise CellError(
        "may be one code with spaces or several codes; say --codes list or --codes number"
    )


def _hyphenated(part: str, reading: str) -> list[str]:
    pieces = [piece.replace(" ", "") for piece in part.split("-")]
    first, last = pieces[0], pieces[-1]
    if not all(piece.lstrip("+").isdigit() for piece in pieces):
        raise CellError("is no code; codes are digits")
    start, end = _without_access(first), _without_access(last)
    is_country = start == country_code_of(start)
    is_ascending = len(pieces) == 2 and len(start) == len(end) and start < end
    if reading == "group":
        return [_checked("".join(pieces))]
    if reading == "range":
        if len(pieces) != 2:
            raise CellError("is no range: more than one hyphen")
        if len(end) < len(start):
            end = start[: len(start) - len(end)] + end
        return _range(start, end)
    if is_ascending and not is_country:
        return _range(start, end)
    if is_country and not (is_ascending or len(start) == len(end)):
        return [_checked("".join(pieces))]
    raise CellError(
        "may be a range or one code with a hyphen; say --hyphen range or --hyphen group"
    )


def _range(start: str, end: str) -> list[str]:
    _checked(start)
    if len(start) != len(end) or start > end:
        raise CellError("is no range: its end must have as many digits and not be lower")
    size = int(end) - int(start) + 1
    if size > _LARGEST_RANGE:
        raise CellError(f"is a range of {size:,} codes; {_LARGEST_RANGE:,} at most")
    return [_checked(str(code)) for code in range(int(start), int(end) + 1)]


def _without_access(code: str) -> str:
    """Without +, 00 or 011 in front."""
    for access in ("+", "011", "00"):
        if code.startswith(access) and len(code) > len(access):
            return code[len(access) :]
    return code


def _checked(text: str) -> str:
    code = _without_access(text)
    if not (code.isascii() and code.isdigit()):
        raise CellError("is no code; codes are digits")
    if code.startswith("0"):
        raise CellError("starts with 0: a national code, or digits are lost; codes are E.164")
    if code[0] == "1" and code[1:2] in ("0", "1"):
        raise CellError(
            "no North American code starts so; were zeros of 011 lost? codes are E.164"
        )
    if len(code) > _LONGEST_CODE:
        raise CellError(f"has {len(code)} digits; a code has {_LONGEST_CODE} at most")
    return code


@lru_cache(maxsize=65536)
def read_price(text: str, decimal_mark: str = "") -> tuple[Decimal | None, str | None]:
    """A price and the currency it names. None: blank, or a word that says blocked."""
    if text == "" or text.casefold() in _BLOCKED_WORDS:
        return None, None
    number, currency = _without_currency(text)
    if _SCIENTIFIC.match(number):
        raise CellError("scientific notation: digits may be lost; ask for plain decimals")
    plain = _plain_number(number, decimal_mark)
    value = Decimal(plain)
    if -value.normalize().as_tuple().exponent > _PRICE_DECIMALS:  # type: ignore[operator]
        raise CellError(f"has more than {_PRICE_DECIMALS} decimals")
    if value >= Decimal(10) ** 8:
        raise CellError("is too large for a price")
    return value, currency


def _without_currency(text: str) -> tuple[str, str | None]:
    currency = None
    match = re.fullmatch(r"([A-Za-z]{3})\s*(\S+)|(\S+?)\s*([A-Za-z]{3})", text)
    if match and not _SCIENTIFIC.match(text):
        currency = (match[1] or match[4]).upper()
        return match[2] or match[3], currency
    for sign, code in _SIGNS.items():
        if sign in text:
            return text.replace(sign, "").strip(), code
    return text, None


def _plain_number(text: str, decimal_mark: str) -> str:
    text = text.replace("\u00a0", "").replace("\u202f", "").replace(" ", "")
    if re.fullmatch(r"-[\d.,]+|\([\d.,]+\)", text):
        raise CellError("is negative; a price is not")
    if re.fullmatch(r"\d+|\d*\.\d+|\d+\.", text) and decimal_mark != ",":
        return "0" + text.rstrip(".") if text.startswith(".") else text.rstrip(".")
    if text.isdigit():
        return text
    if not re.fullmatch(r"[\d.,]*\d[\d.,]*", text):
        raise CellError("is not a number; blank or the word blocked means: may not be called")
    last = max(text.rfind("."), text.rfind(","))
    mark = text[last]
    other = "," if mark == "." else "."
    if text.count(mark) > 1 or (decimal_mark and mark != decimal_mark):
        # The mark groups thousands.
        if re.fullmatch(r"\d{1,3}([.,]\d{3})+", text) and text.count(other) == 0:
            return text.replace(mark, "")
        raise CellError(f"has its decimal mark not as {decimal_mark or 'others'}")
    if other in text:
        head = text[:last]
        if not re.fullmatch(rf"\d{{1,3}}({re.escape(other)}\d{{3}})+", head):
            raise CellError("is not a number: its marks are mixed")
        return head.replace(other, "") + "." + text[last + 1 :]
    if mark == "," and not decimal_mark and re.fullmatch(r"[1-9]\d{0,2},\d{3}", text):
        raise CellError(
            "may be thousands or three decimals; say --decimal-mark , or --decimal-mark ."
        )
    return (text[:last] or "0") + "." + (text[last + 1 :] or "0")


@lru_cache(maxsize=4096)
def read_increments(text: str) -> tuple[int, int] | None:
    """Minimum and increment in seconds: `60/1`; `6` alone is 6/6. None: blank."""
    if text == "":
        return None
    plain = re.sub(r"(?i)\s*(seconds?|secs?|s)\b\.?", "", text).strip()
    match = re.fullmatch(r"(\d{1,5})(?:\.0+)?(?:\s*[/+:\\-]\s*(\d{1,5}))?", plain)
    if match is None:
        raise CellError(
            "is no increment such as 60/1 (spreadsheets turn 6/6 into a date; ask for text)"
        )
    first = int(match[1])
    second = int(match[2]) if match[2] else first
    if second == 0:
        raise CellError("an increment is at least one second")
    return first, second


@lru_cache(maxsize=4096)
def read_seconds(text: str) -> int | None:
    """Whole seconds in a cell of their own. None: blank."""
    if text == "":
        return None
    match = re.fullmatch(r"(?i)(\d{1,6})(?:\.0+)?\s*(?:s|sec|secs|seconds)?", text)
    if match is None:
        raise CellError("is no whole number of seconds")
    return int(match[1])


def day_order_shown(text: str) -> str | None:
    """dmy or mdy where a date proves it by a day above 12; both where it does not matter."""
    match = _NUMERIC.fullmatch(text)
    if match is None:
        return None
    a, b = int(match["a"]), int(match["b"])
    if a > 12 and b <= 12:
        return "dmy"
    if b > 12 and a <= 12:
        return "mdy"
    return "any" if a == b else "open"


@lru_cache(maxsize=16384)
def read_instant(
    text: str, order: str, zone: str, *, is_last_day: bool = False
) -> datetime | None:
    """An instant in UTC. A day begins at 00:00 in ``zone``; a last day ends with its last second.

    ``order`` is dmy or mdy, or empty: then only dates that need none are read. None: blank.
    """
    if text == "" or (is_last_day and re.match(r"(2099|9999)\D", text)):
        return None
    match = (
        _YEAR_FIRST.fullmatch(text) or _PACKED.fullmatch(text)
        or _NAMED.fullmatch(text) or _NAMED_FIRST.fullmatch(text)
    )  # fmt: skip
    if match is not None:
        parts = match.groupdict()
        day = int(parts["d"])
        month = int(parts["m"]) if parts["m"].isdigit() else _MONTHS.get(parts["m"].casefold(), 0)
    else:
        match = _NUMERIC.fullmatch(text)
        if match is None:
            raise CellError("is no date")
        parts = match.groupdict()
        a, b = int(parts["a"]), int(parts["b"])
        if a != b and order not in ("dmy", "mdy"):
            raise CellError("may be day-month or month-day; say --date-order dmy or mdy")
        day, month = (b, a) if order == "mdy" else (a, b)
    year = int(parts["y"]) + (2000 if len(parts["y"]) == 2 else 0)
    return _in_utc(year, month, day, parts, zone, is_last_day)


def _in_utc(
    year: int, month: int, day: int, parts: dict[str, str | None], zone: str, is_last_day: bool
) -> datetime:
    try:
        first = date(year, month, day)
        has_clock = parts.get("hour") is not None
        if is_last_day and not has_clock:
            first += timedelta(days=1)
        fraction = (parts.get("fraction") or ".0")[1:7].ljust(6, "0")
        local = datetime(
            first.year, first.month, first.day, int(parts.get("hour") or 0),
            int(parts.get("minute") or 0), int(parts.get("second") or 0), int(fraction),
        )  # fmt: skip
    except ValueError as error:
        raise CellError("is no date") from error
    if not 1990 <= year <= 2100:
        raise CellError("is no date a price can have")
    named = (parts.get("zone") or "").upper()
    if named in ("Z", "UTC", "GMT"):
        return local.replace(tzinfo=UTC)
    if named:
        sign = -1 if named[0] == "-" else 1
        offset = timedelta(hours=int(named[1:3]), minutes=int(named[-2:]))
        return (local - sign * offset).replace(tzinfo=UTC)
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
