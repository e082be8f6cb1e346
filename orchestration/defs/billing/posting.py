"""From draft to ledger in the launchpad: approve, post, take back, close. Each previews first."""

from contextlib import closing
from typing import Any

import dagster as dg
from pydantic import Field

from loaders import database
from loaders.errors import RatehouseError
from orchestration.lib import posting as lib
from orchestration.lib import progress
from orchestration.lib.areas import BILLING
from orchestration.lib.billing import last_month
from orchestration.lib.instance import mark_process
from orchestration.lib.report import INVOICE_RUN_ASSET, proposal_metadata
from orchestration.lib.tables import markdown_table
from orchestration.lib.words import failures_in_words

_PERIOD = Field(
    default="",
    description="The month the period starts in, as YYYY-MM. Empty: last month, to look at only.",
)
_GROUP = Field(default="all", description="A bill group, or `all` for each of them in turn.")
_WHO = Field(default="", description="Your name; it is kept. Needed when preview is off.")
_REASON = Field(
    default="", description="Why, in words; it is kept. Only posting may go without it."
)
_PREVIEW = Field(default=True, description="true: only show what would happen. false: do it.")


class ApproveConfig(dg.Config):
    """Whose drafts are approved, by whom and why."""

    period: str = _PERIOD
    bill_group: str = _GROUP
    who: str = _WHO
    reason: str = _REASON
    overrides: dict[str, str] = Field(
        default={},
        description="Blocked gates that may pass all the same, each with the reason why, as "
        "{suspense: agreed with sales}. The preview lists the gates.",
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
    bill_group: str = Field(default="main", description="The bill group, one at a time.")
    who: str = _WHO
    reason: str = _REASON
    preview: bool = _PREVIEW


class CloseConfig(dg.Config):
    """Which period is closed."""

    period: str = _PERIOD
    bill_group: str = _GROUP
    who: str = _WHO
    reason: str = _REASON
    force: bool = Field(
        default=False,
        description="Close it although something is open; what was open is kept with it.",
    )
    preview: bool = _PREVIEW


def _period(config: Any) -> str:
    """The month asked for; one that is done for ever is named, not guessed."""
    if not config.period.strip() and not config.preview:
        raise RatehouseError("say which month (period), like 2026-10")
    return config.period.strip() or last_month()


@dg.op(name="approve_drafts", pool="warehouse", out=dg.Out(dg.Nothing))
def approve_drafts(context: dg.OpExecutionContext, config: ApproveConfig) -> None:
    """Approve the drafts of a period, or show gates and what would be posted."""
    mark_process(context)
    with failures_in_words(), closing(database.connect()) as connection:
        if config.preview:
            proposals = lib.look(connection, _period(config), config.bill_group)
        else:
            proposals = lib.approve(
                connection,
                _period(config),
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
            proposals = lib.look(connection, _period(config), config.bill_group)
            _show(context, proposals, "Preview; nothing was posted.")
            return
        postings = lib.post(
            connection,
            _period(config),
            config.bill_group,
            who=config.who,
            reason=config.reason or None,
        )
    for posting in postings:
        _tell(
            context,
            lib.describe_posting(posting),
            {
                "posted": dg.MetadataValue.md(
                    markdown_table(lib.INVOICE_COLUMNS, lib.invoice_rows(posting))
                ),
                "totals": lib.money(posting.totals),
                "waits_for_the_next_invoice": posting.carried_count,
                "period": f"{posting.period_month:%Y-%m}",
                "bill_group": posting.bill_group,
                "round": posting.round_no,
                "invoice_run_id": posting.invoice_run_id,
            },
        )


@dg.op(name="reopen_approved_draft", pool="warehouse", out=dg.Out(dg.Nothing))
def reopen_approved_draft(context: dg.OpExecutionContext, config: ReopenConfig) -> None:
    """Take the approval of a draft back, or show the draft."""
    mark_process(context)
    with failures_in_words(), closing(database.connect()) as connection:
        if config.preview:
            proposals = lib.look(connection, _period(config), config.bill_group)
            _show(context, proposals, "Preview; no approval was taken back.")
        else:
            words = lib.reopen(
                connection,
                _period(config),
                config.bill_group,
                who=config.who,
                reason=config.reason,
            )
            _tell(context, words, {})


@dg.op(name="close_billing_period", pool="warehouse", out=dg.Out(dg.Nothing))
def close_billing_period(context: dg.OpExecutionContext, config: CloseConfig) -> None:
    """Close a period, or show what is open in it."""
    mark_process(context)
    with failures_in_words(), closing(database.connect()) as connection:
        if config.preview:
            states = lib.states(connection, _period(config), config.bill_group)
        else:
            states = lib.close(
                connection,
                _period(config),
                config.bill_group,
                who=config.who,
                reason=config.reason,
                force=config.force,
            )
    for state in states:
        _tell(
            context,
            lib.describe_state(state),
            {
                "still_open": dg.MetadataValue.md(
                    "\n".join(f"- {thing}" for thing in state.open_things) or "(nothing)"
                ),
                "is_closed": state.closed_at is not None,
                "period": f"{state.period_month:%Y-%m}",
                "bill_group": state.bill_group,
            },
        )


def _show(context: dg.OpExecutionContext, proposals: list[Any], what: str) -> None:
    for proposal in proposals:
        words = lib.describe_proposal(proposal)
        _tell(context, f"{what} {words}", proposal_metadata(proposal))


def _tell(context: dg.OpExecutionContext, words: str, metadata: dict[str, Any]) -> None:
    """A sentence for whoever watches the run, and the report beneath it."""
    progress.say(words)
    context.log.info(words)
    context.log_event(
        dg.AssetObservation(
            asset_key=INVOICE_RUN_ASSET, description=words, metadata={"summary": words} | metadata
        )
    )


@dg.job(
    name="approve_billing_run",
    tags=BILLING,
    description="""\
Say that the drafts of a month may be posted.

Step 2 of 4: billing_run, **approve_billing_run**, post_billing_run, close_period.

With `preview` on it shows the *gates* (what speaks against it, and what to do) and
*to_be_posted*, one line per invoice. A blocked gate needs an entry in `overrides`. The approval
keeps who, when, why and the totals seen; drafts that change afterwards must be approved again.
`reopen_draft` takes it back.""",
)
def approve_billing_run() -> None:
    approve_drafts()


@dg.job(
    name="post_billing_run",
    tags=BILLING,
    description="""\
Turn approved drafts into numbered invoices. **This cannot be taken back.**

Step 3 of 4: billing_run, approve_billing_run, **post_billing_run**, close_period.

With `preview` on it shows *to_be_posted*. Posting is all or nothing, and started twice it posts
once. What changes later (a late file, usage rated again) is billed by the same four steps
again: they post the difference only, as an adjustment or a credit note.""",
)
def post_billing_run() -> None:
    post_invoices()


@dg.job(
    name="reopen_draft",
    tags=BILLING,
    description="""\
Take the approval of a draft back, so that it may be drafted anew. Refused once it is posted.

With `preview` on it shows the draft and who approved it.""",
)
def reopen_draft() -> None:
    reopen_approved_draft()


@dg.job(
    name="close_period",
    tags=BILLING,
    description="""\
Close the books of a month: nobody gets a first invoice of it any more.

Step 4 of 4: billing_run, approve_billing_run, post_billing_run, **close_period**.

With `preview` on it shows what is *still_open*. Late usage of a closed month is still posted,
as adjustments.""",
)
def close_period() -> None:
    close_billing_period()
