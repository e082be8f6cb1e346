{#- Days and currencies of charges as they stand in files. Null where there is none to read. -#}
{% macro first_day(raw, date_order) -%}
    {#- A day; of a month by its name, the first. -#}
    coalesce(
        {{ month_start(raw) }},
        ({{ local_timestamp(iso_timestamp(raw, date_order)) }})::date
    )
{%- endmacro %}

{% macro last_day(raw, date_order) -%}
    {#- A day; of a month by its name, the last. -#}
    coalesce(
        {{ last_day_of_month(raw) }},
        ({{ local_timestamp(iso_timestamp(raw, date_order)) }})::date
    )
{%- endmacro %}

{% macro last_day_of_month(raw) -%}
    ({{ month_start(raw) }} + interval '1 month - 1 day')::date
{%- endmacro %}

{% macro currency_code(raw, source_currency) -%}
    {#- A code or a sign; the dollar sign is that of many: the source's own currency. -#}
    case btrim({{ raw }})
        when '£' then 'GBP'
        when '€' then 'EUR'
        when '$' then {{ source_currency }}
        else coalesce(nullif(upper(btrim({{ raw }})), ''), {{ source_currency }})
    end
{%- endmacro %}

{% macro charge_kind(charge_type) -%}
    {#- recurring_advance, recurring_arrears, one_off, credit, discount, tax, usage_summary or
        recurring (anything else), from the canonical words and those of suppliers. -#}
    {%- set word = "regexp_replace(lower(btrim(" ~ charge_type ~ ")), '[^a-z]+', '_', 'g')" -%}
    case
        when {{ word }} in ('recurring_advance', 'advance', 'in_advance') then 'recurring_advance'
        when {{ word }} in ('recurring_arrears', 'arrears', 'in_arrears') then 'recurring_arrears'
        when
            {{ word }} in (
                'one_off', 'oneoff', 'one_time', 'onetime', 'once', 'non_recurring', 'nrc',
                'setup', 'set_up', 'activation', 'installation', 'connection'
            )
            then 'one_off'
        when {{ word }} in ('credit', 'credit_note', 'refund', 'cr') then 'credit'
        when {{ word }} = 'discount' then 'discount'
        when {{ word }} = 'tax' then 'tax'
        when {{ word }} in ('usage_summary', 'usage') then 'usage_summary'
        else 'recurring'
    end
{%- endmacro %}

{% macro day_clock(raw, date_order) -%}
    {#- Local time of a day written with a clock; null without one. -#}
    case
        when {{ raw }} like '%:%' then {{ local_timestamp(iso_timestamp(raw, date_order)) }}
    end
{%- endmacro %}
