"""Refusals of reference data, row by row, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loaders.errors import RatehouseError

SHOWN = 20


@dataclass(frozen=True)
class Refusal:
    """One value that may not become reference data. ``line`` is the line of the file."""

    line: int | None
    column: str
    value: str | None
    reason: str

    def __str__(self) -> str:
        where = f"line {self.line}, " if self.line is not None else ""
        value = "" if self.value is None else f" '{_short(self.value)}'"
        return f"{where}{self.column}{value}: {self.reason}"


class ReferenceRefused(RatehouseError):
    """A reference file with something wrong in it. Nothing of it has been loaded."""

    def __init__(
        self, kind: str, file_name: str, refusals: Sequence[Refusal], total: int | None = None
    ) -> None:
        self.kind = kind
        self.file_name = file_name
        self.refusals = list(refusals[:SHOWN])
        self.total = len(refusals) if total is None else total
        lines = [f"{file_name} is refused as {kind}, nothing of it is loaded:"]
        lines += [f"  {refusal}" for refusal in self.refusals]
        if self.total > len(self.refusals):
            lines.append(f"  and {self.total - len(self.refusals)} more")
        super().__init__("\n".join(lines))


def _short(value: str) -> str:
    return value if len(value) <= 60 else value[:57] + "..."
