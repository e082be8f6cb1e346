"""A file is withdrawn with everything it caused, and restored to the digit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from loaders import runs
from loaders.database import connect
from loaders.errors import RatehouseError
from tests.end_to_end.balance import assert_balanced
from tests.end_to_end.conftest import Month
from tests.end_to_end.small import write_small_reference
from tests.end_to_end.test_reprocess import _CURRENT, _TOTALS
from tests.end_to_end.warehouse import Warehouse
from tests.oracle.compare import report

_HEADER = "Start,From,To,Seconds,Customer,Note\n"
_STATES = """
    select f.file_name, r.line_no, r.state, coalesce(r.reason, ''), r.retail_amount
    from rating.current_rated_usage as r
    inner join control.file as f on r.file_id = f.file_id
    order by 1, 2
"""
_ROWS = """
    select usage_id, rating_run_id, state, reason, account_id, retail_amount, original_usage_id
    from rating.current_rated_usage order by usage_id
"""
_CHARGES = """
    select charge_id, state, reason, account_id, charge_amount, original_charge_id
    from rating.current_rated_charge order by charge_id
"""
_DRAFT = "select coalesce(sum(invoice_total), 0) from marts.fct_invoice"


def call(minute: int, called: str = "12125550123", seconds: int = 60, note: str = "") -> str:
    return f"2026-10-05 10:{minute:02d}:00,12125550100,{called},{seconds},acme,{note}\n"


def write(folder: Path, name: str, *calls: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(_HEADER + "".join(calls))
    return path


def file_id(warehouse: Warehouse, name: str) -> int:
    return warehouse.value("select file_id from control.file where file_name = %s", name)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files of these tests are."""
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def rated(make_warehouse: Callable[[], Warehouse], files: Path) -> Warehouse:
    """Three files: calls 1 to 4; calls 3 to 6 (two repeats); call 3 again and one at risk."""
    warehouse = make_warehouse()
    warehouse.load_reference(write_small_reference(files / "reference"))
    paths = (
        write(files, "one.csv", *(call(minute) for minute in (1, 2, 3, 4))),
        write(files, "two.csv", *(call(minute) for minute in (3, 4, 5, 6))),
        write(files, "three.csv", call(3), call(7, called="+33123456789")),
    )
    for path in paths:
        warehouse.load(path, source_code="carrier")
        assert warehouse.rate() is not None
    warehouse.bill(groups=["main"])
    return warehouse


@pytest.fixture
def billed(rated: Warehouse, copy_warehouse: Callable[[Warehouse], Warehouse]) -> Warehouse:
    """The same, a test's own."""
    return copy_warehouse(rated)


