{#- How a file of an undeclared source writes days and amounts, where the file itself proves it: a day
    above twelve says which of two numbers is the day, and no thousands are grouped by one, two or
    four digits. What is not proved, or proved both ways, stays as the layout says. -#}
{% macro form_layouts() -%}
    {#- Layouts written in more than one way, and the columns that show it. -#}
    {{ return([
        {'code': 'asterisk_cdr', 'days': ['start_time'], 'amounts': []},
        {
            'code': 'mapped_usage',
            'days': ['start_time', 'start_date'],
            'amounts': ['carrier_amount'],
        },
        {
            'code': 'carrier_charge',
            'days': ['period_from', 'period_to', 'event_date'],
            'amounts': ['net_amount', 'unit_price'],
        },
    ]) }}
{%- endmacro %}

{% macro unassigned_form_lines() -%}
    {#- Days and amounts of the first records of those files, one value a row. -#}
    {%- for layout in form_layouts() %}
    select
        landed.file_id,
        shown.day_raw,
        shown.amount_raw
    from {{ source('landing', layout['code']) }} as landed
    cross join lateral (
        values
        {%- for column in layout['days'] %}
        (landed.{{ column }}, null){{ ',' if not loop.last or layout['amounts'] }}
        {%- endfor %}
        {%- for column in layout['amounts'] %}
        (null, landed.{{ column }}){{ ',' if not loop.last }}
        {%- endfor %}
    ) as shown (day_raw, amount_raw)
    where
        landed.file_id
        = any('{ {{- unassigned_clock_files(layout['code']) | join(',') -}} }'::bigint [])
        and landed.line_no <= 10000
    {%- if not loop.last %}
    union all
    {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{% macro observed_date_order(day) -%}
    {#- An aggregate over the days of a file. -#}
    {%- set day_first = "bool_or(" ~ day ~ " ~ '^\\s*(1[3-9]|2[0-9]|3[01])[/.-](0?[1-9]|1[0-2])[/.-]([0-9]{4}|[0-9]{2}($|[ T]))')" -%}
    {%- set month_first = "bool_or(" ~ day ~ " ~ '^\\s*(0?[1-9]|1[0-2])[/.-](1[3-9]|2[0-9]|3[01])[/.-]([0-9]{4}|[0-9]{2}($|[ T]))')" -%}
    case
        when {{ day_first }} and {{ month_first }} then null
        when {{ day_first }} then 'dmy'
        when {{ month_first }} then 'mdy'
    end
{%- endmacro %}

{% macro observed_decimal_mark(amount) -%}
    {#- An aggregate over the amounts of a file. -#}
    {%- set comma = "bool_or(" ~ amount ~ " ~ ',([0-9]{1,2}|[0-9]{4,})[^0-9]*$|[.][0-9]{3},')" -%}
    {%- set point = "bool_or(" ~ amount ~ " ~ '[.]([0-9]{1,2}|[0-9]{4,})[^0-9]*$|,[0-9]{3}[.]')" -%}
    case
        when {{ comma }} and {{ point }} then null
        when {{ comma }} then ','
        when {{ point }} then '.'
    end
{%- endmacro %}
