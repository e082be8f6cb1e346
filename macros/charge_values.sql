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
