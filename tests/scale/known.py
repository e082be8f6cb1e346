"""Where the project departs from the rules of tests/scale/rules.py, and why that holds.

An entry that nothing needs any more fails the test, too.
"""

from __future__ import annotations

KNOWN: dict[tuple[int, str], str] = {
    (2, "usage_supersession"): "the lines of one run, found again whatever account they were of",
    (2, "charge_supersession"): "the lines of one run, found again whatever account they were of",
    (2, "int_billing__allowance_lines"): "numbers rows that are summed by account already",
    (2, "int_billing__free_event_lines"): "numbers rows that are summed by account already",
    (2, "int_billing__usage_counts"): "numbers rows that are summed by account already",
    (4, "draft_invoice"): "the lines of one billing run, written by the coordinator just before",
    (2, "int_posting__differences"): "drafts of one billing run",
    (4, "int_posting__lines"): "drafts of one billing run",
    (4, "rpt_charge_overlap"): "charges, thousands a month, of any two accounts",
    (2, "rpt_charge_overlap"): "charges, thousands a month, of any two accounts",
    (4, "rpt_charge_absent"): "charges, thousands a month: what a supplier sent for a service",
    (2, "rpt_charge_absent"): "charges, thousands a month: what a supplier sent for a service",
    (4, "rpt_rerated_usage"): "the lines of one re-rating, asked for by a person",
    (2, "rpt_rerated_usage"): "a leg may have moved from one account to another",
    (4, "rpt_usf__contribution_base"): "totals of one month, not usage",
    (4, "alert_short_call_burst"): "hourly totals of the hours looked at",
    (4, "int_alert__hours"): "hourly totals of the weeks looked at",
    (4, "alert_off_hours_spike"): "hourly totals of the weeks looked at",
}
