"""Drafts become invoices: gates, approval, posting, adjustments, closing; none ever changes."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from loaders import runs
from loaders.database import connect
from loaders.errors import RatehouseError
from tests.end_to_end.small import write_kind, write_small_reference
from tests.end_to_end.warehouse import Warehouse

_BY = {"requested_by": "anna", "reason": "as agreed"}
_DRAFTED = """
    select a.account_code, d.period_month, d.currency_code, d.invoice_total
    from billing.draft_invoice as d
    inner join control.invoice_run as r on d.invoice_run_id = r.invoice_run_id
    inner join reference.account_key as a on d.account_id = a.account_id
    where r.is_current and r.status = 'posted' order by 1, 2, 3
"""
_BILLED = """
    select a.account_code, l.period_month, l.currency_code, sum(l.line_amount)::numeric(18, 2)
    from ledger.billed_line as l
    inner join reference.account_key as a on l.account_id = a.account_id
    group by 1, 2, 3 having sum(l.line_amount) <> 0 order by 1, 2, 3
"""
# Whoever bills may read as all customers do.
_ALL_ACCOUNTS = """
    insert into control.account_reader (login_name, account_id)
    select current_user, account_id from reference.account_key
"""
_LINES = """
    select account_id, invoice_id, line_no, period_month, line_amount from {} order by 1, 2, 3
"""
_TOTALS = """
    select account_id, invoice_id, sum(line_amount)::numeric(18, 4)
    from {} group by 1, 2 order by 1, 2
