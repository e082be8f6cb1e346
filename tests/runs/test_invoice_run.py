"""A draft is rebuilt in place, says whether it changed, and is refused once approved."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from loaders import runs
from loaders.errors import RatehouseError

Connect = Callable[[], Any]
OCTOBER = date(2026, 10, 1)


def open_draft(connection: Any, bill_group: str = "main", **changes: Any) -> runs.InvoiceRun:
    arguments: dict[str, Any] = {
        "requested_by": "tester",
        "code_commit": "c",
        "orchestrator_run_id": "dagster-1",
        **changes,
    }
    return runs.open_invoice_run(connection, OCTOBER, bill_group, **arguments)


def draft(connection: Any, run: runs.InvoiceRun, total: str, line: str | None = None) -> None:
    """What dbt would build: one invoice with one line."""
    with connection, connection.cursor() as cursor:
        for table in ("draft_invoice", "draft_invoice_line"):
            cursor.execute(
                f"delete from billing.{table} where invoice_run_id = %s", (run.invoice_run_id,)
            )
        cursor.execute(
            "insert into billing.draft_invoice values (%s, 5, 'USD', %s)",
            (run.invoice_run_id, total),
        )
        cursor.execute(
            "insert into billing.draft_invoice_line values (%s, 5, 1, 'Calls', %s, 'USD')",
            (run.invoice_run_id, line or total),
        )


def rows(connection: Any, query: str) -> list[tuple[Any, ...]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def status(connection: Any) -> list[tuple[Any, ...]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select bill_group, status, is_building, drafted_at is not null "
            "from control.invoice_run order by bill_group"
        )
        return cursor.fetchall()


def test_the_first_draft_is_new_and_the_same_draft_again_is_unchanged(connect: Connect) -> None:
    connection = connect()
    run = open_draft(connection)
    assert status(connection) == [("main", "draft", True, False)]
    draft(connection, run, "12.34")
    first = runs.close_invoice_run(connection, run)
    assert (first.is_first_draft, first.is_changed) == (True, True)
    assert first.control_totals["invoice_total"] == {"USD": "12.34"}
    assert status(connection) == [("main", "draft", False, True)]

    again = open_draft(connection)
    assert again.invoice_run_id == run.invoice_run_id
    assert again.run_token != run.run_token
    draft(connection, again, "12.34")
    second = runs.close_invoice_run(connection, again)
    assert (second.is_first_draft, second.is_changed) == (False, False)
    assert second.content_checksum == first.content_checksum

    third = open_draft(connection)
    draft(connection, third, "12.35")
    assert runs.close_invoice_run(connection, third).is_changed


def test_a_draft_says_how_many_invoices_may_not_be_sent_and_why(connect: Connect) -> None:
    connection = connect()
    run = open_draft(connection)
    draft(connection, run, "12.34")
    with connection, connection.cursor() as cursor:
        cursor.execute("update billing.draft_invoice set hold_reason = 'no exchange rate'")
    assert runs.close_invoice_run(connection, run).control_totals["held"] == {"no exchange rate": 1}
    again = open_draft(connection)
    draft(connection, again, "12.34")
    assert runs.close_invoice_run(connection, again).control_totals["held"] == {}


def test_approved_invoices_are_not_drafted_again(connect: Connect) -> None:
    connection = connect()
    run = open_draft(connection)
    draft(connection, run, "1")
    runs.close_invoice_run(connection, run)
    with connection, connection.cursor() as cursor:
        cursor.execute("update control.invoice_run set status = 'approved'")
    with pytest.raises(runs.InvoiceRunRefused, match="2026-10, bill group main, are approved"):
        open_draft(connection)
    # Refusing let the lock go.
    open_draft(connect(), "other")


def test_beside_posted_invoices_the_next_round_is_drafted(connect: Connect) -> None:
    connection = connect()
    run = open_draft(connection)
    draft(connection, run, "1")
    runs.close_invoice_run(connection, run)
    with connection, connection.cursor() as cursor:
        cursor.execute("update control.invoice_run set status = 'posted'")
    rounds = "select round_no, is_current from control.invoice_run order by round_no"
    second = open_draft(connection)
    assert (second.round_no, second.is_first_draft) == (2, True)
    assert second.invoice_run_id != run.invoice_run_id
    assert rows(connection, rounds) == [(1, True), (2, False)]
    draft(connection, second, "2")
    runs.close_invoice_run(connection, second)
    assert rows(connection, rounds) == [(1, False), (2, True)]
    # Drafted again, and not done: what is posted counts.
    again = open_draft(connection)
    assert again.invoice_run_id == second.invoice_run_id
    runs.fail_invoice_run(connection, again, "no")
    assert rows(connection, rounds) == [(1, True), (2, False)]


def test_later_drafts_of_the_group_go_stale_with_an_earlier_one(connect: Connect) -> None:
    connection = connect()

    def draft_of(month: int, total: str) -> None:
        run = runs.open_invoice_run(
            connection, date(2026, month, 1), "main", requested_by="test", code_commit="x"
        )
        draft(connection, run, total)
        runs.close_invoice_run(connection, run)

    stale = (
        "select period_month, stale_reason from control.invoice_run where stale_since is not null"
    )
    draft_of(10, "1")
    draft_of(11, "1")
    draft_of(10, "1")
    assert rows(connection, stale) == []
    draft_of(10, "2")
    assert rows(connection, stale) == [
        (date(2026, 11, 1), "the draft of 2026-10 before it was made again and changed")
    ]
    draft_of(11, "1")
    assert rows(connection, stale) == []


def test_a_killed_draft_is_begun_again_and_its_old_token_is_worthless(connect: Connect) -> None:
    killed = connect()
    run = open_draft(killed)
    draft(killed, run, "1")
    killed.close()
    connection = connect()
    other = open_draft(connection, "other")
    assert status(connection) == [("main", "draft", False, False), ("other", "draft", True, False)]
    with pytest.raises(runs.RunAbandoned):
        runs.close_invoice_run(connect(), run)
    runs.fail_invoice_run(connection, other, "no")
    assert status(connection)[1] == ("other", "failed", False, False)
    again = open_draft(connection)
    assert again.invoice_run_id == run.invoice_run_id


def test_a_draft_whose_lines_do_not_add_up_is_not_kept(connect: Connect) -> None:
    connection = connect()
    run = open_draft(connection)
    draft(connection, run, "12.34", line="12.33")
    with pytest.raises(RatehouseError, match="is not the sum of their lines"):
        runs.close_invoice_run(connection, run)
    assert status(connection) == [("main", "failed", False, False)]


def test_drafting_and_rating_never_overlap(connect: Connect, land: Callable[..., int]) -> None:
    land("a.csv")
    drafting = open_draft(connect())
    with pytest.raises(runs.RunAlreadyAtWork, match="the draft of 2026-10, bill group main"):
        runs.open_rating_run(connect(), requested_by="t", code_commit="c", code_is_dirty=False)
    runs.fail_invoice_run(connect(), drafting, "stopped")


def test_a_half_finished_rating_run_stands_in_the_way_of_a_draft(
    connect: Connect, land: Callable[..., int]
) -> None:
    land("a.csv")
    killed = connect()
    runs.open_rating_run(killed, requested_by="t", code_commit="c", code_is_dirty=False)
    killed.close()
    with pytest.raises(runs.InvoiceRunRefused, match="finish it first"):
        open_draft(connect())


def test_bill_groups_are_those_of_accounts_and_never_suspense(connect: Connect) -> None:
    connection = connect()
    assert runs.bill_groups(connection) == []
    for group in ("main", "all"):
        with pytest.raises(RatehouseError, match="load the reference data first"):
            runs.choose_bill_groups(connection, group)
    with connection, connection.cursor() as cursor:
        for code, group in (("a1", "main"), ("a2", "quarterly")):
            cursor.execute(
                "insert into reference.account_key (account_code) values (%s) returning account_id",
                (code,),
            )
            cursor.execute(
                "insert into reference.account (account_id, account_code, customer_name, "
                "bill_group) values (%s, %s, %s, %s)",
                (cursor.fetchone()[0], code, code, group),
            )
    assert runs.choose_bill_groups(connection, "all") == ["main", "quarterly"]
    assert runs.choose_bill_groups(connection, "main") == ["main"]
    with pytest.raises(RatehouseError, match="known: main, quarterly"):
        runs.choose_bill_groups(connection, "mian")


@pytest.mark.parametrize("text", ["2026-10", " 2026-10 ", "2026-10-01"])
def test_a_period_is_a_month(text: str) -> None:
    assert runs.parse_period(text) == OCTOBER


@pytest.mark.parametrize("text", ["2026-13", "10/2026", "2026-10-02", "", "October"])
def test_anything_else_is_no_period(text: str) -> None:
    with pytest.raises(RatehouseError, match="is not a billing period"):
        runs.parse_period(text)
