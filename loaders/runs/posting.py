"""From draft to ledger: gates, approval, posting, taking a draft back, closing a period.

What a posting writes is decided by views (dbt_project/models/posting); here it is shown, approved
and copied. Each step runs under the writer's lock in one transaction, so a killed process leaves
nothing and of two at once one is told that the other is at work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from psycopg2.extras import DictCursor, Json

from loaders.errors import RatehouseError
from loaders.events import record_event
from loaders.runs import locks
from loaders.runs.errors import PostingRefused
from loaders.runs.invoice import draft_checksum
from loaders.runs.schemas import relation_exists

INVOICE, ADJUSTMENT, CREDIT_NOTE, CARRIED = "invoice", "adjustment", "credit_note", "carried"


@dataclass(frozen=True)
class Gate:
    """What one gate found."""

    gate_code: str
    title: str
    gate_status: str
    figures: str | None
    what_to_do: str


@dataclass(frozen=True)
class Document:
    """What posting would write: an invoice, an adjustment, or lines for the next invoice."""

    invoice_kind: str
    account_code: str
    customer_name: str
    currency_code: str
    line_count: int
    usage_records: int | None
    usage_amount: Decimal
    charge_amount: Decimal
    discount_amount: Decimal
    tax_amount: Decimal
    other_amount: Decimal
    late_amount: Decimal
    invoice_total: Decimal
    adjusts_invoice_label: str | None


@dataclass(frozen=True)
class Proposal:
    """A billing run before it is posted: what would be posted, and what speaks against it."""

    invoice_run_id: int
    period_month: date
    bill_group: str
    round_no: int
    status: str
    content_checksum: str
    gates: tuple[Gate, ...]
    documents: tuple[Document, ...]
    to_post: Mapping[str, Any]
    approval: Mapping[str, Any] | None

    @property
    def blocked(self) -> list[Gate]:
        return [gate for gate in self.gates if gate.gate_status == "blocked"]

    def describe(self) -> str:
        """One line for people."""
        return (
            f"invoice run {self.invoice_run_id}: {self.period_month:%Y-%m}, bill group "
            f"{self.bill_group}" + (f", round {self.round_no}" if self.round_no > 1 else "")
        )


@dataclass(frozen=True)
class PostedInvoice:
    """A document of the ledger."""

    invoice_label: str
    invoice_kind: str
    account_code: str
    customer_name: str
    currency_code: str
    line_count: int
    invoice_total: Decimal


@dataclass(frozen=True)
class Posting:
    """What a billing run has posted; is_new tells the call that did it."""

    posting_id: int
    invoice_run_id: int
    period_month: date
    bill_group: str
    round_no: int
    is_new: bool
    carried_count: int
    totals: Mapping[str, str]
    invoices: tuple[PostedInvoice, ...]


@dataclass(frozen=True)
class PeriodState:
    """A period of a bill group, and what is still open in it."""

    period_month: date
    bill_group: str
    closed_at: Any
    open_things: tuple[str, ...]


# -- looking -------------------------------------------------------------------------------------


def open_billing_runs(connection: Any, period_month: date, bill_group: str) -> list[int]:
    """Billing runs of the period that are drafted or approved; of all groups for `all`."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select invoice_run_id from control.invoice_run where build_schema = '' "
            "and period_month = %s and (%s in ('all', bill_group)) and status <> 'posted' "
            "order by bill_group",
            (period_month, bill_group),
        )
        return [row[0] for row in cursor.fetchall()]