def test_withdrawn_and_restored(billed: Warehouse) -> None:
    before, totals_before = billed.rows(_ROWS), billed.rows(_TOTALS)
    assert billed.value(_DRAFT) == Decimal("0.36")
    one = file_id(billed, "one.csv")

    preview = billed.preview_withdrawal(one)
    assert [(g.state, g.record_count, g.amount) for g in preview.records] == [
        ("billed", 4, Decimal("0.24"))
    ]
    assert preview.repeat_count == 3
    assert preview.drafts == (("2026-10", "main"),)
    assert preview.invoices_in_the_way == ()
    assert billed.rows(_ROWS) == before

    # Step one: nothing of the file counts; what repeats it still waits.
    totals = billed.withdraw(one, "sent by mistake")
    assert (totals["run_kind"], totals["landed_count"], totals["replaced_count"]) == (
        "withdraw", 0, 4,
    )
    assert_balanced(billed)
    assert billed.rows(_TOTALS) == billed.rows(_CURRENT)
    assert {row[0] for row in billed.rows(_STATES)} == {"two.csv", "three.csv"}
    assert billed.value("select status from control.file where file_id = %s", one) == "withdrawn"
    # Step two, queued with the first: the records that repeated it are billed in its place.
    assert billed.value("select status from control.rating_run where status = 'queued'")
    with pytest.raises(runs.InvoiceRunRefused, match="waits"):
        billed.bill(groups=["main"])
    assert billed.rate() is not None
    assert billed.rate() is None
    assert_balanced(billed)
    assert billed.rows(_TOTALS) == billed.rows(_CURRENT)
    assert [row[:4] for row in billed.rows(_STATES)] == [
        ("three.csv", 2, "duplicate", "repeated_record"),
        ("three.csv", 3, "error", "missing_rate"),
        ("two.csv", 2, "billed", ""),
        ("two.csv", 3, "billed", ""),
        ("two.csv", 4, "billed", ""),
        ("two.csv", 5, "billed", ""),
    ]
    assert billed.stale_drafts() == [("2026-10", "main")]
    billed.bill(groups=["main"])
    assert billed.stale_drafts() == []
    assert billed.value(_DRAFT) == Decimal("0.24")

    # Restored: every row is the earlier one, and the repeats are repeats again.
    assert billed.preview_restore(one).repeat_count == 3
    totals = billed.restore(one, "it was right after all")
    assert (totals["run_kind"], totals["landed_count"], totals["replaced_count"]) == (
        "restore", 3, 3,
    )
    assert_balanced(billed)
    assert billed.rows(_TOTALS) == billed.rows(_CURRENT) == totals_before
    assert [row[:1] + row[2:] for row in billed.rows(_ROWS)] == [
        row[:1] + row[2:] for row in before
    ]
    assert [row for row in billed.rows(_ROWS) if row[0] >> 36 == one] == [
        row for row in before if row[0] >> 36 == one
    ]
    billed.bill(groups=["main"])
    assert billed.value(_DRAFT) == Decimal("0.36")
    assert [
        (event, detail["reason"])
        for event, detail in billed.rows(
            "select event, detail from control.event where subject = 'file' and subject_id = %s "
            "and event in ('withdrawn', 'restored') order by event_id",
            one,
        )
    ] == [("withdrawn", "sent by mistake"), ("restored", "it was right after all")]


def settle(warehouse: Warehouse) -> None:
    """Everything that is queued or unfinished."""
    while warehouse.rate() is not None:
        pass


def states(warehouse: Warehouse, *names: str) -> list[tuple[object, ...]]:
    return [row[:4] for row in warehouse.rows(_STATES) if row[0] in names]


def test_files_that_repeat_each_other_go_and_come_back_in_any_order(billed: Warehouse) -> None:
    one, two = file_id(billed, "one.csv"), file_id(billed, "two.csv")
    before = billed.rows(_TOTALS)
    billed.withdraw(one, "test")
    settle(billed)
    # Now the repeats of one in two are originals themselves; two goes as well.
    billed.withdraw(two, "test")
    settle(billed)
    assert states(billed, "one.csv", "two.csv", "three.csv") == [
        ("three.csv", 2, "billed", ""), ("three.csv", 3, "error", "missing_rate"),
    ]  # fmt: skip
    billed.restore(one, "test")
    assert [row[2] for row in states(billed, "one.csv")] == ["billed"] * 4
    assert states(billed, "three.csv")[0][2:] == ("duplicate", "repeated_record")
    assert_balanced(billed)
    # What stood in two for a withdrawn original is a repeat of it again, and is not billed twice.
    billed.restore(two, "test")
    assert [row[2] for row in states(billed, "two.csv")] == [
        "duplicate", "duplicate", "billed", "billed",
    ]
    assert_balanced(billed)
    assert billed.rows(_TOTALS) == billed.rows(_CURRENT) == before


