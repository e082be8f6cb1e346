-- Grain: one row per posted invoice, adjustment or credit note of the reader's accounts, and one
-- per draft of a first invoice that may be sent. Drafts can change, and have no invoice_id. What a
-- later round would adjust is not shown before it is posted.
{{ config(tags=['billing']) }}

with posted as (
    select * from {{ ref('fct_ledger_invoice') }}
),

drafts as (
    select * from {{ ref('fct_invoice') }}
    where hold_reason is null
),

first_drafts as (
    select drafts.*
    from drafts
    where
        not exists (
            select 1
            from posted
            where
                posted.account_id = drafts.account_id
                and posted.period_month = drafts.period_month
                and posted.currency_code = drafts.currency_code
        )
),

invoices as (
    select
        posted.account_id,
        posted.invoice_id,
        posted.invoice_label,
        posted.invoice_kind,
        'posted' as invoice_status,
        posted.period_month,
        posted.period_start_at,
        posted.period_end_at,
        posted.time_zone,
        posted.currency_code,
        posted.line_count,
        posted.invoice_total,
        posted.invoice_date
    from posted
    union all
    select
        first_drafts.account_id,
        null as invoice_id,
        null as invoice_label,
        'invoice' as invoice_kind,
        'draft' as invoice_status,
        first_drafts.period_month,
        first_drafts.period_start_at,
        first_drafts.period_end_at,
        first_drafts.time_zone,
        first_drafts.currency_code,
        first_drafts.line_count,
        first_drafts.invoice_total,
        null as invoice_date
    from first_drafts
)

select
    invoices.account_id::bigint as account_id,
    invoices.invoice_id::bigint as invoice_id,
    invoices.invoice_label::text as invoice_label,
    invoices.invoice_kind::text as invoice_kind,
    invoices.invoice_status::text as invoice_status,
    invoices.period_month::date as period_month,
    invoices.period_start_at::timestamptz as period_start_at,
    invoices.period_end_at::timestamptz as period_end_at,
    invoices.time_zone::text as time_zone,
    invoices.currency_code::text as currency_code,
    invoices.line_count::integer as line_count,
    invoices.invoice_total::numeric(18, 4) as invoice_total,
    invoices.invoice_date::date as invoice_date
from invoices
where {{ own_rows('invoices') }}
