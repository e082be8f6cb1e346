{{ config(
    tags=['billing', 'money'],
    meta={'dagster': {'ref': {'name': 'draft_invoice'}}}
) }}
-- Returns invoices of the current billing run whose total is not, to the cent, the sum of their
-- lines.
with line_sums as (
    select
        invoice_line.account_id,
        invoice_line.currency_code,
        sum(invoice_line.line_amount) as line_sum
    from {{ ref('draft_invoice_line') }} as invoice_line
    where invoice_line.invoice_run_id = {{ run_id('invoice_run_id') }}
    group by invoice_line.account_id, invoice_line.currency_code
),

invoices as (
    select *
    from {{ ref('draft_invoice') }}
    where invoice_run_id = {{ run_id('invoice_run_id') }}
)

select
    line_sums.account_id,
    line_sums.line_sum,
    invoices.invoice_total
from line_sums
full join invoices
    on
        line_sums.account_id = invoices.account_id
        and line_sums.currency_code = invoices.currency_code
where not coalesce(line_sums.line_sum = invoices.invoice_total, false)
