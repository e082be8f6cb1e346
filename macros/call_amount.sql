{#- Connection fee + billed seconds x price per minute / 60, exact: multiplied before divided. -#}
{% macro call_amount(connection_fee, billed_seconds, price_per_minute) -%}
    {{ connection_fee }} + {{ billed_seconds }} * {{ price_per_minute }} / 60
{%- endmacro %}
