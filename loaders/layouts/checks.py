"""What a field looks like: the evidence that content gives about a layout."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?"
_DAY = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2}))"
_ZONE = r"(?:\s*(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}|[AaPp]\.?[Mm]\.?))*"
_DATETIME = re.compile(
    rf"\s*(?:{_DAY}[ T]+{_CLOCK}{_ZONE}|\d{{8}}[ T]?\d{{2}}:?\d{{2}}(?::?\d{{2}})?{_ZONE}"
    r"|\d{10}(?:\.\d+)?|\d{13}|\d{16})\s*"
)
_DATE = re.compile(rf"\s*(?:{_DAY}|\d{{8}}|\d{{1,2}}[- ][A-Za-z]{{3,9}}[- ]\d{{2,4}})\s*")
_CLOCK_ONLY = re.compile(rf"\s*{_CLOCK}{_ZONE}\s*")
_INTEGER = re.compile(r"\s*-?\d+\s*")
_DURATION = re.compile(r"\s*-?(?:\d+(?:[.,]\d+)?|\d+:\d{2}(?::\d{2}(?:[.,]\d+)?)?)s?\s*")
_AMOUNT = re.compile(r"\s*\(?-?[^\d\s(-]{0,3}\s?-?\d[\d,.' ]*\)?\s*(?:CR|DR|-)?\s*", re.I)
_UNIQUE_ID = re.compile(r"\s*(?:\S+-)?\d{9,11}\.\d+\s*")
_UUID = re.compile(r"\s*[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\s*", re.I)
_CHANNEL = re.compile(r"\s*[A-Za-z0-9_]+/\S.*")
_NUMBER = re.compile(
    r"\s*[='\"]*\s*(?:(?:sips?|tel):\S+|[+*#]?[\d(][\d\s()./*#X-]*|anonymous|unavailable|"
    r"restricted|unknown|private|withheld)\"?\s*",
    re.I,
)
_DISPOSITIONS = {
    "ANSWERED", "NO ANSWER", "NOANSWER", "BUSY", "FAILED", "CONGESTION", "CANCEL", "CANCELED",
    "CANCELLED", "ANSWER", "UNKNOWN",
}  # fmt: skip
_AMA_FLAGS = {"OMIT", "BILLING", "DOCUMENTATION", "IGNORE", "BILL", "DEFAULT", "0", "1", "2", "3"}


def is_datetime(value: str) -> bool:
    return _DATETIME.fullmatch(value) is not None


def is_date(value: str) -> bool:
    return _DATE.fullmatch(value) is not None


def is_clock(value: str) -> bool:
    return _CLOCK_ONLY.fullmatch(value) is not None


def is_day_or_datetime(value: str) -> bool:
    return is_datetime(value) or is_date(value)


def is_number_like(value: str) -> bool:
    """A telephone number in any of the forms files bring."""
    return _NUMBER.fullmatch(value) is not None


def is_duration(value: str) -> bool:
    return _DURATION.fullmatch(value) is not None


def is_amount(value: str) -> bool:
    return _AMOUNT.fullmatch(value) is not None


CHECKS: dict[str, Callable[[str], bool]] = {
    "datetime": is_datetime,
    "datetime_or_empty": lambda value: not value.strip() or is_datetime(value),
    "date": is_date,
    "date_or_empty": lambda value: not value.strip() or is_date(value),
    "day_or_datetime": is_day_or_datetime,
    "clock": is_clock,
    "clock_or_empty": lambda value: not value.strip() or is_clock(value),
    "integer": lambda value: _INTEGER.fullmatch(value) is not None,
    "integer_or_empty": lambda value: not value.strip() or _INTEGER.fullmatch(value) is not None,
    "duration": is_duration,
    "duration_or_empty": lambda value: not value.strip() or is_duration(value),
    "amount": is_amount,
    "amount_or_empty": lambda value: not value.strip() or is_amount(value),
    "number": is_number_like,
    "number_or_empty": lambda value: not value.strip() or is_number_like(value),
    "uuid": lambda value: _UUID.fullmatch(value) is not None,
    "uuid_or_empty": lambda value: not value.strip() or _UUID.fullmatch(value) is not None,
    "empty": lambda value: not value.strip(),
    "filled": lambda value: bool(value.strip()),
    "disposition": lambda value: value.strip().upper() in _DISPOSITIONS,
    "ama_flag": lambda value: value.strip().upper() in _AMA_FLAGS,
    "unique_id": lambda value: _UNIQUE_ID.fullmatch(value) is not None,
    "not_unique_id": lambda value: _UNIQUE_ID.fullmatch(value) is None,
    "channel": lambda value: not value.strip() or _CHANNEL.fullmatch(value) is not None,
}


@cache
def check_of(name: str) -> Callable[[str], bool]:
    """A check by its name, "in:a|b|c" (any case) or "re:<expression of the whole value>"."""
    if name in CHECKS:
        return CHECKS[name]
    kind, colon, argument = name.partition(":")
    if colon and kind == "in":
        words = {word.strip().casefold() for word in argument.split("|")}
        return lambda value: value.strip().casefold() in words
    if colon and kind == "re":
        try:
            pattern = re.compile(argument)
        except re.error as error:
            raise ValueError(f"'{argument}' is no regular expression: {error}") from error
        return lambda value: pattern.fullmatch(value.strip()) is not None
    raise ValueError(
        f"there is no check '{name}'; there are {', '.join(CHECKS)}, in:a|b and re:expression"
    )


def looks_like_data(value: str) -> bool:
    """Something a header never says: a figure, an instant, an address with digits."""
    stripped = value.strip()
    return bool(stripped) and (
        stripped[0].isdigit()
        or is_datetime(stripped)
        or (stripped[0] in "+-(" and any(character.isdigit() for character in stripped))
    )