"""
_NUMBERS = "select invoice_number from ledger.issued_number where sequence_code = 'INV' order by 1"

Lines = Mapping[str, Mapping[tuple[str, str], str]]


@pytest.fixture(scope="module")
def desk(
    make_warehouse: Callable[[], Warehouse], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """A warehouse with a few accounts, and whoever bills with it; each test has its own months.

    LATER is billed for late usage with its next invoice. GATED and NUMBERED are alone in a group.
    """
    folder = tmp_path_factory.mktemp("posting")
    write_small_reference(folder)
    accounts = [
        {"account_code": code, "customer_name": code.title(), "plan_code": "P", "bill_group": group}
        for code, group in (
            ("ACME", "main"), ("LATER", "main"), ("THIRD", "main"), ("GATED", "gated"),
            ("NUMBERED", "numbered"),
        )
    ]  # fmt: skip
    last_day = {
        "account_code": "LAST", "customer_name": "Last day", "plan_code": "P",
        "bill_group": "rated", "time_zone": "America/New_York", "anchor_day": "31",
    }  # fmt: skip
    write_kind(folder, "account", [*accounts, last_day])
    write_kind(folder, "service", [{"service_code": "LAST-1", "account_code": "LAST"}])
    identifier = {
        "service_code": "LAST-1", "identifier_kind": "account_key", "identifier_value": "last",
    }  # fmt: skip
    write_kind(folder, "service_identifier", [identifier])
    policies = [
        {"late_scope": "account", "scope_code": "LATER", "late_rule": "next_invoice"},
        {"late_scope": "source", "scope_code": "plain", "late_rule": "next_invoice"},
    ]
    write_kind(folder, "late_policy", policies)
    gate = {
        "bill_group": "gated", "gate_code": "held", "measure": "invoices", "block_above": "0",
    }  # fmt: skip
    write_kind(folder, "billing_gate", [gate])
    numbering = {
        "bill_group": "numbered", "sequence_code": "RH", "credit_sequence_code": "CN",
        "number_format": "{sequence}/{year}/{number}", "number_digits": "4",
        "restarts": "yearly", "legal_entity": "Ratehouse Ltd",
    }  # fmt: skip
    write_kind(folder, "invoice_numbering", [numbering])
    warehouse = make_warehouse()
    warehouse.load_reference(folder)
    with closing(connect(url=warehouse.url)) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute(_ALL_ACCOUNTS)
        yield Desk(warehouse, connection)


@pytest.fixture
def month(desk: Desk) -> date:
    """A month that no other test bills, the one after it neither."""
    desk.months += 2
    return date(2000 + desk.months // 12, desk.months % 12 + 1, 1)


def following(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


class Desk:
    """Drafts with lines that the test names, approved and posted as people do."""

    def __init__(self, warehouse: Warehouse, connection: Any) -> None:
        self.warehouse = warehouse
        self.connection = connection
        self.rows = warehouse.rows
        self.months = 0

    def draft(self, period: date, lines: Lines, held: str = "", group: str = "main") -> int:
        """A draft as the billing models would write it; the invoice run."""
        run = runs.open_invoice_run(
            self.connection, period, group, requested_by="anna", code_commit="tested"
        )
        with self.connection, self.connection.cursor() as cursor:
            values = {"run": run.invoice_run_id, "period": period}
            for table in ("draft_invoice", "draft_invoice_line"):
                cursor.execute(
                    f"delete from billing.{table} where invoice_run_id = %(run)s", values
                )
            for account, amounts in lines.items():
                for line_no, ((kind, words), amount) in enumerate(amounts.items(), start=1):
                    cursor.execute(
                        """
                        insert into billing.draft_invoice_line (
                            invoice_run_id, account_id, line_no, line_kind, charge_class,
                            description, record_count, quantity, unrounded_amount, line_amount,
                            currency_code
                        )
                        select %(run)s, account_id, %(line_no)s, %(kind)s, 'domestic', %(words)s,
                            1, 1, %(amount)s, %(amount)s, 'USD'
                        from reference.account_key where account_code = %(account)s
                        """,
                        {
                            **values, "account": account, "line_no": line_no, "kind": kind,
                            "words": words, "amount": amount,
                        },
                    )  # fmt: skip
            cursor.execute(
                """
                insert into billing.draft_invoice (
                    invoice_run_id, account_id, period_month, period_start_at, period_end_at,
                    time_zone, currency_code, line_count, usage_amount, charge_amount,
                    allowance_amount, volume_amount, discount_amount, commitment_amount,
                    cap_amount, surcharge_amount, tax_amount, rounding_amount, invoice_total,
                    hold_reason
                )
                select %(run)s, l.account_id, %(period)s, %(period)s,
                    %(period)s + interval '1 month', 'UTC', 'USD', count(*), sum(l.line_amount),
                    0, 0, 0, 0, 0, 0, 0, 0, 0, sum(l.line_amount),
                    case when k.account_code = %(held)s then 'a reason' end
                from billing.draft_invoice_line as l
                inner join reference.account_key as k on l.account_id = k.account_id
                where l.invoice_run_id = %(run)s group by l.account_id, k.account_code
                """,
                {**values, "held": held},
            )
        runs.close_invoice_run(self.connection, run)
        return run.invoice_run_id

    def approve(self, run_id: int, **options: Any) -> runs.Proposal:
        return runs.approve_run(self.connection, run_id, **{**_BY, **options})

    def post(self, run_id: int) -> runs.Posting:
        return runs.post_run(self.connection, run_id, requested_by="anna")

    def bill(self, period: date, lines: Lines, group: str = "main") -> runs.Posting:
        run_id = self.draft(period, lines, group=group)
        self.approve(run_id)
        return self.post(run_id)

    def label(self, ahead: int = 1) -> str:
        """The number of the next invoice, or of one after it."""
        return f"INV-{len(self.rows(_NUMBERS)) + ahead:06d}"

    def assert_ledger_is_the_draft(self) -> None:
        drafted = [row for row in self.rows(_DRAFTED) if row[3] != 0]
        assert self.rows(_BILLED) == drafted
        numbers = [row[0] for row in self.rows(_NUMBERS)]
        assert numbers == list(range(1, len(numbers) + 1))
        posted = self.rows(_LINES.format("ledger.invoice_line"))
        own = "(select * from marts_account.{} where invoice_status = 'posted') as own"
        for seen in ("marts.fct_ledger_line", own.format("own_invoice_line")):
            assert self.rows(_LINES.format(seen)) == posted
        totals = self.rows(_TOTALS.format("ledger.invoice_line"))
        for seen in ("marts.fct_ledger_invoice", own.format("own_invoice")):
            assert self.rows(_TOTALS.replace("line_amount", "invoice_total").format(seen)) == totals


def usage(**amounts: str) -> dict[tuple[str, str], str]:
    return {("usage", words): amount for words, amount in amounts.items()}


def test_posted_adjusted_and_carried(desk: Desk, month: date) -> None:
    label, other = desk.label(), desk.label(2)
    first = desk.bill(
        month,
        {
            "ACME": {**usage(calls="1.234", texts="2.00"), ("rounding", "Rounding"): "-0.004"},
            "LATER": usage(calls="5.00"),
        },
    )
    assert (first.is_new, first.carried_count) == (True, 0)
    assert [(i.invoice_label, i.invoice_kind, i.invoice_total) for i in first.invoices] == [
        (label, "invoice", Decimal("3.23")),
        (other, "invoice", Decimal("5.00")),
    ]
    desk.assert_ledger_is_the_draft()

    # Late: more calls, the texts were free, and an account that had nothing.
    second = desk.bill(
        month,
        {
            "ACME": {**usage(calls="1.50"), ("charge", "Line"): "0.50"},
            "LATER": usage(calls="7.50"),
            "THIRD": usage(calls="1.00"),
        },
    )
    assert [(i.account_code, i.invoice_kind, i.invoice_total) for i in second.invoices] == [
        ("ACME", "credit_note", Decimal("-1.23")),
        ("THIRD", "invoice", Decimal("1.00")),
    ]
    assert second.carried_count == 1
    lines = desk.rows(
        "select l.description, l.line_amount, o.invoice_label, l.original_line_no, l.detail "
        "from ledger.invoice_line as l "
        "inner join ledger.invoice as i using (account_id, invoice_id) "
        "left join ledger.invoice as o on l.original_invoice_id = o.invoice_id "
        "where i.posting_id = %s and i.invoice_kind = 'credit_note' order by l.line_no",
        second.posting_id,
    )
    assert lines == [
        ("calls", Decimal("0.266"), label, 1, {"billed_before": 1.234, "billed_now": 1.5}),
        ("texts", Decimal("-2"), label, 2, {"billed_before": 2, "billed_now": 0}),
        ("Line", Decimal("0.5"), None, None, {"billed_before": 0, "billed_now": 0.5}),
        ("Rounding", Decimal("0.004"), label, 3, {"billed_before": -0.004, "billed_now": 0}),
    ]
    desk.assert_ledger_is_the_draft()

    # What LATER owes for the month stands on its next invoice, with that month.
    third = desk.bill(following(month), {"LATER": usage(calls="10.00")})
    assert [(i.account_code, i.invoice_total) for i in third.invoices] == [
        ("LATER", Decimal("12.50"))
    ]
    assert desk.rows(
        "select l.period_month, l.line_amount from ledger.invoice_line as l "
        "inner join ledger.invoice as i using (account_id, invoice_id) "
        "where i.posting_id = %s order by l.line_no",
        third.posting_id,
    ) == [(following(month), Decimal("10")), (month, Decimal("2.5"))]
    desk.assert_ledger_is_the_draft()


def test_nothing_to_adjust_posts_nothing(desk: Desk, month: date) -> None:
    lines = {"ACME": usage(calls="1.00")}
    desk.bill(month, lines)
    before = desk.rows(_NUMBERS)
    again = desk.bill(month, lines)
    assert (again.is_new, again.invoices, again.totals) == (True, (), {})
    # The same run posted twice says what it posted.
    assert desk.post(again.invoice_run_id).is_new is False
    assert desk.rows(_NUMBERS) == before


def test_any_sequence_of_rounds_leaves_the_ledger_equal_to_the_last_draft(
    desk: Desk, month: date
) -> None:
    chance = random.Random(41)
    for _ in range(10):
        lines = {
            account: usage(
                **{
                    words: f"{chance.randint(0, 500) / 100:.2f}"
                    for words in chance.sample(["calls", "texts", "data"], chance.randint(1, 3))
                }
            )
            for account in chance.sample(["ACME", "LATER", "THIRD"], chance.randint(0, 3))
        }
        desk.bill(chance.choice([month, month, following(month)]), lines)
        desk.assert_ledger_is_the_draft()
    kinds = desk.rows(
        "select distinct invoice_kind from ledger.invoice where period_month = %s order by 1",
        month,
    )
    assert kinds == [("adjustment",), ("credit_note",), ("invoice",)]


def test_a_held_invoice_waits_and_is_invoiced_later(desk: Desk, month: date) -> None:
    lines = {"ACME": usage(calls="1.00"), "THIRD": usage(calls="2.00")}
    run_id = desk.draft(month, lines, held="THIRD")
    gates = {gate.gate_code: gate for gate in desk.approve(run_id).gates}
    assert (gates["held"].gate_status, gates["held"].figures) == (
        "warn", "1 invoices with a problem that are not posted (a reason)",
    )  # fmt: skip
    assert [i.account_code for i in desk.post(run_id).invoices] == ["ACME"]
    second = desk.bill(month, lines)
    assert [(i.account_code, i.invoice_kind) for i in second.invoices] == [("THIRD", "invoice")]


def test_only_what_was_approved_is_posted(desk: Desk, month: date) -> None:
    run_id = desk.draft(month, {"ACME": usage(calls="1.00")})
    with pytest.raises(runs.PostingRefused, match="is draft: it is posted when it is approved"):
        desk.post(run_id)
    with pytest.raises(RatehouseError, match="a reason is needed"):
        desk.approve(run_id, reason=" ")
    proposal = desk.approve(run_id)
    assert proposal.approval is not None and proposal.approval["approved_by"] == "anna"
    assert proposal.approval["control_totals"]["to_post"]["totals"] == {"USD": "1"}
    with pytest.raises(runs.InvoiceRunRefused, match="are approved"):
        desk.draft(month, {})
    desk.warehouse.execute(
        "update billing.draft_invoice_line set description = 'other' where invoice_run_id = %s",
        run_id,
    )
    with pytest.raises(runs.PostingRefused, match="another draft than the approved one"):
        desk.post(run_id)
    assert runs.reopen_run(desk.connection, month, "main", **_BY) == run_id
    desk.approve(run_id)
    label = desk.label()
    desk.post(run_id)
    with pytest.raises(runs.PostingRefused, match=rf"never changes: invoices {label}\."):
        runs.reopen_run(desk.connection, month, "main", **_BY)
    events = desk.rows(
        "select event from control.event where subject = 'invoice_run' and subject_id = %s "
        "order by event_id",
        run_id,
    )
    assert [row[0] for row in events] == [
        "drafting", "drafted", "approved", "reopened", "approved", "posted",
    ]  # fmt: skip


def test_a_blocked_gate_needs_a_reason_of_its_own(desk: Desk, month: date) -> None:
    run_id = desk.draft(month, {"ACME": usage(calls="1.00")})
    desk.warehouse.execute(
        "update control.invoice_run set stale_since = now(), stale_reason = 'file 7 was withdrawn' "
        "where invoice_run_id = %s",
        run_id,
    )
    with pytest.raises(runs.PostingRefused) as refusal:
        desk.approve(run_id)
    assert "stale (Draft up to date)" in str(refusal.value)
    assert "file 7 was withdrawn" in str(refusal.value)
    assert "--override stale='why'" in str(refusal.value)
    with pytest.raises(runs.PostingRefused, match="there is no gate weather"):
        desk.approve(run_id, overrides={"weather": "rain"})
    proposal = desk.approve(run_id, overrides={"stale": "the file was empty"})
    assert proposal.approval is not None
    assert proposal.approval["overrides"] == {"stale": "the file was empty"}
    desk.post(run_id)


def test_thresholds_are_reference_data(desk: Desk, month: date) -> None:
    run_id = desk.draft(month, {"GATED": usage(calls="1.00")}, held="GATED", group="gated")
    with pytest.raises(runs.PostingRefused, match="held .Invoices held.: 1 invoices"):
        desk.approve(run_id)


def test_a_posting_that_fails_leaves_no_gap_and_nothing_else(desk: Desk, month: date) -> None:
    run_id = desk.draft(month, {"ACME": usage(calls="7.77"), "THIRD": usage(calls="1.00")})
    desk.approve(run_id)
    tables = ("posting", "invoice", "invoice_line", "issued_number", "number_sequence")
    before = [desk.rows(f"select * from ledger.{table}") for table in tables]
    desk.warehouse.execute(
        "create function ledger.fail() returns trigger language plpgsql as "
        "$$ begin if new.line_amount = 7.77 then raise exception 'power cut'; end if; "
        "return new; end $$"
    )
    desk.warehouse.execute(
        "create trigger fail before insert on ledger.invoice_line "
        "for each row execute function ledger.fail()"
    )
    with pytest.raises(psycopg2.Error, match="power cut"):
        desk.post(run_id)
    assert [desk.rows(f"select * from ledger.{table}") for table in tables] == before
    desk.warehouse.execute("drop trigger fail on ledger.invoice_line")
    labels = [desk.label(), desk.label(2)]
    assert [i.invoice_label for i in desk.post(run_id).invoices] == labels


def test_killed_in_the_middle_leaves_nothing_and_of_two_one_is_told(
    desk: Desk, month: date
) -> None:
    desk.bill(month, {"ACME": usage(calls="1.00")})
    run_id = desk.draft(following(month), {"ACME": usage(calls="1.00")})
    desk.approve(run_id)
    label, before = desk.label(), desk.rows("select * from ledger.posting")
    # The posting waits for the number range, and is killed there.
    with (
        closing(connect(url=desk.warehouse.url)) as blocker,
        closing(connect(url=desk.warehouse.url)) as killed,
    ):
        with blocker.cursor() as cursor:
            cursor.execute("update ledger.number_sequence set last_number = last_number + 1")
        failures: list[Exception] = []

        def post() -> None:
            try:
                runs.post_run(killed, run_id, requested_by="anna")
            except psycopg2.Error as error:
                failures.append(error)

        thread = threading.Thread(target=post)
        thread.start()
        waiting = (
            "select count(*) from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
        )
        while not desk.warehouse.value(waiting, killed.info.backend_pid):
            time.sleep(0.05)
        with pytest.raises(runs.RunAlreadyAtWork, match="is at work"):
            desk.post(run_id)
        desk.warehouse.rows("select pg_terminate_backend(%s, 10000)", killed.info.backend_pid)
        thread.join(20)
        assert len(failures) == 1
        blocker.rollback()
    assert desk.rows("select * from ledger.posting") == before
    assert [i.invoice_label for i in desk.post(run_id).invoices] == [label]


def test_numbers_as_the_bill_group_wants_them(desk: Desk, month: date) -> None:
    year = desk.warehouse.value("select to_char(now() at time zone 'UTC', 'YYYY')")
    (invoice,) = desk.bill(month, {"NUMBERED": usage(calls="2.00")}, "numbered").invoices
    assert invoice.invoice_label == f"RH/{year}/0001"
    (credit,) = desk.bill(month, {"NUMBERED": usage(calls="1.00")}, "numbered").invoices
    assert credit.invoice_label == f"CN/{year}/0001"


def test_a_period_is_closed_when_nothing_is_open(desk: Desk, month: date) -> None:
    with pytest.raises(runs.PostingRefused, match="the period was not billed"):
        runs.close_period(desk.connection, month, "main", **_BY)
    run_id = desk.draft(month, {"ACME": usage(calls="1.00")})
    with pytest.raises(runs.PostingRefused, match=rf"invoice run {run_id} .round 1. is draft"):
        runs.close_period(desk.connection, month, "main", **_BY)
    desk.approve(run_id)
    desk.post(run_id)
    assert runs.period_state(desk.connection, month, "main").open_things == ()
    closed = runs.close_period(desk.connection, month, "main", **_BY)
    assert closed.closed_at is not None
    assert runs.close_period(desk.connection, month, "main", **_BY) == closed
    # What comes late is billed by a round of its own.
    assert len(desk.bill(month, {"ACME": usage(calls="3.00")}).invoices) == 1
    unbilled = following(month)
    forced = runs.close_period(desk.connection, unbilled, "main", **_BY, force=True)
    assert "the period was not billed" in forced.open_things
    with pytest.raises(runs.InvoiceRunRefused, match="was closed by anna"):
        desk.draft(unbilled, {})


_BILLED_USAGE = """
    select u.retail_amount, f.file_name, u.line_no
    from marts.rpt_ledger__usage as u inner join control.file as f on u.file_id = f.file_id
    where u.posting_id = %s order by 2, 3
