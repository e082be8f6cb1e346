-- Grain: one row per line of a document of rpt_invoice__document. The printed amounts of a document
-- add up to its total, and so do the exact ones.
with document_lines as (
    select * from {{ ref('int_posting__document_lines') }}
)

select
    document_lines.document_key,
    document_lines.document_status,
    document_lines.account_id,
    document_lines.invoice_id,
    document_lines.invoice_run_id,
    document_lines.line_no,
    document_lines.section_no,
    document_lines.section,
    document_lines.period_month,
    document_lines.line_kind,
    document_lines.charge_class,
    document_lines.product_code,
    document_lines.description,
    document_lines.record_count,
    document_lines.billed_seconds,
    document_lines.quantity,
    document_lines.unit,
    document_lines.unrounded_amount,
    document_lines.line_amount,
    document_lines.printed_amount,
    sum(document_lines.printed_amount) over (
        partition by
            document_lines.document_status,
            document_lines.invoice_run_id,
            document_lines.account_id,
            document_lines.document_key,
            document_lines.section_no
    )::numeric(28, 14) as section_amount,
    document_lines.currency_code,
    document_lines.source_currency_code,
    document_lines.source_amount,
    document_lines.exchange_rate,
    document_lines.exchange_source,
    document_lines.exchange_rate_from,
    document_lines.base_amount,
    document_lines.percent,
    document_lines.billed_before,
    document_lines.billed_now,
    document_lines.is_carried,
    document_lines.original_label,
    document_lines.original_date,
    document_lines.original_line_no
from document_lines
