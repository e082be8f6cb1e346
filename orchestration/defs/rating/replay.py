"""Proof that landing and the code of today give what stands in the warehouse."""

from contextlib import closing

import dagster as dg
from pydantic import Field

from loaders import database
from orchestration.lib import progress, replay
from orchestration.lib.areas import PROOFS
from orchestration.lib.instance import mark_process
from orchestration.lib.rating import requested_by
from orchestration.lib.tables import markdown_table
from orchestration.lib.words import failures_in_words

REPLAY_ASSET = dg.AssetKey(["runs", "replay"])


class ReplayConfig(dg.Config):
    """Options of a replay."""

    preview: bool = Field(
        default=True, description="true: only say what there is to do. false: do it."
    )
    keep: bool = Field(default=False, description="Keep its schemas until the next replay.")
    reason: str = Field(default="", description="Why, in words; kept with the replay.")


# Not in the pool of the warehouse: it writes nothing there, and production may go on meanwhile.
@dg.op(
    name="replay_every_run",
    pool="replay",
    out=dg.Out(dg.Nothing),
    description="Make every closed run again in schemas of its own and compare by checksum.",
)
def replay_every_run(context: dg.OpExecutionContext, config: ReplayConfig) -> None:
    """A table of checksums, as metadata; what differs does not fail the job, it is its result."""
    mark_process(context)
    if config.preview:
        with failures_in_words(), closing(database.connect()) as connection:
            planned = replay.plan(connection)
        for sentence in planned.sentences():
            progress.say(sentence)
            context.log.info(sentence)
        return
    with failures_in_words():
        result = replay.replay(
            requested_by=requested_by(context), reason=config.reason or None, keep=config.keep
        )
    context.log_event(
        dg.AssetMaterialization(
            asset_key=REPLAY_ASSET,
            description="Everything is equal." if result.is_equal else "Something differs.",
            metadata={
                "replay_id": result.replay_id,
                "is_equal": result.is_equal,
                "differing_runs": dg.MetadataValue.json(result.differing_runs),
                "notes": dg.MetadataValue.json(result.sentences),
                "comparison": dg.MetadataValue.md(markdown_table(replay.COLUMNS, result.rows())),
                "rows": dg.MetadataValue.json([list(row) for row in result.rows()]),
            },
        )
    )


@dg.job(
    name="replay_proof",
    tags=PROOFS,
    description="""\
Make every rating run again from the lines as received, beside production, and compare.

With `preview` on it says what there is to do; it may take hours. Look at *comparison* and
*differing_runs*. Production is not touched.""",
)
def replay_proof() -> None:
    replay_every_run()
