"""What an operator may say about a rate sheet that the sheet does not say itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from loaders.decks.cells import CellError, read_increments, read_instant
from loaders.decks.headers import FIELDS
from loaders.errors import RatehouseError

BEGINNING = "-infinity"
_CHOICES = {
    "date_order": ("", "dmy", "mdy"),
    "decimal_mark": ("", ".", ","),
    "codes": ("", "list", "number"),
    "hyphen": ("", "range", "group"),
    "pending": ("refuse", "keep", "replace"),
    "closed": ("fallback", "blocked"),
    "notice": ("warn", "refuse"),
}


@dataclass(frozen=True)
class DeckOptions:
    """Defaults are the careful ones: what has two readings is refused."""

    # Of rows without a date and of `ASAP`: a date, an instant, or `beginning`.
    effective: str = ""
    # Whether the sheet is everything there is; None: nobody said.
    is_full: bool | None = None
    date_order: str = ""
    decimal_mark: str = ""
    codes: str = ""
    hyphen: str = ""
    code_prefix: str = ""
    time_zone: str = "UTC"
    sheets: tuple[str, ...] = ()
    # Fields of a table without a header, in order; `-` is none.
    columns: tuple[str, ...] = ()
    # Field -> header, where the words are not known or two columns could be it.
    column: dict[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    # Destination (or *) -> minimum and increment; None: as the row says.
    increments: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    # A price already known for later: refuse the sheet, keep that price, replace it.
    pending: str = "refuse"
    closed: str = "fallback"
    notice_days: int = 7
    notice: str = "warn"
    received: date | None = None
    month: date | None = None

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise RatehouseError(
                    f"{name.replace('_', ' ')} must be one of "
                    f"{', '.join(choice for choice in allowed if choice)}"
                )
        if not (self.code_prefix == "" or self.code_prefix.isdigit()):
            raise RatehouseError("the code prefix must be digits")
        if self.notice_days < 0:
            raise RatehouseError("the days of notice must not be negative")
        unknown = {*self.columns, *self.column} - FIELDS - {"-"}
        if unknown:
            raise RatehouseError(
                f"there is no field {', '.join(sorted(unknown))}; "
                f"there are {', '.join(sorted(FIELDS))}"
            )
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise RatehouseError(
                f"'{self.time_zone}' is no zone of the IANA list (such as America/New_York)"
            ) from error

    def effective_from(self) -> str | None:
        """The instant --effective stands for, as PostgreSQL reads it."""
        if not self.effective:
            return None
        if self.effective == "beginning":
            return BEGINNING
        try:
            instant = read_instant(self.effective, "", self.time_zone)
        except CellError as error:
            raise RatehouseError(
                f"--effective {self.effective} {error}; write 2026-10-01 or `beginning`"
            ) from error
        return instant.isoformat() if instant else None


def parse_increments(texts: Sequence[str]) -> dict[str, tuple[int, int] | None]:
    """`MEXICO=60/60`, `*=1/1`, `MEXICO=row` of the command line."""
    found: dict[str, tuple[int, int] | None] = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        if not equals or not name.strip():
            raise RatehouseError(f"'{text}': write DESTINATION=60/60 or DESTINATION=row")
        if value.strip().casefold() == "row":
            found[name.strip()] = None
            continue
        try:
            found[name.strip()] = read_increments(value.strip())
        except CellError as error:
            raise RatehouseError(f"'{text}' {error}") from error
        if found[name.strip()] is None:
            raise RatehouseError(f"'{text}': write DESTINATION=60/60 or DESTINATION=row")
    return found


def parse_columns(texts: Sequence[str]) -> dict[str, str]:
    """`price=Rate 2` of the command line."""
    found = {}
    for text in texts:
        name, equals, header = text.partition("=")
        if not equals or not header.strip():
            raise RatehouseError(f"'{text}': write FIELD=HEADER, such as price=Rate 2")
        found[name.strip()] = header.strip()
    return found
