{#- Times and months in words. English names, whatever the server's language. -#}
{% macro rfc2822_to_iso(raw) -%}
    {#- Thu, 05 Mar 2015 12:30:11 +0000 as 2015-03-05 12:30:11+0000. Other forms stay as they are but
        for a UTC or GMT behind. -#}
    case
        when
            btrim({{ raw }})
            ~* '^([a-z]{3}, *)?[0-9]{1,2} [a-z]{3} [0-9]{4} [0-9:]{5,8} ([+-][0-9]{4}|UTC?|GMT|Z)$'
            then regexp_replace(
                btrim({{ raw }}), '^(.*, *)?([0-9]{1,2}) ([A-Za-z]{3}) ([0-9]{4}) .*$', '\4-'
            )
            || lpad(
                {{ _month_number("regexp_replace(btrim(" ~ raw ~ "), '^(.*, *)?[0-9]{1,2} ', '')") }}
                ::text, 2, '0'
            )
            || regexp_replace(
                btrim({{ raw }}),
                '^(.*, *)?([0-9]{1,2}) [A-Za-z]{3} [0-9]{4} ([0-9:]{5,8}) ([+-][0-9]{4})?[A-Za-z]*$',
                '-\2 \3\4'
            )
        else nullif(regexp_replace(btrim({{ raw }}), ' ?(UTC|GMT)$', '', 'i'), '')
    end
{%- endmacro %}

{% macro month_start(raw) -%}
    {#- First day (a date) of June 2011, Jun 2011 or 6/2011; null for anything else. -#}
    case
        when
            btrim({{ raw }}) ~ '^(0?[1-9]|1[0-2])/[1-9][0-9]{3}$'
            then make_date(
                split_part(btrim({{ raw }}), '/', 2)::integer,
                split_part(btrim({{ raw }}), '/', 1)::integer,
                1
            )
        when
            btrim({{ raw }}) ~ '^[A-Za-z]{3,9} +[1-9][0-9]{3}$'
            and {{ _month_number('btrim(' ~ raw ~ ')') }} > 0
            then make_date(
                right(btrim({{ raw }}), 4)::integer, {{ _month_number('btrim(' ~ raw ~ ')') }}, 1
            )
    end
{%- endmacro %}

{% macro _month_number(value) -%}
    {#- 1 to 12 of an English month name by its first three letters; 0 for anything else. -#}
    coalesce(
        array_position(
            array[
                'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'
            ],
            lower(left({{ value }}, 3))
        ), 0
    )
{%- endmacro %}
