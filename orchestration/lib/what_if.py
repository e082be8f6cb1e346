"""What a reprocess would clear, for the screen and for Dagster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loaders import database, runs
from loaders.errors import RatehouseError
from loaders.runs.whatif import MOST_RECORDS
from orchestration.lib import paths
from orchestration.lib.dry_models import dry_models

COLUMNS = ("kind", "source", "outcome", "records", "amount", "at_risk", "currency")
TOO_MANY = (
    f"More than {MOST_RECORDS:,} records fit: what would come of them is not tried. Choose fewer "
    "(by reason, source, file or date) to see it."
)


def outcomes(connection: Any, filters: runs.SuspenseFilters) -> list[runs.Outcome] | None:
    """Rate the suspended records and roll it back; None if they are too many."""
    if paths.build_schema():
        raise RatehouseError(
            "what a reprocess would clear is tried in production only, and "
            f"RATEHOUSE_BUILD_SCHEMA is '{paths.build_schema()}': rate them with --yes"
        )
    return runs.what_reprocess_would_clear(
        connection, lambda: dry_models(database.database_url()), filters
    )


def rows(found: Sequence[runs.Outcome]) -> list[tuple[Any, ...]]:
    """One row for each kind, source, outcome and currency (COLUMNS)."""
    return [
        (
            o.record_kind,
            o.source_code,
            o.in_words,
            o.record_count,
            o.amount,
            o.at_risk_amount,
            o.currency_code,
        )
        for o in found
    ]
