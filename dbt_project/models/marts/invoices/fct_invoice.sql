-- Grain: one row per account, period and currency: its newest draft, posted or not. What was posted
-- stands in the ledger.
with invoices as (
    select * from {{ ref('draft_invoice') }}
),

invoice_runs as (
    select * from {{ source('control', 'invoice_run') }}
)

select
    invoices.invoice_run_id,
    invoices.account_id,
    invoices.period_month,
    invoices.period_start_at,
    invoices.period_end_at,
    invoices.time_zone,
    invoice_runs.bill_group::text as bill_group,
    invoice_runs.status::text as invoice_status,
    invoices.currency_code,
    invoices.line_count,
    invoices.usage_amount,
    invoices.charge_amount,
    invoices.allowance_amount,
    invoices.volume_amount,
    invoices.discount_amount,
    invoices.commitment_amount,
    invoices.cap_amount,
    invoices.surcharge_amount,
    invoices.tax_amount,
    invoices.rounding_amount,
    invoices.invoice_total,
    invoices.hold_reason
from invoices
inner join invoice_runs on invoices.invoice_run_id = invoice_runs.invoice_run_id
where
    not invoice_runs.is_building
    and invoice_runs.is_current
