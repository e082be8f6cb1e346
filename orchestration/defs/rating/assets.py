"""Every dbt model between landing and marts, built for one rating run at a time."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets
from pydantic import Field

from loaders import runs
from orchestration.lib.dbt_arguments import RATING_SELECTION
from orchestration.lib.manifest import load_manifest
from orchestration.lib.rating import rate_until_done, run_arguments
from orchestration.lib.report import RATING_RUN_ASSET
from orchestration.lib.subsets import refuse_parts
from orchestration.lib.translator import RatehouseTranslator

rating_run = dg.AssetSpec(
    RATING_RUN_ASSET,
    deps=[
        dg.AssetKey(["rating", "rated_usage"]),
        dg.AssetKey(["rating", "rated_charge"]),
        dg.AssetKey(["marts", "rpt_reconciliation__run"]),
    ],
    group_name="runs",
    description="Closed rating runs: what each rated, its balance, its states.",
)


class RatingConfig(dg.Config):
    """Options of a rating run."""

    reason: str = Field(default="", description="Why, in words; kept with the run.")


@dbt_assets(
    name="rating_models",
    manifest=load_manifest(),
    select=RATING_SELECTION,
    dagster_dbt_translator=RatehouseTranslator(),
    pool="warehouse",
)
def rating_models(
    context: dg.AssetExecutionContext, config: RatingConfig
) -> Iterator[Any]:
    """Rate what has landed: open a run, build its models, close it when it balances; repeat."""
    refuse_parts(context, "ratehouse rate (job rate_usage)")

    def open_run(connection: Any) -> runs.RatingRun | None:
        run = runs.open_rating_run(
            connection, reason=config.reason or None, **run_arguments(context)
        )
        # then what these files complete: calls that began in earlier ones
        return run or runs.open_pairing_run(connection, **run_arguments(context))

    yield from rate_until_done(context, open_run)
