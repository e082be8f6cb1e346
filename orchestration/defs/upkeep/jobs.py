"""Months of the facts kept, archived and read back; the nightly full proof."""

from pathlib import Path
from typing import Any, Literal

import dagster as dg
from pydantic import Field

from loaders.errors import RatehouseError
from orchestration.lib import partitions as lib
from orchestration.lib import progress, prove
from orchestration.lib.areas import PROOFS
from orchestration.lib.instance import mark_process
from orchestration.lib.tables import markdown_table
from orchestration.lib.words import failures_in_words

_PARTITIONS = dg.AssetKey("partitions")
_PROOF = dg.AssetKey("full_proof")


class PartitionsConfig(dg.Config):
    """What to do with the months of the facts."""

    act: Literal["list", "keep", "archive", "attach"] = Field(
        default="list",
        description="list: show them and the use of their indexes. keep: make months ahead, set "
        "autovacuum, renew statistics. archive: move a closed month to Parquet. attach: read back.",
    )
    ahead: int = Field(default=3, ge=0, le=24, description="Months to make ahead (keep).")
    month: str = Field(default="", description="Month to archive or attach, as 2024-01.")
    folder: str = Field(
        default="", description="Folder of the files; empty: archive in the home folder."
    )
    recent: bool = Field(
        default=False, description="Archive it although drafts may still look back as far."
    )
    reason: str = Field(default="", description="Why, in words; kept. Needed to move a month.")


@dg.op(
    name="partitions_of_facts",
    pool="warehouse",
    out=dg.Out(dg.Nothing),
    description="List, keep, archive or attach months of the facts.",
)
def partitions_of_facts(context: dg.OpExecutionContext, config: PartitionsConfig) -> None:
    """Do it, and show the months as they are then."""
    mark_process(context)
    folder = Path(config.folder) if config.folder else lib.archive_folder()
    shown: dict[str, Any] = {}
    with failures_in_words(), lib.connect() as connection:
        if config.act == "keep":
            shown["done"] = "\n".join(lib.keep(connection, config.ahead))
        elif config.act == "archive":
            moved = lib.archive(
                connection, config.month, folder, reason=config.reason,
                actor=context.run_id, recent=config.recent,
            )  # fmt: skip
            shown["moved"] = dg.MetadataValue.md(markdown_table(lib.MOVED_COLUMNS, moved))
        elif config.act == "attach":
            moved = lib.attach(
                connection, config.month, folder, reason=config.reason, actor=context.run_id
            )
            shown["moved"] = dg.MetadataValue.md(markdown_table(lib.MOVED_COLUMNS, moved))
        months = markdown_table(lib.PARTITION_COLUMNS, lib.overview(connection))
        indexes = markdown_table(lib.INDEX_COLUMNS, lib.indexes(connection))
    context.log.info(months)
    context.log_event(
        dg.AssetObservation(
            asset_key=_PARTITIONS,
            metadata={
                **shown,
                "months": dg.MetadataValue.md(months),
                "indexes": dg.MetadataValue.md(indexes),
            },
        )
    )


@dg.job(
    name="partitions",
    tags=PROOFS,
    description="""\
Months of usage: sizes, upkeep, archive. Only lists them unless `act` says otherwise.""",
)
def partitions() -> None:
    partitions_of_facts()


@dg.op(
    name="prove_everything",
    out=dg.Out(dg.Nothing),
    description="Work out everything again from the whole history and compare. Changes nothing.",
)
def prove_everything(context: dg.OpExecutionContext) -> None:
    """All proofs as one table; fails when one does not hold."""
    mark_process(context)
    with failures_in_words():
        found = prove.prove_warehouse(progress.say)
        table = markdown_table(prove.COLUMNS, prove.rows(found))
        context.log.info(table)
        context.log_event(
            dg.AssetObservation(asset_key=_PROOF, metadata={"proofs": dg.MetadataValue.md(table)})
        )
        wrong = [proof.what for proof in found if not proof.holds]
        if wrong:
            raise RatehouseError(f"the full proof does not hold: {'; '.join(wrong)}")


@dg.job(
    name="full_proof",
    tags=PROOFS,
    description="""\
Work everything out again from the whole history and compare it with what stands. Changes nothing.

Look at *proofs*. Fails if one of them does not hold.""",
)
def full_proof() -> None:
    prove_everything()


full_proof_nightly = dg.ScheduleDefinition(
    name="full_proof_nightly",
    job=full_proof,
    cron_schedule="30 1 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every night: all that the tests of a run do not look at again.",
)
