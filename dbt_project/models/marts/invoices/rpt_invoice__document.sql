-- Grain: one row per document: a posted invoice, adjustment or credit note, or a draft of one.
-- invoice_total is that of the ledger; the sums above it are of the lines as they are printed.
with documents as (
    select * from {{ ref('int_posting__documents') }}
),

document_lines as (
    select * from {{ ref('int_posting__document_lines') }}
),

sums as (
    select
        document_lines.document_status,
        document_lines.invoice_run_id,
        document_lines.account_id,
        document_lines.document_key,
        max(document_lines.line_decimals) as line_decimals,
        coalesce(
            sum(document_lines.printed_amount)
            filter (where document_lines.line_kind not in ('tax', 'rounding')), 0
        ) as net_amount,
        coalesce(
            sum(document_lines.printed_amount) filter (where document_lines.line_kind = 'tax'), 0
        ) as tax_amount,
        coalesce(
            sum(document_lines.printed_amount)
            filter (where document_lines.line_kind = 'rounding'), 0
        ) as rounding_amount
    from document_lines
    group by
        document_lines.document_status,
        document_lines.invoice_run_id,
        document_lines.account_id,
        document_lines.document_key
)

select
    documents.document_key,
    documents.document_status,
    documents.invoice_kind,
    documents.invoice_label,
    documents.account_id,
    documents.invoice_id,
    documents.invoice_run_id,
    documents.posting_id,
    documents.bill_group,
    documents.account_code,
    {{ document_name('documents', 'customer_name') }}::text as customer_name,
    {{ document_name('documents', 'addressee') }}::text as addressee,
    {{ document_name('documents', 'customer_address') }}::text as customer_address,
    {{ document_name('documents', 'customer_tax_id') }}::text as customer_tax_id,
    {{ document_name('documents', 'customer_reference') }}::text as customer_reference,
    documents.legal_entity,
    documents.seller_name,
    documents.seller_address,
    documents.seller_tax_id,
    documents.seller_contact,
    documents.payment_details,
    documents.footer_note,
    documents.logo_path,
    documents.accent_colour,
    documents.date_style,
    documents.number_style,
    documents.currency_style,
    documents.page_size,
    documents.number_display,
    documents.is_itemised,
    documents.period_month,
    documents.period_start_at,
    documents.period_end_at,
    documents.time_zone,
    (documents.period_start_at at time zone documents.time_zone)::date as first_day,
    ((documents.period_end_at at time zone documents.time_zone) - interval '1 microsecond')::date
        as last_day,
    documents.invoice_date,
    documents.due_date,
    documents.adjusts_label,
    documents.adjusts_date,
    documents.currency_code,
    documents.currency_decimals,
    documents.line_count,
    coalesce(sums.line_decimals, documents.currency_decimals)::integer as line_decimals,
    coalesce(sums.net_amount, 0)::numeric(28, 14) as net_amount,
    coalesce(sums.tax_amount, 0)::numeric(28, 14) as tax_amount,
    coalesce(sums.rounding_amount, 0)::numeric(28, 14) as rounding_amount,
    documents.invoice_total
from documents
left join sums
    on
        documents.document_status = sums.document_status
        and documents.invoice_run_id = sums.invoice_run_id
        and documents.account_id = sums.account_id
        and documents.document_key = sums.document_key
