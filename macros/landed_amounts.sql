{#- Amounts and measures that a layout must work out before the common reading. All give text. -#}
{% macro sum_of_amounts(columns) -%}
    {#- Sum of amounts that stand in several columns. All empty: null, no amount at all. One that is
        no number: the texts side by side, so that the reader of amounts names the fault. -#}
    case
        when concat({% for column in columns %}btrim({{ column }}){{ ', ' if not loop.last }}{% endfor %}) = '' then null
        when
            {% for column in columns -%}
            coalesce(nullif(btrim({{ column }}), ''), '0') ~ '^-?[0-9]{1,12}([.][0-9]{1,10})?$'
            {{ 'and ' if not loop.last }}
            {%- endfor %}
            then (
                {% for column in columns -%}
                coalesce(nullif(btrim({{ column }}), ''), '0')::numeric{{ ' + ' if not loop.last }}
                {%- endfor %}
            )::text
        else concat_ws(' and ', {{ columns | join(', ') }})
    end
{%- endmacro %}

{% macro scaled_number(raw, factor) -%}
    {#- A decimal number in another unit (minutes: 60, pence: 0.01); what is none stays as it is. -#}
    case
        when btrim({{ raw }}) ~ '^-?([0-9]{1,12}([.][0-9]{0,10})?|[.][0-9]{1,10})$'
            then trim_scale(btrim({{ raw }})::numeric * {{ factor }})::text
        else {{ raw }}
    end
{%- endmacro %}
