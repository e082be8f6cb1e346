{#- Forms in which single systems write times and durations, brought to the forms of
    docs/rules.md. All take and give text; what does not fit is handed on as it is. -#}
{% macro digits_time(raw) -%}
    {#- 20240131235959.123 as 2024-01-31 23:59:59.123 -#}
    case
        when {{ raw }} ~ '^[0-9]{14}([.][0-9]{1,6})?$'
            then regexp_replace(
                {{ raw }}, '^(....)(..)(..)(..)(..)(..)', '\1-\2-\3 \4:\5:\6'
            )
        else nullif({{ raw }}, '')
    end
{%- endmacro %}

{% macro go_time(raw) -%}
    {#- 2024-01-31 23:59:59 +0000 UTC without the zone's name; year 1 stands for never. -#}
    case
        when {{ raw }} like '0001-01-01%' then null
        else regexp_replace(nullif({{ raw }}, ''), '([+-][0-9]{4}) [A-Z]{1,5}$', '\1')
    end
{%- endmacro %}

{% macro go_duration(raw) -%}
    {#- Seconds from 10s, 1m30s, 500ms; a bare number is nanoseconds, unless it is so small that it
        can only be seconds (a million nanoseconds are a millisecond). -#}
    case
        when {{ raw }} ~ '^-?[0-9]{1,18}$' and abs({{ raw }}::numeric) >= 1000000
            then ({{ raw }}::numeric / 1000000000)::numeric(20, 3)::text
        when {{ raw }} ~ '^([0-9]+([.][0-9]+)?(h|m|s|ms|us|µs|ns))+$'
            then (
                coalesce(substring({{ raw }}, '([0-9.]+)h')::numeric, 0) * 3600
                + coalesce(substring({{ raw }}, '([0-9.]+)m(?!s)')::numeric, 0) * 60
                + coalesce(substring({{ raw }}, '([0-9.]+)s')::numeric, 0)
                + coalesce(substring({{ raw }}, '([0-9.]+)ms')::numeric, 0) / 1000
                + coalesce(substring({{ raw }}, '([0-9.]+)[uµ]s')::numeric, 0) / 1000000
                + coalesce(substring({{ raw }}, '([0-9.]+)ns')::numeric, 0) / 1000000000
            )::numeric(20, 3)::text
        else nullif({{ raw }}, '')
    end
{%- endmacro %}

{% macro clock_number(raw) -%}
    {#- Epoch seconds, or a local time written year first taken as if it were UTC: good for
        differences between two values of the same writer. A number, null where it is neither. -#}
    case
        when {{ raw }} ~ '^[0-9]{10}([.][0-9]+)?$' then {{ raw }}::numeric
        when
            {{ raw }} ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:'
            and pg_input_is_valid({{ raw }}, 'timestamp')
            then extract(epoch from {{ raw }}::timestamp)
    end
{%- endmacro %}
