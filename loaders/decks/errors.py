"""Refusals of rate sheets: row, column and reason, all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loaders.errors import RatehouseError

SHOWN = 30
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Unclear:
    """One thing in a sheet that may not become a price."""

    sheet: str
    row: int | None
    column: str
    value: str | None
    reason: str

    def __str__(self) -> str:
        where = [f"sheet {self.sheet}"] if self.sheet else []
        where += [f"row {self.row}"] if self.row is not None else []
        where += [self.column] if self.column else []
        value = "" if self.value is None else f" '{_short(self.value)}'"
        return f"{', '.join(where) or 'file'}{value}: {self.reason}"


class DeckRefused(RatehouseError):
    """A rate sheet that is not clear. Nothing of it has been loaded."""

    def __init__(
        self, file_name: str, refusals: Sequence[Unclear], total: int | None = None
    ) -> None:
        self.file_name = file_name
        self.refusals = list(refusals[:SHOWN])
        self.total = len(refusals) if total is None else total
        lines = [f"{file_name} is refused as a rate sheet, nothing of it is loaded:"]
        lines += [f"  {refusal}" for refusal in self.refusals]
        if self.total > len(self.refusals):
            lines.append(f"  and {self.total - len(self.refusals)} more")
        super().__init__("\n".join(lines))


def refused(
    file_name: str, reason: str, *, sheet: str = "", row: int | None = None, column: str = ""
) -> DeckRefused:
    """The whole file is refused for one reason."""
    return DeckRefused(file_name, [Unclear(sheet, row, column, None, reason)])


def _short(value: str) -> str:
    shown = " ".join(value.split())
    return shown if len(shown) <= _SHOWN_CHARACTERS else shown[: _SHOWN_CHARACTERS - 3] + "..."
