"""Sentences around a rate table that set increments: understood, or asked about."""

from __future__ import annotations

import re
from dataclasses import dataclass

from loaders.decks.cells import CellError, read_increments

# 60/1, but no date such as 10/08/2026.
_INCREMENT = r"(?<![\d/.-])\d{1,3}\s?/\s?\d{1,3}(?![\d/.-])"
_CLAUSE = re.compile(rf"(?P<increments>{_INCREMENT})\s+(?:for|in|to)\s+(?P<names>[^;.\n]+)", re.I)


@dataclass(frozen=True)
class IncrementNote:
    """`60/60 for Mexico and Gambia`."""

    increments: tuple[int, int]
    names: tuple[str, ...]


def increments_said(text: str) -> tuple[list[IncrementNote], list[str]]:
    """What a sentence says of increments, and what of it is not understood."""
    notes = []
    for match in _CLAUSE.finditer(text):
        try:
            increments = read_increments(re.sub(r"\s", "", match["increments"]))
        except CellError:
            continue
        names = tuple(
            name.strip() for name in re.split(r",|&|\band\b", match["names"], flags=re.I)
            if name.strip()
        )  # fmt: skip
        if increments is not None and names:
            notes.append(IncrementNote(increments, names))
    remaining = _CLAUSE.sub("", text)
    return notes, re.findall(_INCREMENT, remaining)


def belongs_to(destination: str, name: str) -> bool:
    """Whether a destination is of that country or begins with that name: whole words only."""
    wanted, given = _words(name), _words(destination)
    return bool(wanted) and given[: len(wanted)] == wanted


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())
