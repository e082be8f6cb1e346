{% macro country_lead(number) -%}
    {#- The digits that say the country of an E.164 number: one and the area code in North America,
        else the first three. No country code is longer, and none is the beginning of another. -#}
    case
        when {{ number }} between 10000000000 and 19999999999
            then ({{ number }} / 10000000)::integer
        when {{ number }} >= 1000
            then left({{ number }}::text, 3)::integer
    end
{%- endmacro %}
