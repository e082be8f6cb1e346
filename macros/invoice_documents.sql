{#- What stands on a document, for who may see it; others see that there is something. -#}
{% macro document_name(rows, column) -%}
case
        when {{ sees_personal_data(rows) }} then {{ rows }}.{{ column }}
        else coalesce(left(nullif({{ rows }}.{{ column }}, ''), 1) || '***', '')
    end
{%- endmacro %}

{#- A number of the register: masked if the seller wants it so, and for who may not see it. -#}
{% macro document_number(rows, column) -%}
case
        when {{ rows }}.number_display = 'whole' and ({{ sees_personal_data(rows) }})
            then {{ rows }}.{{ column }}
        else {{ masked_number(rows ~ '.' ~ column) }}
    end
{%- endmacro %}