"""


def test_late_files_are_adjusted_and_what_was_billed_is_told_for_ever(
    desk: Desk, tmp_path: Path
) -> None:
    """A period from the last of February to the last of March, in which the clocks change."""
    warehouse, period = desk.warehouse, date(2026, 2, 1)

    def file(name: str, source: str, header: str, *calls: str) -> None:
        path = tmp_path / name
        path.write_text(header + "".join(f"{call}\n" for call in calls))
        (result,) = warehouse.load(path, source_code=source)
        assert result.status == "landed", result.status_reason
        assert warehouse.rate() is not None

    # In winter midnight of New York is 05:00 UTC, in summer 04:00.
    file(
        "one.csv", "carrier", "Start,From,To,Seconds,Customer,Note\n",
        *(
            f"{start},12125550100,12125550123,60,last,"
            for start in (
                "2026-02-28 04:59:59", "2026-02-28 05:00:00", "2026-03-31 03:59:59",
                "2026-03-31 04:00:00",
            )
        ),
    )  # fmt: skip
    run_id = warehouse.bill(period, ["rated"])["rated"].invoice_run_id
    # Rated once more after the draft: it is out of date.
    file("two.csv", "plain", "", "2026-03-10 12:00:00,12125550100,12125550123,60,last")
    with pytest.raises(runs.PostingRefused, match=r"stale .*: 1 rating runs since the draft"):
        desk.approve(run_id)
    desk.approve(run_id, overrides={"stale": "what came late is adjusted"})
    first = desk.post(run_id)
    assert [(i.invoice_kind, i.invoice_total) for i in first.invoices] == [
        ("invoice", Decimal("0.12"))
    ]
    assert desk.rows(
        "select period_start_at::text, period_end_at::text from ledger.invoice "
        "where posting_id = %s",
        first.posting_id,
    ) == [("2026-02-28 05:00:00+00", "2026-03-31 04:00:00+00")]
    billed = desk.rows(_BILLED_USAGE, first.posting_id)
    assert [(name, line_no) for _, name, line_no in billed] == [("one.csv", 3), ("one.csv", 4)]
    ids = dict(desk.rows("select file_name, file_id from control.file"))
    with pytest.raises(runs.WithdrawalRefused, match=first.invoices[0].invoice_label):
        warehouse.withdraw(ids["one.csv"], "wrong")
    # The late file is on no invoice yet.
    assert warehouse.preview_withdrawal(ids["two.csv"]).invoices_in_the_way == ()

    # Its source has a policy: the difference waits for the next invoice.
    run_id = warehouse.bill(period, ["rated"])["rated"].invoice_run_id
    desk.approve(run_id)
    second = desk.post(run_id)
    assert (second.invoices, second.carried_count) == ((), 1)
    (in_the_way,) = {
        invoice["number"]
        for invoice in warehouse.preview_withdrawal(ids["two.csv"]).invoices_in_the_way
    }
    assert in_the_way == "(waits for the next invoice)"
    desk.assert_ledger_is_the_draft()
    # What was billed stays what it was.
    assert desk.rows(_BILLED_USAGE, first.posting_id) == billed
    assert len(desk.rows(_BILLED_USAGE, second.posting_id)) == 3
