{% macro emi_number(length_digits, digits, overflow) -%}
    {#- A number from its length, ten digits and the overflow digits behind them. More than ten digits
        are an international number; fewer stand at the right of the field. -#}
    case
        when {{ digits }} !~ '^[0-9]{10}$' then nullif(btrim({{ digits }}), '')
        when {{ length_digits }} in ('11', '12', '13') and {{ overflow }} ~ '^[0-9]{3}$'
            then '+' || {{ digits }} || right({{ overflow }}, {{ length_digits }}::integer - 10)
        when {{ length_digits }} ~ '^0[1-9]$' then right({{ digits }}, {{ length_digits }}::integer)
        else nullif({{ digits }}, '0000000000')
    end
{%- endmacro %}
