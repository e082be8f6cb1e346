{#- The one place where money is rounded. Symmetric: a credit rounds as its charge did.
    amount, decimals, mode: SQL expressions; mode is up, half_up, half_even or down. -#}
{% macro round_money(amount, decimals, mode) -%}
    case {{ mode }}
        when 'half_up' then round({{ amount }}, {{ decimals }})
        when 'up' then
            sign({{ amount }})
            * ceil(abs({{ amount }}) * power(10::numeric, {{ decimals }}))
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
