{#- The run a model works for is read from control, not passed as a var: a changed var would make
    dbt parse the whole project again at every run, and a literal in the SQL gives exact plans. -#}
{% macro build_schema() -%}
    {{ return('' if target.name in ('prod', 'citus') else target.schema) }}
{%- endmacro %}

{% macro is_dry() -%}
    {#- The target `dry`: models are only compiled, and run by loaders/runs/dry.py inside a
        transaction that is rolled back. What differs from run to run stands in their SQL as a mark
        that is replaced there. -#}
    {{ return(target.name == 'dry') }}
{%- endmacro %}

{% macro current_run() -%}
    {#- The running rating run of this build schema: {id, kind, cutoff, undoes, config}. A dbt process left
        over from an abandoned attempt carries an old token and stops here. -#}
    {%- if is_dry() -%}
        {{ return({
            'id': -1, 'kind': 'dry', 'cutoff': 'DRY RUN CUTOFF', 'undoes': none, 'config': {}
        }) }}
    {%- endif -%}
    {%- set none_open = {
        'id': -1, 'kind': 'initial', 'cutoff': 'infinity', 'undoes': none, 'config': {}
    } -%}
    {%- if not execute -%}
        {{ return(none_open) }}
    {%- endif -%}
    {%- set rows = run_query(
        "select rating_run_id, run_kind, reference_cutoff::text, run_token::text, undoes_run_id,"
        ~ " config::text"
        ~ " from control.rating_run where status = 'running' and build_schema = '"
        ~ build_schema() ~ "'"
    ).rows -%}
    {%- if rows | length == 0 -%}
        {{ return(none_open) }}
    {%- endif -%}
    {%- set run = rows[0] -%}
    {%- set token = env_var('RATEHOUSE_RUN_TOKEN', '') -%}
    {%- if token and token != run[3] -%}
        {{ exceptions.raise_compiler_error(
            'rating run ' ~ run[0] ~ ' was taken over by a newer attempt; this process stops'
        ) }}
    {%- endif -%}
    {{ return({
        'id': run[0], 'kind': run[1], 'cutoff': run[2], 'undoes': run[4],
        'config': fromjson(run[5])
    }) }}
{%- endmacro %}

{% macro current_invoice_run() -%}
    {#- The invoice run being drafted: {id, period_month, bill_group, cutoff}. -#}
    {%- if is_dry() -%}
        {{ return({
            'id': -1, 'period_month': 'DRY RUN PERIOD', 'bill_group': 'DRY RUN BILL GROUP',
            'cutoff': 'DRY RUN CUTOFF'
        }) }}
    {%- endif -%}
    {%- set none_open = {'id': -1, 'period_month': '1900-01-01', 'bill_group': '', 'cutoff': 'infinity'} -%}
    {%- if not execute -%}
        {{ return(none_open) }}
    {%- endif -%}
    {%- set rows = run_query(
        "select invoice_run_id, period_month::text, bill_group, run_token::text,"
        ~ " reference_cutoff::text"
        ~ " from control.invoice_run where is_building and build_schema = '"
        ~ build_schema() ~ "'"
    ).rows -%}
    {%- if rows | length == 0 -%}
        {{ return(none_open) }}
    {%- endif -%}
    {%- set run = rows[0] -%}
    {%- set token = env_var('RATEHOUSE_INVOICE_RUN_TOKEN', '') -%}
    {%- if token and token != run[3] -%}
        {{ exceptions.raise_compiler_error(
            'invoice run ' ~ run[0] ~ ' was taken over by a newer attempt; this process stops'
        ) }}
    {%- endif -%}
    {{ return({
        'id': run[0], 'period_month': run[1], 'bill_group': run[2], 'cutoff': run[4]
    }) }}
{%- endmacro %}

{% macro run_id(key='rating_run_id') -%}
    {%- if key == 'rating_run_id' -%}
        {{ return(current_run()['id']) }}
    {%- elif key == 'invoice_run_id' -%}
        {{ return(current_invoice_run()['id']) }}
    {%- else -%}
        {{ exceptions.raise_compiler_error(
            "run_id: key must be rating_run_id or invoice_run_id, not '" ~ key ~ "'"
        ) }}
    {%- endif -%}
{%- endmacro %}

{% macro reference_cutoff() -%}
    {#- What we knew when the run was opened, as a timestamptz literal. -#}
    {{ return("'" ~ current_run()['cutoff'] ~ "'::timestamptz") }}
{%- endmacro %}

{% macro work_files(run) -%}
    {%- if is_dry() -%}{{ return(['DRY RUN FILES']) }}{%- endif -%}
    {%- set rows = run_query(
        'select file_id from control.rating_run_file where rating_run_id = ' ~ run['id']
        ~ ' order by file_id'
    ).rows if execute else [] -%}
    {{ return(rows | map(attribute=0) | list) }}
{%- endmacro %}

{% macro work_set_predicate(alias) -%}
    {#- True for the landed lines of the current run's work set. Literal file ids reach the BRIN
        index of the landing table through the union of the layouts. -#}
    {%- set run = current_run() -%}
    {%- set files = work_files(run) -%}
    {{ alias }}.file_id = any('{ {{- files | join(',') -}} }'::bigint [])
    {%- if run['kind'] == 'dry' %}
    and (
        not exists (
            select 1
            from control.rating_run_record as any_record
            where any_record.rating_run_id = {{ run['id'] }}
        )
        or exists (
            select 1
            from control.rating_run_record as work_record
            where
                work_record.rating_run_id = {{ run['id'] }}
                and work_record.file_id = {{ alias }}.file_id
                and work_record.line_no = {{ alias }}.line_no
        )
    )
    {%- elif run['kind'] != 'initial' %}
    and exists (
        select 1
        from control.rating_run_record as work_record
        where
            work_record.rating_run_id = {{ run['id'] }}
            and work_record.file_id = {{ alias }}.file_id
            and work_record.line_no = {{ alias }}.line_no
    )
    {%- endif -%}
{%- endmacro %}

{% macro known_at_cutoff(alias) -%}
    {#- Bitemporal rows as known at the run's cut-off. -#}
    {{ alias }}.recorded_from <= {{ reference_cutoff() }}
    and {{ alias }}.recorded_to > {{ reference_cutoff() }}
{%- endmacro %}
