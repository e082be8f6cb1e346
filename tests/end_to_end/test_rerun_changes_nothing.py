"""The same files again, rated and billed again: not a digit moves."""

from __future__ import annotations

from tests.end_to_end.conftest import Month
from tests.end_to_end.warehouse import BILL_GROUPS, Warehouse

# What a replay compares: without ids that a run or a registry gave, files by their fingerprint.
_CONTENT = """
    select jsonb_agg(to_jsonb(c) order by c.period_month)
    from control.fact_checksums('rating.rated_usage') as c
"""
_COUNTS = """
    select
        (select count(*) from control.file), (select count(*) from control.rating_run),
        (select count(*) from rating.rated_usage), (select count(*) from rating.rated_charge),
        (select count(*) from rating.usage_total), (select count(*) from landing.asterisk_cdr),
        (select count(*) from reference.rate), (select count(*) from billing.draft_invoice_line)
"""


def _state(warehouse: Warehouse) -> tuple[object, object]:
    return warehouse.rows(_COUNTS), warehouse.value(_CONTENT)


def test_the_same_files_again_change_nothing(month: Month) -> None:
    before = _state(month.warehouse)
    month.warehouse.load_reference(month.folder / "reference")
    results = month.warehouse.load(month.folder / "files")
    again = {result.status for result in results}
    assert again <= {"already_loaded", "held", "landed"}
    # An empty file repeats every day; nothing else lands twice.
    assert all(result.record_count == 0 for result in results if result.status == "landed")
    assert month.warehouse.rate() is None
    drafts = month.warehouse.bill()
    assert {group: drafts[group].content_checksum for group in BILL_GROUPS} == month.checksums
    assert not any(draft.is_changed or draft.is_first_draft for draft in drafts.values())
    assert _state(month.warehouse) == before