def test_a_repeat_of_a_file_that_went_in_between_is_not_lost(billed: Warehouse) -> None:
    one, two = file_id(billed, "one.csv"), file_id(billed, "two.csv")
    billed.withdraw(two, "test")
    billed.withdraw(one, "test")
    settle(billed)
    billed.restore(two, "test")
    # Two was withdrawn while its calls 3 and 4 were repeats of one, which is gone now.
    assert [row[2] for row in states(billed, "two.csv")] == ["billed"] * 4
    assert states(billed, "three.csv")[0][2:] == ("duplicate", "repeated_record")
    assert_balanced(billed)
    assert billed.rows(_TOTALS) == billed.rows(_CURRENT)


def test_killed_half_way_the_next_run_finishes_it(billed: Warehouse) -> None:
    one = file_id(billed, "one.csv")
    before = billed.rows(_TOTALS)
    by = {"reason": "test", "requested_by": "test", "code_commit": "x", "code_is_dirty": False}
    with closing(connect(url=billed.url)) as connection:
        run = runs.open_withdraw_run(connection, one, **by)
        assert run is not None
        billed.build("tag:rating", run.environment())
    # Killed before it closed: nothing of it counts yet.
    assert billed.rows(_TOTALS) == billed.rows(_CURRENT) == before
    totals = billed.rate()
    assert totals is not None and totals["run_kind"] == "withdraw"
    settle(billed)
    assert billed.value("select status from control.file where file_id = %s", one) == "withdrawn"
    assert sum(row[2] == "billed" for row in billed.rows(_STATES)) == 4
    with closing(connect(url=billed.url)) as connection:
        assert runs.open_restore_run(connection, one, **by) is not None
    totals = billed.rate()
    assert totals is not None and totals["run_kind"] == "restore"
    assert billed.rows(_TOTALS) == billed.rows(_CURRENT) == before
    assert_balanced(billed)


def test_an_invoice_in_the_way_is_named(billed: Warehouse) -> None:
    one = file_id(billed, "one.csv")
    billed.execute("update control.invoice_run set status = 'approved'")
    with pytest.raises(runs.WithdrawalRefused) as refusal:
        billed.withdraw(one, "test")
    assert "approved invoice: account ACME, 2026-10" in str(refusal.value)
    assert "Take the approval back first" in str(refusal.value)
    billed.execute("insert into ledger.number_sequence values ('main', 17)")
    billed.execute(
        """
        insert into control.invoice_approval (
            invoice_run_id, approved_by, reason, content_checksum, control_totals, gates
        )
        select invoice_run_id, 'test', 'test', '', '{}', '[]' from control.invoice_run
        """
    )
    billed.execute(
        """
        insert into ledger.posting (
            invoice_run_id, approval_id, period_month, bill_group, round_no, content_checksum,
            reference_cutoff, rating_runs, invoice_count, line_count, carried_count, totals,
            posted_by
        )
        select invoice_run_id, 1, period_month, bill_group, 1, '', reference_cutoff, '{}', 0, 0, 0,
            '{}', 'test'
        from control.invoice_run
        """,
        past_the_guards=True,
    )
    billed.execute(
        """
        insert into ledger.invoice (
            account_id, posting_id, invoice_kind, sequence_code, invoice_number, invoice_label,
            account_code, customer_name, bill_group, period_month, period_start_at, period_end_at,
            time_zone, currency_code, line_count, invoice_total, invoice_run_id, invoice_date
        )
        select account_id, posting_id, 'invoice', 'main', 17, 'main-17', 'ACME', 'Acme', 'main',
            d.period_month, period_start_at, period_end_at, time_zone, currency_code, 1,
            invoice_total, d.invoice_run_id, current_date
        from billing.draft_invoice as d
        inner join ledger.posting as p on d.invoice_run_id = p.invoice_run_id
        """
    )
    # Drafted before the file was rated: it is not on that invoice.
    (approved,) = billed.preview_withdrawal(one).invoices_in_the_way
    assert approved["status"] == "approved"
    billed.execute(
        "update ledger.posting as p set rating_runs = r.rating_runs from control.invoice_run as r "
        "where p.invoice_run_id = r.invoice_run_id",
        past_the_guards=True,
    )
    with pytest.raises(runs.WithdrawalRefused) as refusal:
        billed.withdraw(one, "test")
    assert "posted invoice main-17: account ACME, 2026-10" in str(refusal.value)
    assert "never changed: credit it instead" in str(refusal.value)
    # A file without money on an invoice goes all the same; nothing was opened for the others.
    assert billed.value("select count(*) from control.rating_run where run_kind = 'withdraw'") == 0
    assert billed.preview_withdrawal(file_id(billed, "three.csv")).invoices_in_the_way == ()


