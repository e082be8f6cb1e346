"""The append-only memory of what happened, who did it and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg2.extras import Json


def record_event(
    cursor: Any, subject: str, subject_id: int, event: str, detail: Mapping[str, Any], actor: str
) -> None:
    """Append to control.event."""
    cursor.execute(
        "insert into control.event (subject, subject_id, event, detail, actor) "
        "values (%s, %s, %s, %s, %s)",
        (subject, subject_id, event, Json(dict(detail)), actor),
    )
