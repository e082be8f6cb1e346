"""A file is withdrawn with everything it caused, and restored to the digit."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from loaders import runs
from tests.end_to_end.balance import assert_balanced
from tests.end_to_end.small import write_small_reference
from tests.end_to_end.test_reprocess import _CURRENT, _TOTALS
from tests.end_to_end.warehouse import Warehouse

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


@pytest.fixture
def billed(
    make_warehouse: Callable[[], Warehouse], tmp_path: Path
) -> Warehouse:
    """Three files: calls 1 to 4; calls 3 to 6 (two repeats); call 3 again and one at risk."""
    warehouse = make_warehouse()
    warehouse.load_reference(write_small_reference(tmp_path / "reference"))
    files = (
        write(tmp_path, "one.csv", *(call(minute) for minute in (1, 2, 3, 4))),
        write(tmp_path, "two.csv", *(call(minute) for minute in (3, 4, 5, 6))),
        write(tmp_path, "three.csv", call(3), call(7, called="+33123456789")),
    )
    for path in files:
        warehouse.load(path, source_code="carrier")
        assert warehouse.rate() is not None
    warehouse.bill(groups=["main"])
    return warehouse


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
