-- Grain: one row per line that spend limits may count: every stage before them.
{% set stages = [
    'int_billing__converted_lines',
    'int_billing__discount_lines',
] %}

{% for stage in stages %}
    {%- if not loop.first %}
union all
    {% endif -%}
select
    stage.account_id,
    stage.period_month,
    stage.line_kind,
    stage.charge_class,
    stage.currency_code,
    stage.line_amount
from {{ ref(stage) }} as stage
{%- endfor %}
