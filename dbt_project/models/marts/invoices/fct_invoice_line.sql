-- Grain: one row per line of the newest draft of an invoice, posted or not.
with invoice_lines as (
    select * from {{ ref('draft_invoice_line') }}
),

invoice_runs as (
    select * from {{ source('control', 'invoice_run') }}
)

select
    invoice_lines.invoice_run_id,
    invoice_lines.account_id,
    invoice_runs.period_month::date as period_month,
    invoice_lines.line_no,
    invoice_lines.line_kind,
    invoice_lines.charge_class,
    invoice_lines.product_code,
    invoice_lines.description,
    invoice_lines.record_count,
    invoice_lines.billed_seconds,
    invoice_lines.quantity,
    invoice_lines.unit,
    invoice_lines.unrounded_amount,
    invoice_lines.line_amount,
    invoice_lines.currency_code,
    invoice_lines.source_currency_code,
    invoice_lines.source_amount,
    invoice_lines.exchange_rate,
    invoice_lines.exchange_source,
    invoice_lines.exchange_rate_from,
    invoice_lines.detail
from invoice_lines
inner join invoice_runs on invoice_lines.invoice_run_id = invoice_runs.invoice_run_id
where
    not invoice_runs.is_building
    and invoice_runs.is_current
