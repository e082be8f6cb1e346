{#- A price of a unit: not below the least, not above the most, brought up to a price point. -#}
{% macro limited_price(price, minimum, maximum, point) -%}
    case
        when {{ point }} is null then least(greatest({{ price }}, {{ minimum }}), {{ maximum }})
        else
            ceil(
                round(
                    least(greatest({{ price }}, {{ minimum }}), {{ maximum }}) / {{ point }}, 12
                )
            ) * {{ point }}
    end
{%- endmacro %}

{#- The price of one event of an amount, by the terms that stand on the rated charge (alias). -#}
{% macro event_price(amount, charge) -%}
    {%- set term = "(" ~ charge ~ ".event_terms ->> '{}')::numeric" -%}
    {{ limited_price(
        '(' ~ amount ~ ' * ' ~ term.format('percentage') ~ ' / 100 + '
        ~ term.format('event_fee') ~ ')',
        term.format('minimum_price'), term.format('maximum_price'), term.format('price_point')
    ) }}
{%- endmacro %}
