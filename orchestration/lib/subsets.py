"""Models whose rows belong to a run are built together or not at all."""

from __future__ import annotations

import dagster as dg


def refuse_parts(context: dg.AssetExecutionContext, instead: str) -> None:
    """Refuse a selection of some assets: half a run would not balance, and would never close."""
    if context.is_subset:
        raise dg.Failure(
            description=(
                "These models are built together, for one run: a part of them would leave the "
                f"run out of balance. Start {instead} instead; nothing was changed."
            ),
            allow_retries=False,
        )
