"""Withdraw a file with everything it caused, or take that back."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import dagster as dg
from pydantic import Field

from loaders import database, runs
from orchestration.lib import paths, progress, withdrawal
from orchestration.lib.areas import FILES
from orchestration.lib.billing import bill
from orchestration.lib.instance import mark_process
from orchestration.lib.rating import rate_until_done, run_arguments
from orchestration.lib.report import RATING_RUN_ASSET
from orchestration.lib.tables import markdown_table
from orchestration.lib.words import failures_in_words


class WithdrawConfig(dg.Config):
    """Which file, and whether it goes or comes back."""

    file_id: int = Field(description="Number of the file, as `ratehouse files` lists it.")
    restore: bool = Field(default=False, description="Take its withdrawal back.")
    reason: str = Field(default="", description="Why, in words; kept with the file.")
    preview: bool = Field(
        default=True, description="true: only show what it would do. false: do it."
    )


@dg.op(
    name="withdraw_or_restore_file",
    pool="warehouse",
    out=dg.Out(dg.Nothing),
    description="Take everything a file caused out of all figures, or bring it back.",
)
def withdraw_or_restore_file(
    context: dg.OpExecutionContext, config: WithdrawConfig
) -> Iterator[Any]:
    """The run of the file, the run of what repeats it, the drafts it stood in; or a preview."""
    mark_process(context)
    if config.preview:
        _log_preview(context, config)
        return
    arguments = run_arguments(context)
    begin = runs.open_restore_run if config.restore else runs.open_withdraw_run
    with failures_in_words(), closing(database.connect()) as connection:
        # Killed after the file itself was done: only what follows from it is left.
        is_begun = runs.is_withdrawn(connection, config.file_id) is not config.restore

    def open_run(connection: Any) -> runs.RatingRun | None:
        nonlocal is_begun
        if is_begun:
            return runs.resume_rating_run(connection, **arguments)
        run = begin(connection, config.file_id, reason=config.reason, **arguments)
        # A run that was taken up unfinished is not the one asked for, which still follows.
        is_begun = run is None or not run.is_resumed
        return run

    yield from rate_until_done(context, open_run, idle="no run is left to do")
    with closing(database.connect()) as connection:
        drafts = runs.drafts_out_of_date(connection, paths.build_schema())
    for period, bill_group in drafts:
        yield from bill(context, f"{period:%Y-%m}", bill_group, dry_run=False)


def _log_preview(context: dg.OpExecutionContext, config: WithdrawConfig) -> None:
    show = runs.preview_restore if config.restore else runs.preview_withdrawal
    with failures_in_words(), closing(database.connect()) as connection:
        preview = show(connection, config.file_id, build_schema=paths.build_schema())
    records = markdown_table(withdrawal.COLUMNS, withdrawal.record_rows(preview))
    said = " ".join(withdrawal.sentences(preview))
    progress.say(f"preview of file {preview.file_id} ({preview.file_name}); nothing was changed")
    context.log.info(f"{said}\n{records}")
    context.log_event(
        dg.AssetObservation(
            asset_key=RATING_RUN_ASSET,
            description="Preview of a withdrawal or restore; nothing was changed.",
            metadata={
                "file": preview.file_name,
                "records": dg.MetadataValue.md(records),
                "what_else": said,
                "invoices_in_the_way": dg.MetadataValue.md(
                    markdown_table(withdrawal.INVOICE_COLUMNS, withdrawal.invoice_rows(preview))
                ),
            },
        )
    )


@dg.job(
    name="withdraw_file",
    tags=FILES,
    description="""\
Take a file that was rated out of all figures, with everything it caused, or bring it back.

With `preview` on it shows *records*, money and *invoices_in_the_way*. Refused for money on
posted invoices. Drafts it stood in are made again. `restore` brings the file back to the digit.""",
)
def withdraw_file() -> None:
    withdraw_or_restore_file()
