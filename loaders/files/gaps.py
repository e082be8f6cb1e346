"""Files that count: the place of one in its source's row, and which are missing before it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from loaders.files.sources import Source

_LARGEST = 2**62


@dataclass(frozen=True)
class Place:
    """Number and series of a file; the first and last of the numbers missing before it."""

    series: str
    number: int
    missing: tuple[int, int] | None = None

    @property
    def explanation(self) -> str:
        """In words."""
        assert self.missing is not None
        first, last = self.missing
        missing = f"{first}" if first == last else f"{first} to {last}"
        within = f" of series {self.series}" if self.series else ""
        return f"this is file number {self.number}{within}, but {missing} never came"


def compile_sequence(pattern: str) -> re.Pattern[str]:
    """The pattern of a source; ValueError in words if it cannot be used."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from error
    if "number" not in compiled.groupindex:
        raise ValueError('has no group "number"; write for example calls_(?P<number>[0-9]+)[.]csv')
    return compiled


def place_of(
    cursor: Cursor, source: Source, file_name: str, stated: str | None = None
) -> Place | None:
    """From the file's name, else from the number the file itself states; None if it has none."""
    series = ""
    number = int(stated) if stated is not None and stated.isdecimal() else None
    if source.sequence_pattern is not None:
        found = compile_sequence(source.sequence_pattern).search(file_name)
        if found is not None and (found["number"] or "").isdecimal():
            number = int(found["number"])
            if "series" in found.re.groupindex:
                series = found["series"] or ""
    if number is None or number > _LARGEST:
        return None
    if source.gap_rule == "off":
        return Place(series, number)
    # From the highest number before: what lies further back was missing then already.
    cursor.execute(
        "select max(sequence_number) from control.file where source_code = %s "
        "and sequence_series = %s and sequence_number < %s "
        "and status <> 'failed'",
        (source.source_code, series, number),
    )
    before = cursor.fetchone()[0]
    if before is None or before == number - 1:
        return Place(series, number)
    return Place(series, number, (before + 1, number - 1))
