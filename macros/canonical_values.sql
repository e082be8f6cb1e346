{#- Values of the canonical records that rating has no use for. -#}
{% macro instant_of(local_time, written_offset, time_zone) -%}
    {#- A local time as an instant; null before 1990: zeros are how switches write "never". -#}
    case
        when {{ local_time }} < '1990-01-01' then null
        when {{ written_offset }} is null then {{ local_time }} at time zone {{ time_zone }}
        else ({{ local_time }} - {{ written_offset }}) at time zone 'UTC'
    end
{%- endmacro %}

{% macro canonical_class(number_class, usage_type) -%}
    {#- e164, extension, short, anonymous, uri or invalid; null where there is nothing. -#}
    case {{ number_class }}
        when 'e164' then 'e164'
        when 'extension' then
            case when {{ usage_type }} in ('sms', 'mms') then 'short' else 'extension' end
        when 'n11' then 'short'
        when 'emergency' then 'short'
        when 'service_code' then 'short'
        when 'anonymous' then 'anonymous'
        when 'name' then 'uri'
        when 'missing' then null
        else 'invalid'
    end
{%- endmacro %}
