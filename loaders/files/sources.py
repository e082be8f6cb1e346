"""The declared sources, as far as loading a file depends on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from psycopg2.extensions import cursor as Cursor

from loaders.errors import RatehouseError
from loaders.layouts.catalogue import Layout


class UnknownSource(RatehouseError):
    """A source was named that reference.source does not have."""


@dataclass(frozen=True)
class Source:
    """The current reference.source row of one feed."""

    source_code: str
    file_kind: str
    layout_code: str | None
    column_map: dict[str, str] = field(default_factory=dict)
    reject_ceiling_percent: Decimal = Decimal(50)
    same_name_rule: str = "off"
    sequence_pattern: str | None = None
    gap_rule: str = "report"
    layout_options: dict[str, str] = field(default_factory=dict)


# Holds files nobody could place; its files have no rows, so it needs no reference row.
UNASSIGNED = Source("unassigned", "unknown", None)


class Sources:
    """reference.source as it stands now."""

    def __init__(self, cursor: Cursor) -> None:
        cursor.execute(
            "select source_code, file_kind, layout_code, column_map, reject_ceiling_percent, "
            "same_name_rule, sequence_pattern, gap_rule, layout_options from reference.source "
            "where recorded_to = 'infinity' and valid_during @> now() order by source_code"
        )
        self._by_code = {row[0]: Source(*row) for row in cursor.fetchall()}

    def named(self, code: str) -> Source:
        """The source an operator named."""
        try:
            return self._by_code[code]
        except KeyError:
            declared = [name for name in self._by_code if not name.startswith("unassigned_")]
            raise UnknownSource(
                f"there is no source '{code}'; declared sources: "
                + (", ".join(declared) or "none")
                + ". Add it with: ratehouse reference load source FILE"
            ) from None

    def of_folder(self, folder_name: str) -> Source | None:
        """The source whose code is the folder's name; the built-in ones cannot be meant."""
        return self._by_code.get(folder_name)

    def unassigned(self, layout: Layout) -> Source:
        return self._by_code.get(
            layout.unassigned_source,
            Source(layout.unassigned_source, layout.file_kind, layout.code),
        )
