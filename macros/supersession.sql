{#- Which rows of earlier runs the current run replaces, for a fact with file_id and line_no: those
    that count so far, of the lines it rates, and of all lines of a file that it withdraws. The fact
    is named at each use: as one expression used twice, PostgreSQL would copy its whole history. -#}
{% macro superseded_rows(fact, key) -%}
{%- set run = current_run() -%}
{%- set replaced_so_far = execute and load_relation(this) is not none -%}
with runs as (
    select * from {{ source('control', 'rating_run') }}
),

work_files as (
    select * from {{ source('control', 'rating_run_file') }}
),

{%- if replaced_so_far %}

replaced_before as (
    select
        supersession.account_id,
        supersession.{{ key }},
        supersession.superseded_run_id
    from {{ this }} as supersession
    inner join runs as later_runs on supersession.rating_run_id = later_runs.rating_run_id
    where
        later_runs.status = 'closed'
        {%- if run['undoes'] %}
        and later_runs.rating_run_id <> {{ run['undoes'] }}
        {%- endif %}
),
{%- endif %}

replaced_lines as (
    select distinct
        rated.file_id,
        rated.line_no
    from {{ ref(fact) }} as rated
    where
        rated.rating_run_id = {{ run_id() }}
        {%- if run['kind'] == 'initial' %}
        and false -- an initial run rates lines that nobody rated before
        {%- endif %}
    {%- if run['kind'] == 'withdraw' %}
    union
    select
        rated.file_id,
        rated.line_no
    from {{ ref(fact) }} as rated
    inner join work_files on rated.file_id = work_files.file_id
    where
        work_files.rating_run_id = {{ run_id() }}
        and work_files.is_withdrawal
    {%- endif %}
)

select
    rated.account_id::bigint as account_id,
    rated.{{ key }}::bigint as {{ key }},
    rated.rating_run_id::bigint as superseded_run_id,
    {{ run_id() }}::bigint as rating_run_id
from replaced_lines
inner join {{ ref(fact) }} as rated
    on
        replaced_lines.file_id = rated.file_id
        and replaced_lines.line_no = rated.line_no
inner join runs on rated.rating_run_id = runs.rating_run_id
where
    runs.status = 'closed'
    {%- if fact == 'rated_usage' %}
    and {{ days_of_replaced('rated.started_at') }}
    {%- endif %}
    -- earlier versions can only stand in runs that had these files in their work set
    and rated.rating_run_id = any(
        array(
            select earlier.rating_run_id
            from work_files as earlier
            inner join work_files as current_files on earlier.file_id = current_files.file_id
            where
                current_files.rating_run_id = {{ run_id() }}
                and earlier.rating_run_id < {{ run_id() }}
        )
    )
    {%- if replaced_so_far %}
    and not exists (
        select 1
        from replaced_before
        where
            replaced_before.account_id = rated.account_id
            and replaced_before.{{ key }} = rated.{{ key }}
            and replaced_before.superseded_run_id = rated.rating_run_id
    )
    {%- endif %}
{%- endmacro %}

{#- The rows of a fact that count: of closed runs, not replaced by a later closed run. -#}
{% macro current_rows(fact, supersession, key) -%}
with rated as (
    select * from {{ ref(fact) }}
),

runs as (
    select * from {{ source('control', 'rating_run') }}
),

supersessions as (
    select
        supersession.account_id,
        supersession.{{ key }},
        supersession.superseded_run_id
    from {{ ref(supersession) }} as supersession
    inner join {{ source('control', 'rating_run') }} as later_runs
        on supersession.rating_run_id = later_runs.rating_run_id
    where later_runs.status = 'closed'
)

select rated.*
from rated
inner join runs on rated.rating_run_id = runs.rating_run_id
where
    runs.status = 'closed'
    and not exists (
        select 1
        from supersessions
        where
            supersessions.account_id = rated.account_id
            and supersessions.{{ key }} = rated.{{ key }}
            and supersessions.superseded_run_id = rated.rating_run_id
    )
{%- endmacro %}

{#- What the current run adds to additive totals: its own rows with sign 1, the rows it replaced again
    with sign -1. The ref of the supersession stands outside the condition, or dbt would not know of
    it when it parses. -#}
{% macro signed_rows(fact, supersession, key) -%}
{%- set replaced = ref(supersession) -%}
select
    rated.*,
    1 as sign
from {{ ref(fact) }} as rated
where rated.rating_run_id = {{ run_id() }}
{%- if current_run()['kind'] != 'initial' %}
union all
select
    older.*,
    -1 as sign
from {{ ref(fact) }} as older
inner join {{ replaced }} as supersession
    on
        older.account_id = supersession.account_id
        and older.{{ key }} = supersession.{{ key }}
        and older.rating_run_id = supersession.superseded_run_id
where
    supersession.rating_run_id = {{ run_id() }}
    {%- if fact == 'rated_usage' %}
    and {{ days_of_replaced('older.started_at') }}
    {%- endif %}
{%- endif %}
{%- endmacro %}

{#- The times between which stand the rows that a re-rating replaces, as literals: they prune
    partitions at planning, so that it costs the same after years of history. Of other runs the
    earlier rows may have any time, or none. -#}
{% macro days_of_replaced(column) -%}
    {%- set config = current_run()['config'] -%}
    {%- if 'replaces_from' in config -%}
        {{ column }} >= '{{ config['replaces_from'] }}'::timestamptz
        and {{ column }} <= '{{ config['replaces_to'] }}'::timestamptz
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{#- The signed rows of the current run and of every closed one, each with the run it counts in. -#}
{% macro signed_rows_of_all_runs(fact, supersession, key) -%}
select
    rated.*,
    rated.rating_run_id as signed_run_id,
    1 as sign
from {{ ref(fact) }} as rated
inner join {{ source('control', 'rating_run') }} as runs
    on rated.rating_run_id = runs.rating_run_id
where runs.status = 'closed' or runs.rating_run_id = {{ run_id() }}
union all
select
    older.*,
    supersession.rating_run_id as signed_run_id,
    -1 as sign
from {{ ref(fact) }} as older
inner join {{ ref(supersession) }} as supersession
    on
        older.account_id = supersession.account_id
        and older.{{ key }} = supersession.{{ key }}
        and older.rating_run_id = supersession.superseded_run_id
inner join {{ source('control', 'rating_run') }} as runs
    on supersession.rating_run_id = runs.rating_run_id
where runs.status = 'closed' or runs.rating_run_id = {{ run_id() }}
{%- endmacro %}
