-- Grain: one row per line of an invoice in own_invoice: rows of fct_invoice_line.
{{ config(tags=['billing']) }}

with invoice_lines as (
    select * from {{ ref('fct_invoice_line') }}
),

invoices as (
    select * from {{ ref('fct_invoice') }}
    where hold_reason is null
)

select
    invoice_lines.invoice_run_id,
    invoice_lines.account_id,
    invoice_lines.period_month,
    invoice_lines.line_no,
    invoice_lines.line_kind,
    invoice_lines.charge_class,
    invoice_lines.description,
    invoice_lines.record_count,
    invoice_lines.billed_seconds,
    invoice_lines.quantity,
    invoice_lines.unit,
    invoice_lines.line_amount,
    invoice_lines.currency_code
from invoice_lines
inner join invoices
    on
        invoice_lines.invoice_run_id = invoices.invoice_run_id
        and invoice_lines.account_id = invoices.account_id
        and invoice_lines.currency_code = invoices.currency_code
where {{ own_rows('invoice_lines') }}
