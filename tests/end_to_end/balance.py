"""No record is lost and none counts twice: what must hold after every step of every test."""

from __future__ import annotations

from tests.end_to_end.warehouse import Warehouse

# Counted from the rows themselves, not from the totals that the report adds up.
_STATES = """
    with states as (
        select file_id, state from rating.current_rated_usage where leg_no = 1
        union all
        select file_id, state from rating.current_rated_charge
    ),

    counted as (
        select
            file_id,
            count(*) filter (where state = 'billed') as billed,
            count(*) filter (where state = 'not_billable') as not_billable,
            count(*) filter (where state = 'duplicate') as duplicate,
            count(*) filter (where state = 'error') as error,
            count(*) as all_states
        from states
        group by file_id
    )

    select
        f.file_name, f.status, f.record_count, f.data_count, f.non_data_count,
        f.quarantined_count, r.held_count + r.withdrawn_count, r.is_balanced, r.difference,
        r.billed_count, r.not_billable_count, r.duplicate_count, r.error_count,
        coalesce(c.billed, 0), coalesce(c.not_billable, 0), coalesce(c.duplicate, 0),
        coalesce(c.error, 0), coalesce(c.all_states, 0),
        (select count(*) from landing.non_data_line as n where n.file_id = f.file_id),
        (select count(*) from landing.quarantine as q where q.file_id = f.file_id)
    from control.file as f
    left join marts.rpt_reconciliation__file as r on f.file_id = r.file_id
    left join counted as c on f.file_id = c.file_id
    order by f.file_id
"""


def assert_balanced(warehouse: Warehouse) -> int:
    """Every file and run adds up, in the reports and in the rows; the number of files."""
    rows = warehouse.rows(_STATES)
    for row in rows:
        name, status, records, data, non_data, quarantined, held, is_balanced, difference = row[:9]
        reported, counted = row[9:13], row[13:17]
        all_states, non_data_rows, quarantine_rows = row[17:]
        assert (is_balanced, difference) == (True, 0), name
        assert reported == counted, name
        assert sum(counted) == all_states, f"{name}: a state nobody counts"
        if status == "landed":
            assert (all_states, held) == (data, 0), name
            assert (non_data_rows, quarantine_rows) == (non_data, quarantined), name
            assert all_states + non_data_rows + quarantine_rows == records, name
        elif status == "withdrawn":
            assert (all_states, held) == (0, data), name
            assert (non_data_rows, quarantine_rows) == (non_data, quarantined), name
        else:
            assert (all_states, non_data_rows, quarantine_rows, held) == (0, 0, 0, data), name
    out_of_balance = warehouse.rows(
        "select rating_run_id from marts.rpt_reconciliation__run "
        "where status = 'closed' and is_balanced is not true"
    )
    assert out_of_balance == []
    # The totals that drafts and balances read say what the current rows say.
    for total, current, amount in (
        ("usage_total", "current_rated_usage", "retail_amount"),
        ("charge_total", "current_rated_charge", "charge_amount"),
    ):
        assert warehouse.rows(
            f"select coalesce(sum({amount}), 0) from rating.{total} "
            "inner join control.rating_run using (rating_run_id) where status = 'closed'"
        ) == warehouse.rows(f"select coalesce(sum({amount}), 0) from rating.{current}")
    # Traffic by hour too, row by row.
    for one, other in (("current", "rebuilt"), ("rebuilt", "current")):
        assert not warehouse.rows(
            f"table rating.{one}_traffic_hour except all table rating.{other}_traffic_hour"
        )
    return len(rows)
