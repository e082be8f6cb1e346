{#- Times as they stand in files, in two steps so that each is worked out once per record:
    iso_timestamp (the text in ISO order, whatever it was), then local_timestamp (the value, if it is
    one). written_offset gives the offset written behind it, if any. docs/rules.md section 3.
    No sub-selects here: an expression with one cannot run in a parallel worker. -#}
{% macro iso_timestamp(raw, date_order) -%}
    {%- set value = "btrim(" ~ raw ~ ", E' \\t\\r\\n')" -%}
    case
        when {{ raw }} like '____-__-__ __:__:__' then {{ raw }}
        when {{ raw }} is null then null
        -- epoch seconds, milliseconds, microseconds: UTC
        when {{ value }} ~ '^[0-9]{10}([.][0-9]+)?$'
            then (to_timestamp({{ value }}::numeric) at time zone 'UTC')::text
        when {{ value }} ~ '^[0-9]{13}$'
            then (to_timestamp({{ value }}::numeric / 1000) at time zone 'UTC')::text
        when {{ value }} ~ '^[0-9]{16}$'
            then (to_timestamp({{ value }}::numeric / 1000000) at time zone 'UTC')::text
        -- 20240131235959 and 20240131 23:59:59
        when {{ value }} ~ '^[0-9]{14}$'
            then regexp_replace(
                {{ value }}, '^(....)(..)(..)(..)(..)(..)$', '\1-\2-\3 \4:\5:\6'
            )
        when {{ value }} ~ '^[0-9]{8}([ T][0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?)?$'
            then regexp_replace({{ value }}, '^(....)(..)(..)[ T]?(.*)$', '\1-\2-\3 \4')
        -- year first
        when {{ value }} ~ {{ _date_pattern('[0-9]{4}[/.-][0-9]{1,2}[/.-][0-9]{1,2}') }}
            then regexp_replace(
                {{ _without_offset(value) }},
                '^([0-9]{4})[/.-]([0-9]{1,2})[/.-]([0-9]{1,2})(.*)$', '\1-\2-\3\4'
            )
        -- day or month first, as the source says
        when
            {{ date_order }} <> 'ymd'
            and {{ value }}
            ~ {{ _date_pattern('[0-9]{1,2}[/.-][0-9]{1,2}[/.-]([0-9]{4}|[0-9]{2})') }}
            then regexp_replace(
                regexp_replace(
                    {{ _without_offset(value) }},
                    '^([0-9]{1,2}[/.-][0-9]{1,2}[/.-])([0-9]{2})( |T|$)', '\120\2\3'
                ),
                '^([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})(.*)$',
                case {{ date_order }} when 'dmy' then '\3-\2-\1\4' else '\3-\1-\2\4' end
            )
    end
{%- endmacro %}

{% macro local_timestamp(iso) -%}
    case when pg_input_is_valid({{ iso }}, 'timestamp') then {{ iso }}::timestamp end
{%- endmacro %}

{% macro _date_pattern(date_part) -%}
    '^{{ date_part }}([ T]+[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?( ?[AaPp][Mm])?( ?(Z|[+-][0-9]{2}(:?[0-9]{2})?))?)?$'
{%- endmacro %}

{% macro _without_offset(value) -%}
    regexp_replace({{ value }}, '(:[0-9]{2}([.][0-9]+)?) ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$', '\1')
{%- endmacro %}

{% macro written_offset(raw) -%}
    {#- Interval east of UTC that the value itself states (offset, Z or an epoch), else null. -#}
    case
        when {{ raw }} like '____-__-__ __:__:__' or {{ raw }} is null then null
        when btrim({{ raw }}) ~ '^([0-9]{10}([.][0-9]+)?|[0-9]{13}|[0-9]{16})$' then interval '0'
        when btrim({{ raw }}) ~ ':[0-9]{2}([.][0-9]+)? ?Z$' then interval '0'
        when btrim({{ raw }}) ~ ':[0-9]{2}([.][0-9]+)? ?[+-][0-9]{2}(:?[0-9]{2})?$'
            then (
                regexp_replace(
                    btrim({{ raw }}), '^.*([+-])([0-9]{2}):?([0-9]{2})?$', '\1\2:\3'
                ) || case when btrim({{ raw }}) ~ '[+-][0-9]{2}$' then '00' else '' end
            )::interval
    end
{%- endmacro %}

{% macro duration_seconds(raw, decimal_mark) -%}
    {#- Seconds (numeric) from 75, 75.5, 75,5 or [H]H:MM:SS[.f]; null when it is none of these. -#}
    case
        when octet_length({{ raw }}) <= 9 and {{ raw }} ~ '^[0-9]+$' then {{ raw }}::numeric
        when {{ raw }} is null then null
        when btrim({{ raw }}) ~ '^-?[0-9]{1,9}([.][0-9]+)?$' then btrim({{ raw }})::numeric
        when {{ decimal_mark }} = ',' and btrim({{ raw }}) ~ '^-?[0-9]{1,9},[0-9]+$'
            then replace(btrim({{ raw }}), ',', '.')::numeric
        when btrim({{ raw }}) ~ '^[0-9]{1,4}:[0-5][0-9]:[0-5][0-9]([.][0-9]+)?$'
            then split_part(btrim({{ raw }}), ':', 1)::numeric * 3600
            + split_part(btrim({{ raw }}), ':', 2)::numeric * 60
            + split_part(btrim({{ raw }}), ':', 3)::numeric
    end
{%- endmacro %}

{% macro time_quality(row) -%}
    {#- How sure the instant is: clock changes make a local time ambiguous or nonexistent. -#}
    case
        when {{ row }}.start_error is not null then null
        when {{ row }}.time_zone = 'UTC' and {{ row }}.start_raw like '____-__-__ __:__:__'
            then 'exact'
        when {{ row }}.start_offset is null and {{ row }}.time_zone <> 'UTC' then
            case
                -- a clock that was observed, not declared
                when left({{ row }}.time_zone, 1) = '<' then 'derived'
                when ({{ row }}.started_at at time zone {{ row }}.time_zone) <> {{ row }}.local_start
                    then 'nonexistent'
                when
                    (({{ row }}.started_at - interval '1 hour') at time zone {{ row }}.time_zone)
                    = {{ row }}.local_start
                    then 'ambiguous'
                when {{ row }}.start_raw !~ ':[0-9]{2}:[0-9]{2}' then 'minute'
                else 'exact'
            end
        when
            {{ row }}.start_raw ~ ':[0-9]{2}:[0-9]{2}' or {{ row }}.start_raw ~ '^[0-9]{10,16}([.][0-9]+)?$'
            then 'exact'
        else 'minute'
    end
{%- endmacro %}

{% macro placed_instant(local_time, written_offset, row) -%}
    {#- The instant of a local time: by the offset written behind it, else in the zone of the row. -#}
    case
        when {{ written_offset }} is null then {{ local_time }} at time zone {{ row }}.time_zone
        else ({{ local_time }} - {{ written_offset }}) at time zone 'UTC'
    end
{%- endmacro %}

{% macro has_no_duration(line) -%}
    {#- Neither duration of a call stands in the record, but its end does. -#}
    (
        {{ line }}.usage_type = 'voice'
        and coalesce({{ line }}.duration_raw, '') = ''
        and coalesce({{ line }}.billable_raw, '') = ''
        and {{ line }}.end_raw <> ''
    )
{%- endmacro %}

{% macro seconds_to_end(from_instant) -%}
    {#- Elapsed time, whatever the clocks did meanwhile. -#}
    trim_scale(extract(
        epoch from {{ placed_instant('numbered.local_end', 'numbered.end_offset', 'numbered') }}
        - {{ from_instant }}
    ))
{%- endmacro %}
