-- Grain: one row per line of a posted invoice, adjustment or credit note. period_month is that of
-- the line: usage that came late stands on a later invoice.
with invoice_lines as (
    select * from {{ source('ledger', 'invoice_line') }}
)

select
    invoice_lines.account_id::bigint as account_id,
    invoice_lines.invoice_id::bigint as invoice_id,
    invoice_lines.line_no::integer as line_no,
    invoice_lines.period_month::date as period_month,
    invoice_lines.line_kind::text as line_kind,
    invoice_lines.charge_class::text as charge_class,
    invoice_lines.product_code::text as product_code,
    invoice_lines.description::text as description,
    invoice_lines.record_count::bigint as record_count,
    invoice_lines.billed_seconds::bigint as billed_seconds,
    invoice_lines.quantity::numeric(24, 4) as quantity,
    invoice_lines.unit::text as unit,
    invoice_lines.unrounded_amount::numeric(28, 14) as unrounded_amount,
    invoice_lines.line_amount::numeric(28, 14) as line_amount,
    invoice_lines.currency_code::text as currency_code,
    invoice_lines.original_invoice_id::bigint as original_invoice_id,
    invoice_lines.original_line_no::integer as original_line_no
from invoice_lines
