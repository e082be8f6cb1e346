"""Rate suspended records again, after a service, plan or deck was put right."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import dagster as dg
from pydantic import Field

from loaders import database, runs
from orchestration.lib import paths, progress, what_if
from orchestration.lib.areas import RATING
from orchestration.lib.instance import mark_process
from orchestration.lib.rating import rate_until_done, run_arguments
from orchestration.lib.report import RATING_RUN_ASSET
from orchestration.lib.tables import markdown_table
from orchestration.lib.words import failures_in_words

PREVIEW_COLUMNS = ["kind", "reason", "source", "records", "files", "currency", "money at risk"]
OUTCOME_COLUMNS = ["kind", "source", "outcome", "records", "amount", "money at risk", "currency"]


class ReprocessConfig(dg.Config):
    """Which suspended records. Empty filters mean all of them."""

    preview: bool = Field(
        default=True, description="true: only say what would come of it. false: rate it again."
    )
    reasons: list[str] = Field(default=[], description="Like missing_rate, service_not_found.")
    source_codes: list[str] = Field(default=[], description="Only from these sources.")
    file_ids: list[int] = Field(default=[], description="Only from these files.")
    started_from: str = Field(default="", description="First day (UTC), as YYYY-MM-DD.")
    started_before: str = Field(default="", description="Day after the last one (UTC).")
    only_without_account: bool = Field(
        default=False, description="Only records that belong to nobody yet."
    )
    note: str = Field(default="", description="Why, in words; kept with the run.")

    def filters(self) -> runs.SuspenseFilters:
        """The filters, dates checked."""
        return runs.SuspenseFilters(
            reasons=tuple(self.reasons),
            source_codes=tuple(self.source_codes),
            file_ids=tuple(self.file_ids),
            started_from=runs.parse_day(self.started_from),
            started_before=runs.parse_day(self.started_before),
            only_without_account=self.only_without_account,
        )


@dg.op(
    name="reprocess_suspended_records",
    pool="warehouse",
    out=dg.Out(dg.Nothing),
    description="Count, or rate again, suspended records chosen by reason, source, file and date.",
)
def reprocess_suspended_records(
    context: dg.OpExecutionContext, config: ReprocessConfig
) -> Iterator[Any]:
    """Preview, or one run over what the filters choose (and an unfinished run before it)."""
    mark_process(context)
    with failures_in_words():
        filters = config.filters()
        with closing(database.connect()) as connection:
            groups = runs.preview_reprocess(connection, filters, build_schema=paths.build_schema())
    table = markdown_table(
        PREVIEW_COLUMNS,
        [
            (
                g.record_kind,
                g.reason,
                g.source_code,
                g.record_count,
                g.file_count,
                g.currency_code,
                g.at_risk_amount,
            )
            for g in groups
        ],
    )
    records = sum(g.record_count for g in groups)
    context.log.info(f"{records} suspended record(s) fit.\n{table}")
    if config.preview:
        _log_preview(context, filters, records, table)
        return

    is_done = False

    def open_run(connection: Any) -> runs.RatingRun | None:
        nonlocal is_done
        if is_done:
            return None
        run = runs.open_reprocess_run(
            connection, filters, reason=config.note or None, **run_arguments(context)
        )
        # What is still suspended afterwards would fit again, for ever. A run that was taken up
        # unfinished is not the one asked for, so the asked-for one still follows.
        is_done = run is None or not run.is_resumed
        return run

    yield from rate_until_done(context, open_run)


def _log_preview(
    context: dg.OpExecutionContext, filters: runs.SuspenseFilters, records: int, suspended: str
) -> None:
    with failures_in_words(), closing(database.connect()) as connection:
        outcomes = what_if.outcomes(connection, filters)
    if outcomes is None:
        said = what_if.TOO_MANY
    else:
        said = markdown_table(OUTCOME_COLUMNS, what_if.rows(outcomes))
    progress.say(f"preview: {records:,} suspended record(s) fit; nothing was changed")
    context.log.info(f"What would come of them:\n{said}")
    context.log_event(
        dg.AssetObservation(
            asset_key=RATING_RUN_ASSET,
            description="Preview of a reprocess run; nothing was changed.",
            metadata={
                "records": records,
                "suspended": dg.MetadataValue.md(suspended),
                "outcome": dg.MetadataValue.md(said),
                "records_that_would_be_billed": sum(
                    o.record_count for o in outcomes or () if o.state == "billed"
                ),
            },
        )
    )


@dg.job(
    name="reprocess_suspense",
    tags=RATING,
    description="""\
Rate suspended records again, after what they lacked was loaded (a service, a price).

With `preview` on it shows what is *suspended* and the *outcome* it would have: how many would
be billed, with how much money. Nothing that is rated well is touched. `undo_run` takes it back.""",
)
def reprocess_suspense() -> None:
    reprocess_suspended_records()
