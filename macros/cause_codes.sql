{#- Call outcome from the two code lists of switches, in the words of macros/disposition.sql; null
    where the file gives no code. Codes are text: anything that is not of the list has failed. -#}
{% macro q850_disposition(code) -%}
    case
        when nullif(btrim({{ code }}), '') is null then null
        when btrim({{ code }}) = '16' then 'answered'
        when btrim({{ code }}) = '17' then 'busy'
        when btrim({{ code }}) in ('18', '19') then 'no_answer'
        else 'failed'
    end
{%- endmacro %}

{% macro sip_disposition(code) -%}
    case
        when nullif(btrim({{ code }}), '') is null then null
        when btrim({{ code }}) ~ '^2[0-9]{2}$' then 'answered'
        when btrim({{ code }}) in ('486', '600') then 'busy'
        when btrim({{ code }}) in ('408', '480') then 'no_answer'
        when btrim({{ code }}) = '487' then 'canceled'
        else 'failed'
    end
{%- endmacro %}
