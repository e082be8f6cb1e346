{#- Small readings of landed text that several layouts share. All give text; null stays null. -#}
{% macro landed_text(column, null_words=[], quotes=false) -%}
    {#- The value without blanks around it; nothing, or a word that stands for nothing, is null.
        quotes: writers that put a blank before a quote leave the quotes in the value. -#}
    {%- set characters = "E' \\t\\r\\n'" if not quotes else "E' \"\\t\\r\\n'" -%}
    {%- set reading = namespace(value="nullif(btrim(" ~ column ~ ", " ~ characters ~ "), '')") -%}
    {%- for word in null_words -%}
        {%- set reading.value = "nullif(" ~ reading.value ~ ", '" ~ word ~ "')" -%}
    {%- endfor -%}
    {{ reading.value }}
{%- endmacro %}

{% macro shifted_time(raw, seconds) -%}
    {#- A local time YYYY-MM-DD HH:MM:SS moved by whole seconds (an SQL expression giving text). -#}
    case
        when
            {{ raw }} ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}'
            and pg_input_is_valid({{ raw }}, 'timestamp')
            and {{ seconds }} ~ '^-?[0-9]{1,9}$'
            then ({{ raw }}::timestamp + ({{ seconds }})::integer * interval '1 second')::text
    end
{%- endmacro %}

{% macro seconds_between(from_raw, to_raw) -%}
    {#- Seconds from one local time to another of the same form (year first), as text. -#}
    case
        when
            {{ from_raw }} ~ '^[0-9]{4}[/-][0-9]{1,2}[/-][0-9]{1,2}[ T][0-9]{1,2}:[0-9]{2}'
            and {{ to_raw }} ~ '^[0-9]{4}[/-][0-9]{1,2}[/-][0-9]{1,2}[ T][0-9]{1,2}:[0-9]{2}'
            and pg_input_is_valid({{ from_raw }}, 'timestamp')
            and pg_input_is_valid({{ to_raw }}, 'timestamp')
            then trim_scale(
                extract(epoch from {{ to_raw }}::timestamp - {{ from_raw }}::timestamp)
            )::text
    end
{%- endmacro %}

{% macro whole_difference(minuend, subtrahend) -%}
    {#- Difference of two texts that are whole numbers, as text; else null. -#}
    case
        when {{ minuend }} ~ '^[0-9]{1,12}$' and {{ subtrahend }} ~ '^[0-9]{1,12}$'
            then ({{ minuend }}::bigint - {{ subtrahend }}::bigint)::text
    end
{%- endmacro %}
