{#- Which rows of a deck are considered for a call: 0 the rows for any jurisdiction, 1 to 3 also
    those of the call's own. See int_reference__rate_rows. -#}
{% macro jurisdiction_scope(leg, deck) -%}
    case
        when not {{ deck }}.is_jurisdictional then 0
        when {{ leg }}.jurisdiction = 'intrastate' then 1
        when {{ leg }}.jurisdiction = 'interstate' then 2
        when {{ leg }}.jurisdiction = 'international' then 0
        else 3
    end
{%- endmacro %}