def last_billing_runs(connection: Any, period_month: date, bill_group: str) -> list[int]:
    """The last posted round of each group of a period."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select distinct on (bill_group) invoice_run_id from control.invoice_run "
            "where build_schema = '' and period_month = %s and (%s in ('all', bill_group)) "
            "and status = 'posted' order by bill_group, round_no desc",
            (period_month, bill_group),
        )
        return [row[0] for row in cursor.fetchall()]


def propose(connection: Any, invoice_run_id: int) -> Proposal:
    """What posting a billing run would write, and what its gates say. Changes nothing."""
    with connection, connection.cursor(cursor_factory=DictCursor) as cursor:
        return _propose(cursor, _read_run(cursor, invoice_run_id))


def _propose(cursor: Any, run: Mapping[str, Any]) -> Proposal:
    run_id = run["invoice_run_id"]
    if run["status"] == "posted":
        raise PostingRefused(f"{_name(run)} is posted already")
    if run["status"] == "failed" or run["drafted_at"] is None or run["is_building"]:
        raise PostingRefused(
            f"{_name(run)} has no finished draft: draft it first "
            f"(ratehouse bill {run['period_month']:%Y-%m} --bill-group {run['bill_group']})"
        )
    if not relation_exists(cursor, "", "billing", "int_posting__lines"):
        raise PostingRefused(
            "this draft was made before invoices could be posted: draft it again (ratehouse bill)"
        )
    cursor.execute(
        "select gate_code, title, gate_status, figures, what_to_do from marts.rpt_billing__gates "
        "where invoice_run_id = %s order by sort_order",
        (run_id,),
    )
    gates = tuple(Gate(**row) for row in cursor.fetchall())
    cursor.execute(
        """
        select invoice_kind, account_code, customer_name, currency_code, line_count, usage_records,
            usage_amount, charge_amount, discount_amount, tax_amount, other_amount, late_amount,
            invoice_total, adjusts_invoice_label
        from billing.int_posting__invoices
        where invoice_run_id = %s
        order by invoice_total desc, account_code, currency_code
        """,
        (run_id,),
    )
    documents = tuple(Document(**row) for row in cursor.fetchall())
    approval = None
    if run["approval_id"] is not None:
        cursor.execute(
            "select * from control.invoice_approval where approval_id = %s", (run["approval_id"],)
        )
        approval = dict(cursor.fetchone())
    return Proposal(
        invoice_run_id=run_id,
        period_month=run["period_month"],
        bill_group=run["bill_group"],
        round_no=run["round_no"],
        status=run["status"],
        content_checksum=draft_checksum(cursor, run_id),
        gates=gates,
        documents=documents,
        to_post=_to_post(cursor, run_id),
        approval=approval,
    )


def _to_post(cursor: Any, run_id: int) -> dict[str, Any]:
    """Numbers and checksum of what would be posted, as they are approved."""
    cursor.execute(
        """
        select
            (
                select coalesce(jsonb_object_agg(k.invoice_kind, k.documents), '{}'::jsonb)
                from (
                    select invoice_kind, count(*) as documents from billing.int_posting__invoices
                    where invoice_run_id = %(run_id)s group by invoice_kind
                ) as k
            ) as documents,
            (
                select coalesce(jsonb_object_agg(t.currency_code, t.total), '{}'::jsonb)
                from (
                    select currency_code, trim_scale(sum(invoice_total))::text as total
                    from billing.int_posting__invoices
                    where invoice_run_id = %(run_id)s and document <> 'carried'
                    group by currency_code
                ) as t
            ) as totals,
            count(*) as lines,
            md5(coalesce(string_agg(
                md5(to_jsonb(l)::text), ''
                order by l.account_id, l.currency_code, l.document, l.line_no
            ), '')) as checksum
        from billing.int_posting__lines as l
        where l.invoice_run_id = %(run_id)s
        """,
        {"run_id": run_id},
    )
    return dict(cursor.fetchone())


def _read_run(cursor: Any, invoice_run_id: int, *, for_update: bool = False) -> dict[str, Any]:
    cursor.execute(
        "select * from control.invoice_run where invoice_run_id = %s and build_schema = ''"
        + (" for update" if for_update else ""),
        (invoice_run_id,),
    )
    row = cursor.fetchone()
    if row is None:
        raise PostingRefused(f"there is no invoice run {invoice_run_id}")
    return dict(row)


def _name(run: Mapping[str, Any]) -> str:
    return (
        f"the billing run of {run['period_month']:%Y-%m}, bill group {run['bill_group']} "
        f"(invoice run {run['invoice_run_id']}, round {run['round_no']}),"
    )


def _require_reason(reason: str, what: str) -> str:
    if not reason.strip():
        raise RatehouseError(f"a reason is needed to {what}: say why, it is kept")
    return reason.strip()


# -- approving -----------------------------------------------------------------------------------


def approve_run(
    connection: Any,
    invoice_run_id: int,
    *,
    requested_by: str,
    reason: str,
    overrides: Mapping[str, str] | None = None,
    expected_checksum: str | None = None,
) -> Proposal:
    """Approve a draft as it stands: who, when, why, the totals and the checksum are kept.

    A blocked gate needs a reason of its own in ``overrides`` (gate code to reason).
    ``expected_checksum`` refuses a draft that is not the one that was looked at.
    """
    reason = _require_reason(reason, "approve a billing run")
    given = {code: words.strip() for code, words in (overrides or {}).items()}
    took_lock = locks.take_lock(connection, "")
    try:
        with connection, connection.cursor(cursor_factory=DictCursor) as cursor:
            run = _read_run(cursor, invoice_run_id, for_update=True)
            if run["status"] == "approved":
                raise PostingRefused(f"{_name(run)} is approved already")
            proposal = _propose(cursor, run)
            _check_gates(run, proposal, given)
            if expected_checksum not in (None, proposal.to_post["checksum"]):
                raise PostingRefused(
                    f"{_name(run)} is no longer what was looked at: look again, then approve"
                )
            cursor.execute(
                """
                insert into control.invoice_approval (
                    invoice_run_id, approved_by, reason, content_checksum, control_totals, gates,
                    overrides
                )
                values (%s, %s, %s, %s, %s, %s, %s)
                returning approval_id
                """,
                (
                    invoice_run_id,
                    requested_by,
                    reason,
                    proposal.content_checksum,
                    Json({**(run["control_totals"] or {}), "to_post": proposal.to_post}),
                    Json([gate.__dict__ for gate in proposal.gates]),
                    Json(given),
                ),
            )
            approval_id = cursor.fetchone()["approval_id"]
            cursor.execute(
                "update control.invoice_run set status = 'approved', approval_id = %s "
                "where invoice_run_id = %s",
                (approval_id, invoice_run_id),
            )
            record_event(
                cursor,
                "invoice_run",
                invoice_run_id,
                "approved",
                {"reason": reason, "overrides": given, "to_post": proposal.to_post},
                requested_by,
            )
            return _propose(cursor, _read_run(cursor, invoice_run_id))
    finally:
        _release(connection, took_lock)


def _check_gates(run: Mapping[str, Any], proposal: Proposal, overrides: Mapping[str, str]) -> None:
    known = {gate.gate_code for gate in proposal.gates}
    unknown = sorted(set(overrides) - known)
    if unknown:
        raise PostingRefused(
            f"there is no gate {', '.join(unknown)} (gates: {', '.join(sorted(known))})"
        )
    in_the_way = [gate for gate in proposal.blocked if not overrides.get(gate.gate_code)]
    if in_the_way:
        lines = [f"{_name(run)} is not approved: {len(in_the_way)} gate(s) block it"]
        lines += [
            f"  {gate.gate_code} ({gate.title}): {gate.figures}. {gate.what_to_do}"
            for gate in in_the_way
        ]
        lines.append(
            "Mend that, or let it pass with a reason for each: "
            + " ".join(f"--override {gate.gate_code}='why'" for gate in in_the_way)
        )
        raise PostingRefused("\n".join(lines))


# -- posting -------------------------------------------------------------------------------------


def post_run(
    connection: Any, invoice_run_id: int, *, requested_by: str, reason: str | None = None
) -> Posting:
    """Post an approved billing run; of a posted one say what it posted.

    One transaction: numbers, invoices, lines and the run's status, or nothing.
    """
    took_lock = locks.take_lock(connection, "")
    try:
        with connection, connection.cursor(cursor_factory=DictCursor) as cursor:
            run = _read_run(cursor, invoice_run_id, for_update=True)
            if run["status"] == "posted":
                return _read_posting(cursor, invoice_run_id, is_new=False)
            if run["status"] != "approved":
                raise PostingRefused(
                    f"{_name(run)} is {run['status']}: it is posted when it is approved "
                    f"(ratehouse approve {run['period_month']:%Y-%m} "
                    f"--bill-group {run['bill_group']})"
                )
            proposal = _propose(cursor, run)
            _require_approved_content(run, proposal)
            return _post(cursor, run, proposal, requested_by, reason)
    finally:
        _release(connection, took_lock)


def _require_approved_content(run: Mapping[str, Any], proposal: Proposal) -> None:
    approval = proposal.approval
    assert approval is not None
    again = (
        f"take the approval back (ratehouse reopen {run['period_month']:%Y-%m} "
        f"--bill-group {run['bill_group']}), look, and approve again"
    )
    if approval["content_checksum"] != proposal.content_checksum:
        raise PostingRefused(f"{_name(run)} has another draft than the approved one: {again}")
    if approval["control_totals"]["to_post"]["checksum"] != proposal.to_post["checksum"]:
        raise PostingRefused(
            f"{_name(run)} would post something else than was approved, because another billing "
            f"run was posted since: {again}"
        )
    if run["stale_since"] is not None and run["stale_since"] > approval["approved_at"]:
        raise PostingRefused(
            f"{_name(run)} went out of date after it was approved ({run['stale_reason']}): "
            f"take the approval back, draft and approve again"
        )


def _post(
    cursor: Any,
    run: Mapping[str, Any],
    proposal: Proposal,
    requested_by: str,
    reason: str | None,
) -> Posting:
    run_id = run["invoice_run_id"]
    kinds = proposal.to_post["documents"]
    carried = sum(d.line_count for d in proposal.documents if d.invoice_kind == CARRIED)
    # First of all: what is posted here makes the views give other rows.
    for statement in (_POST_LINES, _POST_DOCUMENTS):
        cursor.execute(statement, {"run_id": run_id})
    cursor.execute(
        """
        insert into ledger.posting (
            invoice_run_id, approval_id, period_month, bill_group, round_no, content_checksum,
            reference_cutoff, code_commit, rating_runs, invoice_count, line_count, carried_count,
            totals, posted_by, reason
        )
        values (%(invoice_run_id)s, %(approval_id)s, %(period_month)s, %(bill_group)s, %(round_no)s,
            %(checksum)s, %(reference_cutoff)s, %(code_commit)s, %(rating_runs)s, %(invoices)s,
            %(lines)s, %(carried)s, %(totals)s, %(posted_by)s, %(reason)s)
        returning posting_id
        """,
        {
            **{k: run[k] for k in ("invoice_run_id", "approval_id", "period_month", "bill_group",
                                   "round_no", "reference_cutoff", "code_commit", "rating_runs")},
            "checksum": proposal.content_checksum,
            "invoices": sum(number for kind, number in kinds.items() if kind != CARRIED),
            "lines": proposal.to_post["lines"] - carried,
            "carried": carried,
            "totals": Json(proposal.to_post["totals"]),
            "posted_by": requested_by,
            "reason": reason,
        },
    )  # fmt: skip
    values = {
        "posting_id": cursor.fetchone()["posting_id"],
        "posted_by": requested_by,
    }
    for statement in (
        _POST_COUNTERS, _POST_INVOICES, _POST_NUMBERS, _POST_INVOICE_LINES, _POST_CARRIED,
    ):  # fmt: skip
        cursor.execute(statement, values)
    # Now, not at the end: what is not whole is said here.
    cursor.execute("set constraints ledger.posting_is_whole immediate")
    cursor.execute(
        "update control.invoice_run set status = 'posted', posted_at = clock_timestamp() "
        "where invoice_run_id = %s",
        (run_id,),
    )
    posting = _read_posting(cursor, run_id, is_new=True)
    record_event(
        cursor,
        "invoice_run",
        run_id,
        "posted",
        {
            "posting_id": posting.posting_id,
            "invoices": len(posting.invoices),
            "carried_lines": posting.carried_count,
            "totals": dict(posting.totals),
            "first_number": posting.invoices[0].invoice_label if posting.invoices else None,
            "last_number": posting.invoices[-1].invoice_label if posting.invoices else None,
            "reason": reason,
        },
        requested_by,
    )
    return posting


_POST_LINES = """
    create temporary table posted_line on commit drop as
    select * from billing.int_posting__lines where invoice_run_id = %(run_id)s
