{#- dbt's own, with one word more: __this_run__ in a test's where limits it to the current run, so
    that testing a day costs the same after years of history. -#}
{% macro get_where_subquery(relation) -%}
    {%- set where = config.get('where', '') -%}
    {%- if where -%}
        {%- if '__this_run__' in where -%}
            {%- set where = where | replace('__this_run__', 'rating_run_id = ' ~ run_id()) -%}
        {%- endif -%}
        {%- if '__this_invoice_run__' in where -%}
            {%- set where = where
                | replace('__this_invoice_run__', 'invoice_run_id = ' ~ run_id('invoice_run_id')) -%}
        {%- endif -%}
        (select * from {{ relation }} where {{ where }}) as dbt_subquery
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
