{#- Whole seconds to bill: the duration rounded to seconds, then minimum and increment.
    seconds: SQL expression, seconds with fraction; rounding: up, half_up, down, half_down;
    base: after_minimum or whole_duration. -#}
{% macro whole_seconds(seconds, rounding) -%}
    (case {{ rounding }}
        when 'up' then ceil({{ seconds }})
        when 'half_up' then round({{ seconds }})
        when 'down' then floor({{ seconds }})
        when 'half_down' then ceil({{ seconds }} - 0.5)
    end)::bigint
{%- endmacro %}

{#- Seconds that minimum and increments count from: included ones off, additional ones on. -#}
{% macro charged_seconds(whole_seconds, terms) -%}
    ({{ whole_seconds }} + {{ terms }}.additional_seconds - {{ terms }}.included_seconds)
{%- endmacro %}

{% macro billed_seconds(whole_seconds, minimum, increment, base) -%}
    case
        when {{ whole_seconds }} <= {{ minimum }} then {{ minimum }}::bigint
        when {{ base }} = 'whole_duration' then
            {{ increment }} * (({{ whole_seconds }} + {{ increment }} - 1) / {{ increment }})
        else
            {{ minimum }} + {{ increment }} * (
                ({{ whole_seconds }} - {{ minimum }} + {{ increment }} - 1) / {{ increment }}
            )
    end
{%- endmacro %}