"""
# Numbers follow the accounts' codes. A range that begins again each year is one per year.
_POST_DOCUMENTS = """
    create temporary table posted_document on commit drop as
    select
        d.*,
        d.sequence_code || case when d.restarts = 'yearly' then '/' || d.year else '' end
            as counter_code,
        row_number() over (
            partition by d.sequence_code order by d.account_code, d.account_id, d.currency_code
        ) as place,
        null::bigint as invoice_number
    from (
        select i.*, to_char(now() at time zone 'UTC', 'YYYY') as year
        from billing.int_posting__invoices as i
        where i.invoice_run_id = %(run_id)s and i.document <> 'carried'
    ) as d
"""
# The counter's row is locked from here to the commit: no other posting takes its numbers, and a
# posting that fails gives them back.
_POST_COUNTERS = """
    with counters as (
        insert into ledger.number_sequence as s (sequence_code, last_number)
        select counter_code, count(*) from posted_document group by counter_code
        on conflict (sequence_code) do update set last_number = s.last_number + excluded.last_number
        returning s.sequence_code, s.last_number
    )
    update posted_document as d
    set invoice_number = c.last_number - n.documents + d.place
    from counters as c
    inner join (
        select counter_code, count(*) as documents from posted_document group by counter_code
    ) as n on c.sequence_code = n.counter_code
    where d.counter_code = c.sequence_code
