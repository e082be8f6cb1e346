"""Gates, approval, posting, taking back and closing, as jobs and commands show and do them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from loaders import runs
from loaders.errors import RatehouseError
from loaders.runs import PostingRefused
from orchestration.lib import paths
from orchestration.lib.tables import format_amount

GATE_COLUMNS = ("gate", "status", "found", "what to do")
DOCUMENT_COLUMNS = (
    "kind", "account", "customer", "records", "usage", "charges", "discounts", "tax", "other",
    "of earlier periods", "total", "currency", "adjusts",
)  # fmt: skip
INVOICE_COLUMNS = ("number", "kind", "account", "customer", "lines", "total", "currency")


def gate_rows(proposal: runs.Proposal) -> list[tuple[Any, ...]]:
    """One row per gate (GATE_COLUMNS); what to do only where something was found."""
    return [
        (
            f"{gate.title} ({gate.gate_code})",
            gate.gate_status,
            gate.figures,
            "" if gate.gate_status == "passed" else gate.what_to_do,
        )
        for gate in proposal.gates
    ]


def document_rows(proposal: runs.Proposal) -> list[tuple[Any, ...]]:
    """One row per document that would be posted (DOCUMENT_COLUMNS)."""
    return [
        (
            d.invoice_kind.replace("_", " "),
            d.account_code,
            d.customer_name,
            d.usage_records,
            d.usage_amount,
            d.charge_amount,
            d.discount_amount,
            d.tax_amount,
            d.other_amount,
            d.late_amount,
            d.invoice_total,
            d.currency_code,
            d.adjusts_invoice_label,
        )
        for d in proposal.documents
    ]


def invoice_rows(posting: runs.Posting) -> list[tuple[Any, ...]]:
    """One row per posted document (INVOICE_COLUMNS)."""
    return [
        (
            i.invoice_label,
            i.invoice_kind.replace("_", " "),
            i.account_code,
            i.customer_name,
            i.line_count,
            i.invoice_total,
            i.currency_code,
        )
        for i in posting.invoices
    ]


def money(totals: Mapping[str, Any]) -> str:
    """Totals by currency in words."""
    amounts = [f"{format_amount(Decimal(t))} {code}" for code, t in sorted(totals.items())]
    return ", ".join(amounts) or "no money"


def describe_proposal(proposal: runs.Proposal) -> str:
    """What posting would do, and how far the run has come."""
    documents = proposal.to_post["documents"]
    what = ", ".join(
        f"{number} {kind.replace('_', ' ')}{'' if number == 1 or kind == 'carried' else 's'}"
        for kind, number in sorted(documents.items())
    )
    blocked = [gate.gate_code for gate in proposal.blocked]
    if proposal.approval is not None:
        state = (
            f"approved by {proposal.approval['approved_by']}, "
            f"{proposal.approval['approved_at']:%Y-%m-%d %H:%M} UTC: "
            f"{proposal.approval['reason']}"
        )
    elif blocked:
        state = f"blocked by {', '.join(blocked)}"
    else:
        state = "may be approved"
    return (
        f"{proposal.describe()}: {what or 'nothing'} to post, "
        f"{money(proposal.to_post['totals'])}; {state}"
    )


def describe_posting(posting: runs.Posting) -> str:
    """What was posted."""
    labels = [invoice.invoice_label for invoice in posting.invoices]
    if not labels:
        what = "nothing had changed, no invoice was posted"
    else:
        numbers = labels[0] if len(labels) == 1 else f"{labels[0]} to {labels[-1]}"
        what = f"{len(labels)} document(s) posted ({numbers}), {money(posting.totals)}"
    if posting.carried_count:
        what += f"; {posting.carried_count} line(s) wait for the next invoice"
    again = "" if posting.is_new else "was posted before: "
    return (
        f"invoice run {posting.invoice_run_id}, {posting.period_month:%Y-%m}, bill group "
        f"{posting.bill_group}: {again}{what}"
    )


def parse_overrides(given: Sequence[str]) -> dict[str, str]:
    """`gate=why`, one each."""
    overrides = {}
    for text in given:
        gate, is_given, why = text.partition("=")
        if not is_given or not gate.strip() or not why.strip():
            raise RatehouseError(f"'{text}' is no override; write it as gate='why it may pass'")
        overrides[gate.strip()] = why.strip()
    return overrides


def look(connection: Any, period: str, bill_group: str) -> list[runs.Proposal]:
    """What posting the open billing runs of a period would do."""
    _require_production()
    month = runs.parse_period(period)
    found = runs.open_billing_runs(connection, month, bill_group)
    if not found:
        raise PostingRefused(
            f"no billing run of {month:%Y-%m}, bill group {bill_group}, waits to be posted: draft "
            f"one (ratehouse bill {month:%Y-%m})"
        )
    return [runs.propose(connection, run_id) for run_id in found]


def approve(
    connection: Any,
    period: str,
    bill_group: str,
    *,
    who: str,
    reason: str,
    overrides: Mapping[str, str],
) -> list[runs.Proposal]:
    """Approve the drafts of a period as they were just looked at."""
    _require_name(who)
    proposals = [p for p in look(connection, period, bill_group) if p.approval is None]
    if not proposals:
        raise PostingRefused(f"the drafts of {period}, bill group {bill_group}, are approved")
    return [
        runs.approve_run(
            connection,
            proposal.invoice_run_id,
            requested_by=who,
            reason=reason,
            # one command for several groups: a reason is used where its gate is
            overrides=overrides,
            expected_checksum=proposal.to_post["checksum"],
        )
        for proposal in proposals
    ]


def post(
    connection: Any, period: str, bill_group: str, *, who: str, reason: str | None
) -> list[runs.Posting]:
    """Post the approved billing runs of a period; of one posted already, what it posted."""
    _require_production()
    _require_name(who)
    month = runs.parse_period(period)
    found = runs.open_billing_runs(connection, month, bill_group)
    if not found:
        found = runs.last_billing_runs(connection, month, bill_group)
    if not found:
        raise PostingRefused(
            f"there is no billing run of {month:%Y-%m}, bill group {bill_group}: draft one "
            f"(ratehouse bill {month:%Y-%m})"
        )
    return [runs.post_run(connection, run_id, requested_by=who, reason=reason) for run_id in found]


def reopen(connection: Any, period: str, bill_group: str, *, who: str, reason: str) -> str:
    """Take an approval back; what was done, in words."""
    _require_production()
    _require_name(who)
    month = runs.parse_period(period)
    run_id = runs.reopen_run(connection, month, bill_group, requested_by=who, reason=reason)
    return (
        f"Invoice run {run_id} ({month:%Y-%m}, bill group {bill_group}) is a draft again: it may "
        "be drafted anew, and must be approved again before it is posted."
    )


def states(connection: Any, period: str, bill_group: str) -> list[runs.PeriodState]:
    """Whether the groups of a period are closed, and what is open."""
    month = runs.parse_period(period)
    groups = runs.groups_of_period(connection, month, bill_group)
    return [runs.period_state(connection, month, group) for group in groups]


def close(
    connection: Any, period: str, bill_group: str, *, who: str, reason: str, force: bool
) -> list[runs.PeriodState]:
    """Close a period of the groups that have a billing run of it, or of the one named."""
    _require_production()
    _require_name(who)
    month: date = runs.parse_period(period)
    return [
        runs.close_period(connection, month, group, requested_by=who, reason=reason, force=force)
        for group in runs.groups_of_period(connection, month, bill_group)
    ]


def describe_state(state: runs.PeriodState) -> str:
    """A period of a group in words."""
    if state.closed_at is not None:
        word = f"closed since {state.closed_at:%Y-%m-%d %H:%M} UTC"
    elif state.open_things:
        word = "open: " + "; ".join(state.open_things)
    else:
        word = "open, and nothing stands against closing it"
    return f"{state.period_month:%Y-%m}, bill group {state.bill_group}: {word}"


def _require_name(who: str) -> None:
    if not who.strip():
        raise RatehouseError("say who you are (who): the name is kept with what you do")


def _require_production() -> None:
    if paths.build_schema():
        raise RatehouseError(
            f"invoices are posted in production, not in the build schema "
            f"'{paths.build_schema()}' (RATEHOUSE_BUILD_SCHEMA)"
        )
