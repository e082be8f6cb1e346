-- Grain: one row per line of an invoice in own_invoice: rows of fct_ledger_line, of drafts those of
-- fct_invoice_line. Join posted lines by invoice_id, lines of drafts by period_month and currency.
{{ config(tags=['billing']) }}

with invoices as (
    select * from {{ ref('own_invoice') }}
),

posted_lines as (
    select * from {{ ref('fct_ledger_line') }}
),

draft_lines as (
    select * from {{ ref('fct_invoice_line') }}
),

invoice_lines as (
    select
        posted_lines.account_id,
        posted_lines.invoice_id,
        invoices.invoice_status,
        posted_lines.period_month,
        posted_lines.line_no,
        posted_lines.line_kind,
        posted_lines.charge_class,
        posted_lines.description,
        posted_lines.record_count,
        posted_lines.billed_seconds,
        posted_lines.quantity,
        posted_lines.unit,
        posted_lines.line_amount,
        posted_lines.currency_code
    from invoices
    inner join posted_lines
        on
            invoices.account_id = posted_lines.account_id
            and invoices.invoice_id = posted_lines.invoice_id
    union all
    select
        draft_lines.account_id,
        null as invoice_id,
        invoices.invoice_status,
        draft_lines.period_month,
        draft_lines.line_no,
        draft_lines.line_kind,
        draft_lines.charge_class,
        draft_lines.description,
        draft_lines.record_count,
        draft_lines.billed_seconds,
        draft_lines.quantity,
        draft_lines.unit,
        draft_lines.line_amount,
        draft_lines.currency_code
    from invoices
    inner join draft_lines
        on
            invoices.account_id = draft_lines.account_id
            and invoices.period_month = draft_lines.period_month
            and invoices.currency_code = draft_lines.currency_code
            and invoices.invoice_id is null
)

select
    invoice_lines.account_id::bigint as account_id,
    invoice_lines.invoice_id::bigint as invoice_id,
    invoice_lines.invoice_status::text as invoice_status,
    invoice_lines.period_month::date as period_month,
    invoice_lines.line_no::integer as line_no,
    invoice_lines.line_kind::text as line_kind,
    invoice_lines.charge_class::text as charge_class,
    invoice_lines.description::text as description,
    invoice_lines.record_count::bigint as record_count,
    invoice_lines.billed_seconds::bigint as billed_seconds,
    invoice_lines.quantity::numeric(24, 4) as quantity,
    invoice_lines.unit::text as unit,
    invoice_lines.line_amount::numeric(28, 14) as line_amount,
    invoice_lines.currency_code::text as currency_code
from invoice_lines
where {{ own_rows('invoice_lines') }}
