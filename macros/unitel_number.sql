{#- Number of a Unitel line without the marks REV (reverse charge) and I behind it. -#}
{% macro unitel_number(raw) -%}
    nullif(regexp_replace(btrim({{ raw }}), '^([+0-9 ]+?) *(REV|I)$', '\1', 'i'), '')
{%- endmacro %}

{% macro last_nine_digits(raw) -%}
    {#- An Australian number without prefixes, to compare two forms of it; null without digits. -#}
    nullif(right(regexp_replace({{ raw }}, '[^0-9]', '', 'g'), 9), '')
{%- endmacro %}
