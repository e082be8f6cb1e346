-- Grain: one row per line of the invoices, before surcharges, taxes and rounding.
{{ config(materialized='work_table') }}

{% set stages = [
    'int_billing__converted_lines',
    'int_billing__discount_lines',
    'int_billing__commitment_lines',
    'int_billing__cap_lines',
] %}

with stage_lines as (
    {{ lines_of_stages(stages) }}
)

select stage_lines.*
from stage_lines
where stage_lines.period_month = '{{ current_invoice_run()['period_month'] }}'
