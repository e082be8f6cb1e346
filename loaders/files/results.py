"""What loading one file came to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FileResult:
    """One file given to the loader: landed, already there, held with a reason, or failed."""

    file_id: int | None
    file_name: str
    origin: str
    status: str
    status_reason: str | None = None
    source_code: str | None = None
    layout_code: str | None = None
    layout_variant: str | None = None
    record_count: int = 0
    data_count: int = 0
    non_data_count: int = 0
    quarantined_count: int = 0
    duplicate_of_file_id: int | None = None
    # The reason in words, for a person.
    explanation: str = ""
