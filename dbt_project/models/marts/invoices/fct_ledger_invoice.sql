-- Grain: one row per posted invoice, adjustment or credit note. What is billed is the sum over all.
with invoices as (
    select * from {{ source('ledger', 'invoice') }}
)

select
    invoices.account_id::bigint as account_id,
    invoices.invoice_id::bigint as invoice_id,
    invoices.invoice_label::text as invoice_label,
    invoices.invoice_kind::text as invoice_kind,
    invoices.period_month::date as period_month,
    invoices.period_start_at::timestamptz as period_start_at,
    invoices.period_end_at::timestamptz as period_end_at,
    invoices.time_zone::text as time_zone,
    invoices.bill_group::text as bill_group,
    invoices.legal_entity::text as legal_entity,
    invoices.currency_code::text as currency_code,
    invoices.line_count::integer as line_count,
    invoices.invoice_total::numeric(18, 4) as invoice_total,
    invoices.adjusts_invoice_id::bigint as adjusts_invoice_id,
    invoices.invoice_date::date as invoice_date,
    invoices.posting_id::bigint as posting_id,
    invoices.invoice_run_id::bigint as invoice_run_id,
    invoices.posted_at::timestamptz as posted_at
from invoices
