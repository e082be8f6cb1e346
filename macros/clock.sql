{#- The clock of a switch that nobody described. Asterisk writes local time without saying which;
    the channel's unique id begins with the same instant as seconds since 1970 in UTC. -#}
{% macro clock_layouts() -%}
    {#- Layouts with both, and the column of the local start; the id stands in uniqueid. -#}
    {%- set starts = {'asterisk_cdr': 'start_time', 'pbxware': 'calldate'} -%}
    {%- set known = [] -%}
    {%- for layout in usage_layouts() if layout in starts -%}
        {%- do known.append({'code': layout, 'start': starts[layout]}) -%}
    {%- endfor -%}
    {{ return(known) }}
{%- endmacro %}

{% macro observed_quarters(date_order) -%}
    {#- Quarters of an hour that `clock_lines.start_raw`, read as UTC, is ahead of the epoch in
        `clock_lines.uniqueid`; null where one of both cannot be read. -#}
    round(
        (
            extract(
                epoch from {{ local_timestamp(iso_timestamp('clock_lines.start_raw', date_order)) }}
            )
            - substring(clock_lines.uniqueid from '([0-9]{10})[.][0-9]+$')::numeric
        ) / 900
    )::integer
{%- endmacro %}

{% macro unassigned_clock_files(layout_code) -%}
    {#- Files of the current run that need their clock observed: of this layout, from a source
        nobody declared. Literal ids, so that a run without such files reads nothing. -#}
    {%- set run = current_run() -%}
    {%- if is_dry() -%}{{ return(work_files(run)) }}{%- endif -%}
    {%- set rows = run_query(
        'select w.file_id from control.rating_run_file as w'
        ~ ' inner join control.file as f on w.file_id = f.file_id'
        ~ ' where w.rating_run_id = ' ~ run['id'] ~ " and f.layout_code = '" ~ layout_code ~ "'"
        ~ " and starts_with(f.source_code, 'unassigned_') order by 1"
    ).rows if execute else [] -%}
    {{ return(rows | map(attribute=0) | list) }}
{%- endmacro %}

{% macro unassigned_clock_lines() -%}
    {#- The first records of those files: enough to see a clock. -#}
    {%- for layout in clock_layouts() %}
    select
        landed.file_id,
        landed.{{ layout['start'] }} as start_raw,
        landed.uniqueid
    from {{ source('landing', layout['code']) }} as landed
    where
        landed.file_id
        = any('{ {{- unassigned_clock_files(layout['code']) | join(',') -}} }'::bigint [])
        and landed.line_no <= 10000
    {%- if not loop.last %}
    union all
    {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{% macro zone_of_quarters(quarters) -%}
    {#- A time zone of a fixed offset, in the notation PostgreSQL takes: its name in angle brackets,
        then the offset with the sign turned round. -#}
    concat(
        '<', case when {{ quarters }} < 0 then '-' else '+' end,
        to_char(abs({{ quarters }}) / 4, 'FM00'), to_char(abs({{ quarters }}) % 4 * 15, 'FM00'), '>',
        case when {{ quarters }} < 0 then '+' else '-' end,
        to_char(abs({{ quarters }}) / 4, 'FM00'), ':', to_char(abs({{ quarters }}) % 4 * 15, 'FM00')
    )
{%- endmacro %}

{% macro zone_name(zone) -%}
    {#- As people write it: a fixed offset without its PostgreSQL notation. -#}
    case
        when {{ zone }} like '<%' then substr({{ zone }}, 2, 3) || ':' || substr({{ zone }}, 5, 2)
        else {{ zone }}
    end
{%- endmacro %}
