"""From draft to ledger in the launchpad: approve, post, take back, close. Each previews first."""

from contextlib import closing
from typing import Any

import dagster as dg
from pydantic import Field

from loaders import database
from orchestration.lib import posting as lib
from orchestration.lib import progress
from orchestration.lib.instance import mark_process
from orchestration.lib.report import INVOICE_RUN_ASSET, proposal_metadata
from orchestration.lib.tables import markdown_table
from orchestration.lib.words import failures_in_words

_PERIOD = Field(default="2026-10", description="The month the period starts in, as YYYY-MM.")
_GROUP = Field(default="all", description="A bill group, or `all` for each of them in turn.")
_WHO = Field(default="", description="Your name; it is kept. Needed to do it.")
_REASON = Field(default="", description="Why, in words; it is kept.")
_PREVIEW = Field(default=True, description="Only show it. Switch off to do it.")


class ApproveConfig(dg.Config):
    """Whose drafts are approved, by whom and why."""

    period: str = _PERIOD
    bill_group: str = _GROUP
    who: str = _WHO
    reason: str = _REASON
    overrides: dict[str, str] = Field(
        default={},
        description="Blocked gates that may pass, each with a reason: {stale: the file was empty}.",
    )
    preview: bool = _PREVIEW


class PostConfig(dg.Config):
    """Which approved billing runs are posted."""

    period: str = _PERIOD
    bill_group: str = _GROUP
    who: str = _WHO
    reason: str = _REASON
    preview: bool = _PREVIEW


class ReopenConfig(dg.Config):
    """Whose approval is taken back."""

    period: str = _PERIOD
    bill_group: str = Field(default="main", description="The bill group.")
    who: str = _WHO
    reason: str = _REASON
    preview: bool = _PREVIEW


class CloseConfig(dg.Config):
    """Which period is closed."""

    period: str = _PERIOD
    bill_group: str = _GROUP
    who: str = _WHO
    reason: str = _REASON
    force: bool = Field(default=False, description="Although something is still open.")
    preview: bool = _PREVIEW


@dg.op(name="approve_drafts", pool="warehouse", out=dg.Out(dg.Nothing))
def approve_drafts(context: dg.OpExecutionContext, config: ApproveConfig) -> None:
    """Approve the drafts of a period, or show gates and what would be posted."""
    mark_process(context)
    with failures_in_words(), closing(database.connect()) as connection:
        if config.preview:
            proposals = lib.look(connection, config.period, config.bill_group)
        else:
            proposals = lib.approve(
                connection,
                config.period,
                config.bill_group,
                who=config.who,
                reason=config.reason,
                overrides=config.overrides,
            )
    _show(context, proposals, "Preview; nothing was approved." if config.preview else "Approved.")


@dg.op(name="post_invoices", pool="warehouse", out=dg.Out(dg.Nothing))
def post_invoices(context: dg.OpExecutionContext, config: PostConfig) -> None:
    """Post the approved billing runs of a period, or show what would be posted."""
    mark_process(context)
    with failures_in_words(), closing(database.connect()) as connection:
        if config.preview:
            proposals = lib.look(connection, config.period, config.bill_group)
            _show(context, proposals, "Preview; nothing was posted.")
            return
        postings = lib.post(
            connection,
            config.period,
            config.bill_group,
            who=config.who,
            reason=config.reason or None,
        )
    for posting in postings:
        words = lib.describe_posting(posting)
        progress.say(words)
        context.log_event(
            dg.AssetObservation(
                asset_key=INVOICE_RUN_ASSET,
                description=words,
                metadata={
                    "invoice_run_id": posting.invoice_run_id,
                    "period": f"{posting.period_month:%Y-%m}",
                    "bill_group": posting.bill_group,
                    "round": posting.round_no,
                    "posted": dg.MetadataValue.md(
                        markdown_table(lib.INVOICE_COLUMNS, lib.invoice_rows(posting))
                    ),
                    "totals": lib.money(posting.totals),
                    "waits_for_the_next_invoice": posting.carried_count,
                },
            )
        )


@dg.op(name="reopen_approved_draft", pool="warehouse", out=dg.Out(dg.Nothing))
def reopen_approved_draft(context: dg.OpExecutionContext, config: ReopenConfig) -> None:
    """Take the approval of a draft back, or show the draft."""
    mark_process(context)
    with failures_in_words(), closing(database.connect()) as connection:
        if config.preview:
            proposals = lib.look(connection, config.period, config.bill_group)
            _show(context, proposals, "Preview; no approval was taken back.")
        else:
            words = lib.reopen(
                connection,
                config.period,
                config.bill_group,
                who=config.who,
                reason=config.reason,
            )
            progress.say(words)
            context.log_event(dg.AssetObservation(asset_key=INVOICE_RUN_ASSET, description=words))


@dg.op(name="close_billing_period", pool="warehouse", out=dg.Out(dg.Nothing))
def close_billing_period(context: dg.OpExecutionContext, config: CloseConfig) -> None:
    """Close a period, or show what is open in it."""
    mark_process(context)
    with failures_in_words(), closing(database.connect()) as connection:
        if config.preview:
            states = lib.states(connection, config.period, config.bill_group)
        else:
            states = lib.close(
                connection,
                config.period,
                config.bill_group,
                who=config.who,
                reason=config.reason,
                force=config.force,
            )
    for state in states:
        words = lib.describe_state(state)
        progress.say(words)
        context.log_event(dg.AssetObservation(asset_key=INVOICE_RUN_ASSET, description=words))


def _show(context: dg.OpExecutionContext, proposals: list[Any], what: str) -> None:
    for proposal in proposals:
        words = lib.describe_proposal(proposal)
        progress.say(words)
        context.log_event(
            dg.AssetObservation(
                asset_key=INVOICE_RUN_ASSET,
                description=f"{what} {words}",
                metadata=proposal_metadata(proposal),
            )
        )


@dg.job(
    name="approve_billing_run",
    description="Approve the drafts of a period: who, when, why, with which totals. Previews "
    "gates and invoices unless told otherwise.",
)
def approve_billing_run() -> None:
    approve_drafts()


@dg.job(
    name="post_billing_run",
    description="Post approved drafts into the ledger, numbered and for ever. Previews unless "
    "told otherwise.",
)
def post_billing_run() -> None:
    post_invoices()


@dg.job(
    name="reopen_draft",
    description="Take the approval of a draft back. Refused once it is posted.",
)
def reopen_draft() -> None:
    reopen_approved_draft()


@dg.job(
    name="close_period",
    description="Close a period: no first invoices of it any more. Previews unless told.",
)
def close_period() -> None:
    close_billing_period()
