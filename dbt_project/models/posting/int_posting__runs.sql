-- Grain: one row per billing run that is drafted and not posted.
select
    invoice_run.invoice_run_id,
    invoice_run.period_month,
    invoice_run.bill_group,
    invoice_run.round_no,
    invoice_run.status,
    invoice_run.reference_cutoff,
    invoice_run.opened_at,
    invoice_run.drafted_at,
    invoice_run.rating_runs,
    invoice_run.stale_since,
    invoice_run.stale_reason
from {{ source('control', 'invoice_run') }} as invoice_run
where
    invoice_run.build_schema = '{{ build_schema() }}'
    and invoice_run.status in ('draft', 'approved')
    and invoice_run.is_current
    and not invoice_run.is_building
    and invoice_run.drafted_at is not null
