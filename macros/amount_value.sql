{#- Signed amount from text: decimal mark of the source, brackets, CR or - behind, - in front,
    currency signs and spaces. Null when it is not a number. -#}
{% macro amount_value(raw, decimal_mark) -%}
    (
        select
            case
                when part.digits ~ '^[0-9]{1,15}([.][0-9]{1,10})?$'
                    then part.digits::numeric * part.sign
            end
        from (
            select
                case
                    when trimmed.value ~ '^[(].*[)]$' or trimmed.value ~* '(cr|-)$'
                        or trimmed.value ~ '^-' then -1
                    else 1
                end as sign,
                case {{ decimal_mark }}
                    when ',' then replace(replace(trimmed.bare, '.', ''), ',', '.')
                    else replace(trimmed.bare, ',', '')
                end as digits
            from (
                select
                    btrim({{ raw }}) as value,
                    regexp_replace(
                        btrim({{ raw }}),
                        '^[(]|[)]$|^[+-]|-$|[Cc][Rr]$|[$£€[:space:]]|^[A-Z]{3} ', '', 'g'
                    ) as bare
            ) as trimmed
        ) as part
    )
{%- endmacro %}
