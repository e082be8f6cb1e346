{#- Signed amount from text: decimal mark of the source, brackets, CR or - behind, - in front,
    currency signs and spaces. Null when it is not a number. Without a sub-select, which would
    forbid parallel plans. -#}
{% macro amount_value(raw, decimal_mark) -%}
    {%- set bare -%}
        regexp_replace(
            btrim({{ raw }}),
            '^[(]|[)]$|^[+-]|-$|[Cc][Rr]$|[$£€[:space:]]|^[A-Z]{3} ', '', 'g'
        )
    {%- endset -%}
    {%- set digits -%}
        case {{ decimal_mark }}
            when ',' then replace(replace({{ bare }}, '.', ''), ',', '.')
            else replace({{ bare }}, ',', '')
        end
    {%- endset -%}
    case
        when {{ digits }} ~ '^[0-9]{1,15}([.][0-9]{1,10})?$'
            then
                ({{ digits }})::numeric
                * case
                    when
                        btrim({{ raw }}) ~ '^[(].*[)]$'
                        or btrim({{ raw }}) ~* '(cr|-)$'
                        or btrim({{ raw }}) ~ '^-'
                        then -1
                    else 1
                end
    end
{%- endmacro %}
