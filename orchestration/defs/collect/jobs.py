"""Fetch what suppliers have put out."""

from contextlib import closing
from typing import Any

import dagster as dg
from pydantic import Field

from loaders import database
from loaders.collect import CollectorResult, collect
from loaders.errors import RatehouseError
from orchestration.defs.landing.assets import FILE_REGISTRY
from orchestration.lib import progress
from orchestration.lib.areas import FILES
from orchestration.lib.collect import COLLECTED_COLUMNS, collected_row, summary
from orchestration.lib.instance import mark_process
from orchestration.lib.tables import markdown_table
from orchestration.lib.words import failures_in_words


class CollectConfig(dg.Config):
    """From where to collect. Holds no secret: collectors name where theirs are read from."""

    collectors: list[str] = Field(
        default=[], description="Codes of collectors; empty: every enabled one."
    )
    dry_run: bool = Field(default=False, description="Only show what would be taken.")


@dg.op(
    name="collect_files",
    out=dg.Out(dg.Nothing),
    # No pool: most of its time it waits for other people's servers, and rating may go on
    # meanwhile. Landing and the collectors have locks of their own.
    description="Look, fetch, land, remember, put away; for one collector after the other.",
)
def collect_files(context: dg.OpExecutionContext, config: CollectConfig) -> None:
    """One look of each collector; one that fails does not keep the others from theirs."""
    mark_process(context)
    with failures_in_words(), closing(database.connect(role="ratehouse_loader")) as connection:
        results = collect(
            connection, config.collectors, dry_run=config.dry_run, say=progress.say
        )
        for result in results:
            context.log.info(f"{result.collector_code}: {summary(result)}")
        context.log_event(_event(results, config.dry_run))
        failed = [result.error for result in results if result.status == "failed"]
        if failed:
            raise RatehouseError("\n".join(error or "" for error in failed))


def _event(results: list[CollectorResult], dry_run: bool) -> Any:
    metadata = {
        "collectors": dg.MetadataValue.md(
            markdown_table(
                ["collector", "look", "error"],
                [(r.collector_code, summary(r), r.error) for r in results],
            )
        ),
        "files": dg.MetadataValue.md(
            markdown_table(
                ["collector", *COLLECTED_COLUMNS],
                [
                    (r.collector_code, *collected_row(file))
                    for r in results
                    for file in r.files
                    if dry_run or file.state != "known"
                ],
            )
        ),
        "files_taken": sum(r.count("taken") for r in results),
        "files_failed": sum(r.count("failed") for r in results),
    }
    if dry_run:
        return dg.AssetObservation(
            asset_key=FILE_REGISTRY,
            description="What would be collected; nothing was changed.",
            metadata=metadata,
        )
    return dg.AssetMaterialization(
        asset_key=FILE_REGISTRY, description="Collected from suppliers.", metadata=metadata
    )


@dg.job(
    name="collect_now",
    tags=FILES,
    description="""\
Fetch what suppliers have put out, and land it. `rate_usage` rates it afterwards.

`dry_run` only lists what would be taken. Nothing that has not landed is moved or deleted there.""",
)
def collect_now() -> None:
    collect_files()
