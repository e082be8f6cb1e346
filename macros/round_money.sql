{#- The one place where money is rounded. Symmetric: a credit rounds as its charge did.
    amount, decimals, mode: SQL expressions; mode is up, half_up, half_even, half_down or
    down. -#}
{% macro round_money(amount, decimals, mode) -%}
    case {{ mode }}
        when 'half_up' then round({{ amount }}, {{ decimals }})
        when 'up' then
            sign({{ amount }})
            * ceil(abs({{ amount }}) * power(10::numeric, {{ decimals }}))
            / power(10::numeric, {{ decimals }})
        when 'half_down' then
            sign({{ amount }})
            * ceil(abs({{ amount }}) * power(10::numeric, {{ decimals }}) - 0.5)
            / power(10::numeric, {{ decimals }})
        when 'down' then trunc({{ amount }}, {{ decimals }})
        when 'half_even' then
            case
                when
                    abs({{ amount }}) * power(10::numeric, {{ decimals }}) % 1 = 0.5
                    and trunc(abs({{ amount }}) * power(10::numeric, {{ decimals }})) % 2 = 0
                    then trunc({{ amount }}, {{ decimals }})
                else round({{ amount }}, {{ decimals }})
            end
    end
{%- endmacro %}

{#- Rounded to a multiple of unit (0.10: up to the next coin), or without a unit to decimals. -#}
{% macro round_to(amount, decimals, unit, mode) -%}
    case
        when {{ unit }} is null then {{ round_money(amount, decimals, mode) }}
        else ({{ round_money('(' ~ amount ~ ') / ' ~ unit, '0', mode) }}) * {{ unit }}
    end
{%- endmacro %}