"""
_POST_INVOICES = """
    insert into ledger.invoice (
        account_id, posting_id, invoice_run_id, invoice_kind, sequence_code, invoice_number,
        invoice_label, account_code, customer_name, bill_group, legal_entity, period_month,
        period_start_at, period_end_at, time_zone, currency_code, line_count, invoice_total,
        adjusts_invoice_id, invoice_date, posted_by
    )
    select
        d.account_id, %(posting_id)s, d.invoice_run_id, d.invoice_kind, d.counter_code,
        d.invoice_number,
        replace(replace(replace(replace(
            d.number_format,
            '{sequence}', d.sequence_code),
            '{year}', d.year),
            '{month}', to_char(now() at time zone 'UTC', 'MM')),
            '{number}', case
                when length(d.invoice_number::text) >= d.number_digits then d.invoice_number::text
                else lpad(d.invoice_number::text, d.number_digits, '0')
            end),
        d.account_code, d.customer_name, d.bill_group, d.legal_entity, d.period_month,
        d.period_start_at, d.period_end_at, d.time_zone, d.currency_code, d.line_count,
        d.invoice_total, d.adjusts_invoice_id, (now() at time zone d.time_zone)::date, %(posted_by)s
    from posted_document as d
    order by d.counter_code, d.invoice_number
