"""Totals and balances worked out again from the facts, and compared."""

from contextlib import closing

import dagster as dg
from pydantic import Field

from loaders import database, runs
from loaders.runs import refresh as engine
from orchestration.lib import paths, progress
from orchestration.lib.areas import PROOFS
from orchestration.lib.instance import mark_process
from orchestration.lib.report import RATING_RUN_ASSET
from orchestration.lib.tables import markdown_table
from orchestration.lib.words import failures_in_words


class RefreshConfig(dg.Config):
    """Of what; empty: of everything."""

    account: str = Field(default="", description="Only this account.")
    period: str = Field(default="", description="Totals of this billing period only, like 2026-10.")


@dg.op(
    name="refresh_totals_and_balances",
    pool="warehouse",
    out=dg.Out(dg.Nothing),
    description="Work out totals and balances from the facts and compare with what stands.",
)
def refresh_totals_and_balances(context: dg.OpExecutionContext, config: RefreshConfig) -> None:
    """Changes nothing. A difference fails the job, with the rows."""
    mark_process(context)
    with failures_in_words(), closing(database.connect()) as connection:
        period = runs.parse_period(config.period) if config.period else None
        with connection, connection.cursor() as cursor:
            found = engine.refresh(
                cursor,
                account=config.account,
                period=period,
                build_schema=paths.build_schema(),
            )
    said = " ".join(found.sentences())
    differences = markdown_table(engine.DIFFERENCE_COLUMNS, found.differences)
    progress.say(said)
    context.log.info(said)
    context.log_event(
        dg.AssetObservation(
            asset_key=RATING_RUN_ASSET,
            description="Totals and balances beside the facts.",
            metadata={
                "summary": said,
                "is_equal": found.is_equal,
                "differences": dg.MetadataValue.md(differences),
                "balances": dg.MetadataValue.md(
                    markdown_table(engine.BALANCE_COLUMNS, found.balances)
                ),
            },
        )
    )
    if not found.is_equal:
        raise dg.Failure(description=f"{said}\n{differences}", allow_retries=False)


@dg.job(
    name="refresh",
    tags=PROOFS,
    description="""\
Work out totals and balances from the single records and compare them with what stands.

Changes nothing. Fails, with the rows, if anything differs.""",
)
def refresh() -> None:
    refresh_totals_and_balances()
