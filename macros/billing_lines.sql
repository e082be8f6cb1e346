{#- The lines of several stages of billing, one shape (docs/data-model.md). -#}
{% macro lines_of_stages(stages) -%}
    {%- for stage in stages %}
    {%- if not loop.first %}
    union all
    {%- endif %}
    select
        stage.account_id,
        stage.period_month,
        stage.line_kind,
        stage.charge_class,
        stage.product_code,
        stage.description,
        stage.plan_id,
        stage.currency_code,
        stage.record_count,
        stage.quantity,
        stage.unit,
        stage.unrounded_amount,
        stage.line_amount,
        stage.detail
    from {{ ref(stage) }} as stage
    {%- endfor %}
{%- endmacro %}

{#- Reference rows as known when the invoice run was opened. -#}
{% macro known_to_invoice_run(alias) -%}
    {{ alias }}.recorded_from <= '{{ current_invoice_run()['cutoff'] }}'::timestamptz
    and {{ alias }}.recorded_to > '{{ current_invoice_run()['cutoff'] }}'::timestamptz
{%- endmacro %}

{#- In force when a billing period ends: what an invoice is made by. -#}
{% macro in_force_at_end(alias, period_end_at) -%}
    {{ alias }}.valid_from < {{ period_end_at }}
    and {{ alias }}.valid_to >= {{ period_end_at }}
{%- endmacro %}

{#- A word of a list with a space between the words; an empty list has every word. -#}
{% macro is_listed(word, list) -%}
    ({{ list }} = '' or {{ word }} = any(string_to_array({{ list }}, ' ')))
{%- endmacro %}

{#- A jurisdiction (US/NY) is around another one, or the same. -#}
{% macro is_within(inner_path, outer_path) -%}
    ({{ inner_path }} = {{ outer_path }} or starts_with({{ inner_path }}, {{ outer_path }} || '/'))
{%- endmacro %}

{#- What holds an invoice stands in the detail of a line as `problem`, in words. -#}
{% macro no_exchange_rate(from_currency, to_currency, rate_source) -%}
    'no exchange rate from ' || {{ from_currency }} || ' to ' || {{ to_currency }} || ' of source '
    || {{ rate_source }}
{%- endmacro %}
