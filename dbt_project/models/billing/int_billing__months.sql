-- Grain: one row per account and billing period that the current invoice run has to know: the one
-- it invoices (is_invoiced), and earlier ones that count on it.
{{ config(materialized='work_table') }}

with accounts as (
    select * from {{ ref('int_billing__accounts') }}
)

select
    accounts.account_id,
    '{{ current_invoice_run()['period_month'] }}'::date as period_month,
    accounts.period_start_at,
    accounts.period_end_at,
    true as is_invoiced
from accounts
