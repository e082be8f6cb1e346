{#- Number of a Unitel line without the marks REV (reverse charge) and I behind it. -#}
{% macro unitel_number(raw) -%}
    nullif(regexp_replace(btrim({{ raw }}), '^([+0-9 ]+?) *(REV|I)$', '\1', 'i'), '')
{%- endmacro %}
