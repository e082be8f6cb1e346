{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if target.name in ('prod', 'citus') -%}
        {{ custom_schema_name or target.schema }}
    {%- else -%}
        {{ target.schema }}_{{ custom_schema_name or 'default' }}
    {%- endif -%}
{%- endmacro %}
