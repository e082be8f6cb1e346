-- Grain: one row per invoice of the reader's accounts: rows of fct_invoice. A draft can change.
{{ config(tags=['billing']) }}

with invoices as (
    select * from {{ ref('fct_invoice') }}
)

select
    invoices.invoice_run_id,
    invoices.account_id,
    invoices.period_month,
    invoices.period_start_at,
    invoices.period_end_at,
    invoices.time_zone,
    invoices.invoice_status,
    invoices.currency_code,
    invoices.line_count,
    invoices.invoice_total
from invoices
where
    invoices.hold_reason is null
    and {{ own_rows('invoices') }}