"""
_POST_NUMBERS = """
    insert into ledger.issued_number (
        sequence_code, invoice_number, invoice_label, account_id, invoice_id
    )
    select sequence_code, invoice_number, invoice_label, account_id, invoice_id
    from ledger.invoice where posting_id = %(posting_id)s
"""
_POST_INVOICE_LINES = """
    insert into ledger.invoice_line (
        account_id, invoice_id, line_no, period_month, line_kind, charge_class, product_code,
        description, record_count, billed_seconds, quantity, unit, unrounded_amount, line_amount,
        currency_code, source_currency_code, source_amount, exchange_rate, exchange_source,
        exchange_rate_from, detail, original_invoice_id, original_line_no, carried_line_id
    )
    select
        l.account_id, i.invoice_id, l.line_no, l.period_month, l.line_kind, l.charge_class,
        l.product_code, l.description, l.record_count, l.billed_seconds, l.quantity, l.unit,
        l.unrounded_amount, l.line_amount, l.currency_code, l.source_currency_code,
        l.source_amount, l.exchange_rate, l.exchange_source, l.exchange_rate_from, l.detail,
        l.original_invoice_id, l.original_line_no, l.carried_line_id
    from posted_line as l
    inner join ledger.invoice as i
        on l.account_id = i.account_id and l.currency_code = i.currency_code
        and i.posting_id = %(posting_id)s
        and (l.document = 'invoice') = (i.invoice_kind = 'invoice')
    where l.document <> 'carried'
    order by i.invoice_id, l.line_no
"""
_POST_CARRIED = """
    insert into ledger.carried_line (
        account_id, posting_id, period_month, line_kind, charge_class, product_code, description,
        record_count, billed_seconds, quantity, unit, unrounded_amount, line_amount, currency_code,
        source_currency_code, source_amount, detail, original_invoice_id, original_line_no
    )
    select
        l.account_id, %(posting_id)s, l.period_month, l.line_kind, l.charge_class, l.product_code,
        l.description, l.record_count, l.billed_seconds, l.quantity, l.unit, l.unrounded_amount,
        l.line_amount, l.currency_code, l.source_currency_code, l.source_amount, l.detail,
        l.original_invoice_id, l.original_line_no
    from posted_line as l
    where l.document = 'carried'
    order by l.account_id, l.currency_code, l.line_no
