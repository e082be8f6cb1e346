{#- What the three FreeSWITCH layouts have in common. -#}
{% macro freeswitch_disposition(is_answered, cause) -%}
    {#- The answer decides, not the cause: NORMAL_CLEARING stands on calls nobody answered, too. -#}
    case
        when {{ is_answered }} then 'answered'
        when {{ cause }} = 'USER_BUSY' then 'busy'
        when {{ cause }} in ('ORIGINATOR_CANCEL', 'LOSE_RACE', 'PICKED_OFF', 'MANAGER_REQUEST')
            then 'canceled'
        when {{ cause }} in ('NORMAL_CIRCUIT_CONGESTION', 'SWITCH_CONGESTION') then 'congestion'
        when
            {{ cause }} is null
            or {{ cause }} in (
                'NO_ANSWER', 'NO_USER_RESPONSE', 'NORMAL_CLEARING', 'ALLOTTED_TIMEOUT', 'NONE',
                'BLIND_TRANSFER', 'ATTENDED_TRANSFER'
            )
            then 'no_answer'
        else 'failed'
    end
{%- endmacro %}

{% macro freeswitch_direction(context, calling, called) -%}
    {#- By the dialplan context (calls from outside arrive in public), then by the numbers. -#}
    case
        when lower({{ context }}) = 'public' then 'inbound'
        when {{ calling }} ~ '^[0-9]{1,6}$' and {{ called }} ~ '^[0-9]{1,6}$' then 'internal'
        when {{ calling }} ~ '^[0-9]{1,6}$' and {{ called }} ~ '^[+]?[0-9]{7,}$' then 'outbound'
    end
{%- endmacro %}

{% macro percent_decoded(value) -%}
    {#- Escapes of ASCII characters decoded once, by way of JSON's own; a value without escapes is
        left alone. -#}
    case
        when {{ value }} ~ '%[2-7][0-9A-Fa-f]'
            then
                regexp_replace(
                    to_json({{ value }})::text, '%([2-7][0-9A-Fa-f])', '\\u00\1', 'g'
                )::json #>> '{}'
        else {{ value }}
    end
{%- endmacro %}

{% macro json_text(document, path) -%}
    {#- The text at a path of a jsonb; of several values the first; empty is null. -#}
    nullif(btrim(jsonb_path_query_first({{ document }}, '{{ path }}[0]') #>> '{}'), '')
{%- endmacro %}
