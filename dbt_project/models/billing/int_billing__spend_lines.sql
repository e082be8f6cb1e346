-- Grain: one row per line that commitments and caps may count: every stage before them.
{% set stages = [
    'int_billing__converted_lines',
    'int_billing__discount_lines',
] %}

with stage_lines as (
    {{ lines_of_stages(stages) }}
)

select
    stage_lines.account_id,
    stage_lines.period_month,
    stage_lines.line_kind,
    stage_lines.charge_class,
    stage_lines.currency_code,
    stage_lines.line_amount
from stage_lines