"""


def _read_posting(cursor: Any, invoice_run_id: int, *, is_new: bool) -> Posting:
    cursor.execute("select * from ledger.posting where invoice_run_id = %s", (invoice_run_id,))
    posting = cursor.fetchone()
    cursor.execute(
        """
        select invoice_label, invoice_kind, account_code, customer_name, currency_code, line_count,
            invoice_total
        from ledger.invoice where posting_id = %s
        order by sequence_code, invoice_number
        """,
        (posting["posting_id"],),
    )
    return Posting(
        posting_id=posting["posting_id"],
        invoice_run_id=invoice_run_id,
        period_month=posting["period_month"],
        bill_group=posting["bill_group"],
        round_no=posting["round_no"],
        is_new=is_new,
        carried_count=posting["carried_count"],
        totals=posting["totals"],
        invoices=tuple(PostedInvoice(**row) for row in cursor.fetchall()),
    )


# -- taking back ---------------------------------------------------------------------------------


def reopen_run(
    connection: Any, period_month: date, bill_group: str, *, requested_by: str, reason: str
) -> int:
    """Take the approval of a billing run back; the run. Refused once it is posted."""
    reason = _require_reason(reason, "take an approval back")
    took_lock = locks.take_lock(connection, "")
    try:
        with connection, connection.cursor(cursor_factory=DictCursor) as cursor:
            cursor.execute(
                "select * from control.invoice_run where build_schema = '' and period_month = %s "
                "and bill_group = %s order by round_no desc limit 1 for update",
                (period_month, bill_group),
            )
            run = cursor.fetchone()
            if run is None:
                raise PostingRefused(
                    f"there is no billing run of {period_month:%Y-%m}, bill group {bill_group}"
                )
            if run["status"] == "posted":
                raise PostingRefused(_posted_in_words(cursor, run))
            if run["status"] != "approved":
                raise PostingRefused(f"{_name(run)} is not approved: it may be drafted again as is")
            cursor.execute(
                "update control.invoice_run set status = 'draft', approval_id = null "
                "where invoice_run_id = %s",
                (run["invoice_run_id"],),
            )
            record_event(
                cursor,
                "invoice_run",
                run["invoice_run_id"],
                "reopened",
                {"reason": reason, "approval_id": run["approval_id"]},
                requested_by,
            )
            return run["invoice_run_id"]
    finally:
        _release(connection, took_lock)


def _posted_in_words(cursor: Any, run: Mapping[str, Any]) -> str:
    posting = _read_posting(cursor, run["invoice_run_id"], is_new=False)
    labels = [invoice.invoice_label for invoice in posting.invoices]
    shown = ", ".join(labels[:20]) + (f" and {len(labels) - 20} more" if len(labels) > 20 else "")
    return (
        f"{_name(run)} is posted and never changes: invoices {shown or 'none'}. Bill the period "
        f"again to post what has changed since (ratehouse bill {run['period_month']:%Y-%m})"
    )


# -- closing a period ----------------------------------------------------------------------------


def period_state(connection: Any, period_month: date, bill_group: str) -> PeriodState:
    """Whether a period is closed, and what is open in it. Changes nothing."""
    with connection, connection.cursor(cursor_factory=DictCursor) as cursor:
        return _period_state(cursor, period_month, bill_group)


def close_period(
    connection: Any,
    period_month: date,
    bill_group: str,
    *,
    requested_by: str,
    reason: str,
    force: bool = False,
) -> PeriodState:
    """Close a period of a bill group: no first invoices of it are drafted any more.

    Refused while something is open, unless forced. Closing twice changes nothing.
    """
    reason = _require_reason(reason, "close a period")
    took_lock = locks.take_lock(connection, "")
    try:
        with connection, connection.cursor(cursor_factory=DictCursor) as cursor:
            state = _period_state(cursor, period_month, bill_group)
            if state.closed_at is not None:
                return state
            if state.open_things and not force:
                lines = [f"{period_month:%Y-%m}, bill group {bill_group}, is not closed:"]
                lines += [f"  {thing}" for thing in state.open_things]
                lines.append("Finish that, or close it all the same (force)")
                raise PostingRefused("\n".join(lines))
            cursor.execute(
                "insert into control.closed_period "
                "(period_month, bill_group, closed_by, reason, is_forced, open_things) "
                "values (%s, %s, %s, %s, %s, %s)",
                (
                    period_month,
                    bill_group,
                    requested_by,
                    reason,
                    bool(state.open_things),
                    Json(list(state.open_things)),
                ),
            )
            cursor.execute(
                "select max(invoice_run_id) as run_id from control.invoice_run "
                "where build_schema = '' and period_month = %s and bill_group = %s",
                (period_month, bill_group),
            )
            record_event(
                cursor,
                "invoice_run",
                cursor.fetchone()["run_id"],
                "closed",
                {
                    "period_month": period_month.isoformat(),
                    "bill_group": bill_group,
                    "reason": reason,
                    "open_things": list(state.open_things),
                },
                requested_by,
            )
            return _period_state(cursor, period_month, bill_group)
    finally:
        _release(connection, took_lock)


def _period_state(cursor: Any, period_month: date, bill_group: str) -> PeriodState:
    values = {"period_month": period_month, "bill_group": bill_group}
    cursor.execute(
        "select closed_at from control.closed_period "
        "where period_month = %(period_month)s and bill_group = %(bill_group)s",
        values,
    )
    closed = cursor.fetchone()
    return PeriodState(
        period_month=period_month,
        bill_group=bill_group,
        closed_at=closed and closed["closed_at"],
        open_things=tuple(_open_things(cursor, values)),
    )


def _open_things(cursor: Any, values: Mapping[str, Any]) -> list[str]:
    things = []
    cursor.execute(
        """
        select to_char(max(
            ((%(period_month)s + interval '1 month') + make_interval(days => least(
                a.anchor_day,
                extract(day from %(period_month)s + interval '2 months' - interval '1 day')::integer
            ) - 1)) at time zone a.time_zone
        ) at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as ends
        from reference.account as a
        where a.bill_group = %(bill_group)s and a.recorded_to = 'infinity'
        having max(
            ((%(period_month)s + interval '1 month') + make_interval(days => least(
                a.anchor_day,
                extract(day from %(period_month)s + interval '2 months' - interval '1 day')::integer
            ) - 1)) at time zone a.time_zone
        ) > now()
        """,
        values,
    )
    ends = cursor.fetchone()
    if ends is not None:
        things.append(f"the period has not ended: the last account's ends {ends['ends']} UTC")
    cursor.execute(
        """
        select invoice_run_id, status, round_no from control.invoice_run
        where build_schema = '' and period_month = %(period_month)s
            and bill_group = %(bill_group)s
        order by round_no desc limit 1
        """,
        values,
    )
    run = cursor.fetchone()
    if run is None:
        things.append("the period was not billed")
    elif run["status"] != "posted":
        things.append(
            f"invoice run {run['invoice_run_id']} (round {run['round_no']}) is {run['status']}, "
            "not posted"
        )
    cursor.execute(
        "select count(*) as number from control.rating_run "
        "where build_schema = '' and status in ('running', 'failed', 'queued')"
    )
    unfinished = cursor.fetchone()["number"]
    if unfinished:
        things.append(f"{unfinished} rating run(s) are not finished")
    cursor.execute(
        """
        select
            (
                select count(*) from billing.draft_invoice as d
                where d.invoice_run_id = %(run_id)s and d.hold_reason is not null
            ) as held,
            (
                select count(*) from control.file as f
                where f.status = 'landed' and not exists (
                    select from control.rating_run_file as w
                    where w.file_id = f.file_id and w.build_schema = '' and w.is_initial
                )
            ) as unrated
        """
        if run is not None
        else "select 0 as held, 0 as unrated",
        {"run_id": run and run["invoice_run_id"]},
    )
    counts = cursor.fetchone()
    if counts["held"]:
        things.append(f"{counts['held']} invoice(s) are held and were not posted")
    if counts["unrated"]:
        things.append(f"{counts['unrated']} file(s) landed and are not rated")
    return things


def groups_of_period(connection: Any, period_month: date, bill_group: str) -> Sequence[str]:
    """Bill groups with a billing run of the period, or the one named."""
    if bill_group != "all":
        return [bill_group]
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select distinct bill_group from control.invoice_run "
            "where build_schema = '' and period_month = %s order by bill_group",
            (period_month,),
        )
        return [row[0] for row in cursor.fetchall()]


def _release(connection: Any, took_lock: bool) -> None:
    if took_lock and not connection.closed:
        locks.release_lock(connection, "")
