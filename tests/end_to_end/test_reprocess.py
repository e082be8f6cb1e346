"""A missing service is added: its suspended calls become billed, and undoing that is exact."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from loaders.runs import SuspenseFilters
from tests.end_to_end.balance import assert_balanced
from tests.end_to_end.conftest import Month
from tests.end_to_end.warehouse import Warehouse
from tests.oracle.compare import report

ACCOUNT = "ACME-001"
SERVICE = "ACME-001-FOUND"
MISSING = SuspenseFilters(reasons=("service_not_found",))

# Callers whose calls all wait for a service: naming them changes no call that was decided.
_UNKNOWN_CALLERS = """
    select r.calling_number::text
    from rating.current_rated_usage as r
    where r.calling_number is not null
    group by r.calling_number
    having bool_and(
        r.reason = 'service_not_found' and r.direction = 'outbound' and r.state = 'error'
    )
    order by 1
"""
_TOTALS = """
    select
        account_id, period_month, source_id, plan_id, charge_class, state, t.reason, currency_code,
        sum(record_count), sum(leg_count), sum(billed_seconds), sum(unrounded_sixtieths),
        sum(retail_amount), sum(cost_amount), sum(at_risk_amount)
    from rating.usage_total as t
    inner join control.rating_run using (rating_run_id)
    where status = 'closed'
    group by 1, 2, 3, 4, 5, 6, 7, 8
    having sum(record_count) <> 0 or sum(leg_count) <> 0
    order by 1, 2, 3, 4, 5, 6, 7, 8
"""
_CURRENT = """
    select
        account_id, period_month, source_id, plan_id, charge_class, state, reason, currency_code,
        count(*) filter (where leg_no = 1), count(*), coalesce(sum(retail_billed_seconds), 0),
        coalesce(sum(
            60 * retail_connection_fee + retail_billed_seconds * retail_price_per_minute
        ), 0),
        coalesce(sum(retail_amount), 0), coalesce(sum(cost_amount), 0), sum(at_risk_amount)
    from rating.current_rated_usage
    group by 1, 2, 3, 4, 5, 6, 7, 8
    order by 1, 2, 3, 4, 5, 6, 7, 8
"""
_ROWS = """
    select usage_id, state, reason, account_id, retail_amount
    from rating.current_rated_usage order by usage_id
"""


def _append(path: Path, *rows: dict[str, str]) -> None:
    with path.open(encoding="utf-8", newline="") as stream:
        columns = next(csv.reader(stream))
    with path.open("a", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        writer.writerows(rows)


@pytest.fixture(scope="module")
def fixed(
    month: Month,
    copy_warehouse: Callable[[Warehouse], Warehouse],
    tmp_path_factory: pytest.TempPathFactory,
) -> Month:
    """The month in a copy, with a service for the unknown callers in its reference data."""
    folder = tmp_path_factory.mktemp("fixed") / "month"
    shutil.copytree(month.folder, folder)
    warehouse = copy_warehouse(month.warehouse)
    callers = [caller for (caller,) in warehouse.rows(_UNKNOWN_CALLERS)]
    assert len(callers) >= 5
    reference = folder / "reference"
    _append(
        reference / "service.csv",
        {"service_code": SERVICE, "account_code": ACCOUNT, "service_type": "voice"},
    )
    _append(
        reference / "service_identifier.csv",
        *(
            {
                "service_code": SERVICE,
                "identifier_kind": "number",
                "identifier_value": caller,
                "direction": "outbound",
            }
            for caller in callers
        ),
    )
    warehouse.load_reference(reference)
    return Month(warehouse, folder, month.control_totals, month.checksums)


def test_suspended_calls_are_billed_once_their_service_is_known(fixed: Month) -> None:
    warehouse = fixed.warehouse
    rows_before, totals_before = warehouse.rows(_ROWS), warehouse.rows(_TOTALS)
    versions_before = warehouse.value("select count(*) from rating.rated_usage")
    suspended = [row[0] for row in rows_before if row[2] == MISSING.reasons[0]]

    # Known reference data alone change nothing; the preview says what waits and what it is worth.
    preview = [group for group in warehouse.preview(MISSING) if group.record_kind == "usage"]
    assert sum(group.record_count for group in preview) == len(suspended)
    assert sum(group.at_risk_amount for group in preview) == warehouse.value(
        "select sum(at_risk_amount) from rating.current_rated_usage "
        "where reason = 'service_not_found'"
    )
    assert warehouse.rows(_ROWS) == rows_before

    totals = warehouse.reprocess(MISSING)
    assert totals is not None
    assert totals["run_kind"] == "reprocess"
    assert totals["is_balanced"] is True
    assert totals["rated_count"] == totals["replaced_count"] == totals["landed_count"]
    reprocess_run = totals["rating_run_id"]

    # The calls of the new service left suspense, all others stand as they stood.
    found = dict(
        warehouse.rows(
            "select r.usage_id, r.state from rating.current_rated_usage as r "
            "inner join reference.service_key as k on r.service_id = k.service_id "
            "where k.service_code = %s and r.leg_no = 1",
            SERVICE,
        )
    )
    assert len(found) >= 5
    assert set(found) <= set(suspended)
    assert list(found.values()).count("billed") >= 5
    after = {row[0]: row for row in warehouse.rows(_ROWS)}
    assert all(after[row[0]] == row for row in rows_before if row[0] not in found)

    # The explanation of such a call tells what was decided before, and why no more.
    assert {
        words.split(",")[0] + words[words.index("; ") :]
        for (words,) in warehouse.rows(
            "select value from marts.rpt_explain__record "
            "where section = 'Earlier decisions' and record_id = any(%s)",
            list(found),
        )
    } == {f"error (service_not_found); replaced by run {reprocess_run} (reprocess)"}

    # Old versions stay on record and do not count.
    versions = warehouse.rows(
        "select usage_id, count(*) from rating.rated_usage group by 1 having count(*) > 1"
    )
    assert {usage_id for usage_id, _ in versions} == set(suspended)
    assert warehouse.value("select count(*) from rating.rated_usage") > versions_before
    assert warehouse.value(
        "select count(*) - count(distinct (usage_id)) from rating.current_rated_usage"
    ) == 0

    # The run's totals take out exactly what they replace; all totals are those of the rows.
    assert warehouse.value(
        "select sum(record_count) from rating.usage_total where rating_run_id = %s", reprocess_run
    ) == 0
    assert warehouse.rows(_TOTALS) == warehouse.rows(_CURRENT)
    assert_balanced(warehouse)

    (draft,) = warehouse.bill(groups=["main"]).values()
    assert draft.is_changed
    differences = warehouse.differences(fixed.folder)
    assert differences == [], report(differences)

    # Undone: the pointer moves back, nothing is deleted, every figure is the earlier one.
    warehouse.execute(
        "update control.rating_run set status = 'undone' where rating_run_id = %s", reprocess_run
    )
    assert warehouse.rows(_TOTALS) == totals_before == warehouse.rows(_CURRENT)
    assert warehouse.rows(_ROWS) == rows_before
    assert_balanced(warehouse)
    (draft,) = warehouse.bill(groups=["main"]).values()
    assert draft.content_checksum == fixed.checksums["main"]