def test_a_file_no_run_has_taken_goes_and_comes_back_without_one(
    billed: Warehouse, files: Path
) -> None:
    path = write(files, "four.csv", call(30))
    (result,) = billed.load(path, source_code="carrier")
    assert result.file_id is not None
    assert billed.withdraw(result.file_id, "wrong month") is None
    assert billed.rate() is None
    assert_balanced(billed)
    with pytest.raises(runs.WithdrawalRefused, match="is withdrawn already"):
        billed.withdraw(result.file_id, "again")
    assert billed.restore(result.file_id, "right month") is None
    with pytest.raises(runs.WithdrawalRefused, match="nothing to restore"):
        billed.restore(result.file_id, "again")
    # Withdrawn, the same bytes are news again; then the first cannot come back.
    billed.withdraw(result.file_id, "wrong month")
    (again,) = billed.load(path, source_code="carrier")
    assert again.status == "landed" and again.file_id != result.file_id
    with pytest.raises(runs.WithdrawalRefused, match="same bytes have landed again"):
        billed.restore(result.file_id, "right month")
    with pytest.raises(RatehouseError, match="there is no file 999"):
        billed.withdraw(999, "x")
    with pytest.raises(RatehouseError, match="a reason is needed"):
        billed.withdraw(again.file_id, " ")


def test_what_stays_suspended_is_rated_again_as_often_as_one_likes(billed: Warehouse) -> None:
    missing = runs.SuspenseFilters(reasons=("missing_rate",))
    before = billed.rows(_TOTALS)
    for _ in range(3):
        totals = billed.reprocess(missing)
        assert totals is not None
        assert (totals["landed_count"], totals["replaced_count"]) == (1, 1)
        assert billed.rows(_TOTALS) == billed.rows(_CURRENT) == before
    assert_balanced(billed)


def test_calls_and_charges_of_a_month_go_and_come_back(
    month: Month, copy_warehouse: Callable[[Warehouse], Warehouse]
) -> None:
    warehouse = copy_warehouse(month.warehouse)
    before, drafts = warehouse.rows(_TOTALS), month.checksums
    charges = warehouse.rows(_CHARGES)
    chosen = warehouse.rows(
        "select distinct on (file_kind) file_id, data_count from control.file "
        "where status = 'landed' and data_count > 10 order by file_kind, data_count desc"
    )
    assert len(chosen) == 2
    for file, records in chosen:
        totals = warehouse.withdraw(file, "test")
        assert totals is not None and totals["replaced_count"] == records
        assert_balanced(warehouse)
    settle(warehouse)
    assert_balanced(warehouse)
    assert warehouse.rows(_TOTALS) == warehouse.rows(_CURRENT) != before
    assert warehouse.rows(_CHARGES) != charges
    assert warehouse.stale_drafts() == [("2026-10", "main"), ("2026-10", "wholesale")]
    warehouse.bill()
    # As if the two had never come, says the second implementation.
    differences = warehouse.differences(month.folder)
    assert differences == [], report(differences)
    for file, _ in chosen:
        warehouse.restore(file, "test")
        assert_balanced(warehouse)
    assert warehouse.rows(_TOTALS) == warehouse.rows(_CURRENT) == before
    assert warehouse.rows(_CHARGES) == charges
    assert {g: d.content_checksum for g, d in warehouse.bill().items()} == drafts
    differences = warehouse.differences(month.folder)
    assert differences == [], report(differences)
