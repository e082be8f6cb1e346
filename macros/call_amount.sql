{#- Connection fee + billed seconds x price per minute / 60, unrounded.
    Multiplied before divided. Fourteen decimals lose nothing that rounding could see: with prices of
    ten decimals every amount is a multiple of 1 / (60 x 10^10), so one that is not exactly half way
    between two roundings is at least 1.6e-12 away from it. -#}
{% macro call_amount(connection_fee, billed_seconds, price_per_minute) -%}
    ({{ connection_fee }} + {{ billed_seconds }} * {{ price_per_minute }} / 60)::numeric(28, 14)
{%- endmacro %}
