"""The append-only memory of what happened, who did it and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg2.extras import Json


def record_event(
    cursor: Any,
    subject: str,
    subject_id: int | None,
    event: str,
    detail: Mapping[str, Any],
    actor: str | None = None,
) -> None:
    """Append to control.event; without an actor it is the session's user."""
    cursor.execute(
        "insert into control.event (subject, subject_id, event, detail, actor) "
        "values (%s, %s, %s, %s, coalesce(%s, session_user))",
        (subject, subject_id, event, Json(dict(detail)), actor),
    )
