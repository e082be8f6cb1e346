{#- A fact read by the models that feed it: a ref would be a cycle. Before the first run the fact
    does not exist yet; then an empty relation of the same columns stands in. -#}
{% macro fact_history(schema_name, fact) -%}
    {%- if is_dry() -%}
        {{ return('"' ~ target.schema ~ '_history"."' ~ fact ~ '"') }}
    {%- endif -%}
    {%- set relation = api.Relation.create(
        database=target.database,
        schema=generate_schema_name(schema_name, none) | trim,
        identifier=fact
    ) -%}
    {%- set present = execute and adapter.get_relation(
        relation.database, relation.schema, relation.identifier
    ) is not none -%}
    {%- if present -%}
        {{ relation }}
    {%- elif fact == 'rated_usage' -%}
        (
            select
                null::integer as source_id,
                null::bigint as record_key_hash,
                null::bigint as content_hash,
                null::bigint as file_id,
                null::bigint as line_no,
                null::smallint as leg_no,
                null::text as state,
                null::timestamptz as started_at,
                null::bigint as rating_run_id
            where false
        )
    {%- elif fact == 'allowance_balance' -%}
        (
            select
                null::bigint as invoice_run_id,
                null::bigint as account_id,
                null::date as period_month,
                null::text as holder_kind,
                null::text as holder_key,
                null::text as allowance_code,
                null::text as purchase_code,
                null::text as grant_kind,
                null::numeric as carried_units,
                null::timestamptz as usable_to,
                null::boolean as is_once,
                null::date as origin_month,
                null::date as expires_month
            where false
        )
    {%- else -%}
        (
            select
                null::integer as source_id,
                null::bigint as record_key_hash,
                null::bigint as file_id,
                null::bigint as line_no,
                null::text as state,
                null::bigint as rating_run_id
            where false
        )
    {%- endif -%}
{%- endmacro %}

{% macro withdrawn_files() -%}
    {#- Files whose withdrawal is in force: what stands in them is the original of nothing. A run
        that takes a withdrawal back sees it undone already. -#}
    select work_file.file_id
    from {{ source('control', 'rating_run_file') }} as work_file
    inner join {{ source('control', 'rating_run') }} as withdrawal
        on work_file.rating_run_id = withdrawal.rating_run_id
    where
        work_file.is_withdrawal
        and withdrawal.run_kind = 'withdraw'
        and withdrawal.status = 'closed'
        and withdrawal.build_schema = '{{ '' if is_dry() else build_schema() }}'
        {%- if current_run()['undoes'] %}
        and withdrawal.rating_run_id <> {{ current_run()['undoes'] }}
        {%- endif %}
{%- endmacro %}

{% macro days_of_run(column) -%}
    {#- The UTC days on which the current run has usage, as literal half-open ranges of column:
        literals prune partitions at planning. Adjacent days are joined. -#}
    {%- set relation = ref('int_usage__normalised') -%}
    {%- if is_dry() -%}
        {{ return("'DRY RUN DAYS " ~ column ~ "' = ''") }}
    {%- endif -%}
    {%- set ranges = run_query(
        "select min(day)::text, (max(day) + 1)::text from ("
        ~ "  select day, day - (row_number() over (order by day))::integer as island from ("
        ~ "    select distinct (started_at at time zone 'UTC')::date as day from " ~ relation
        ~ "    where started_at is not null) as days) as islands group by island order by 1"
    ).rows if execute and flags.WHICH in ('build', 'run') else [] -%}
    {%- if ranges | length == 0 -%}
        false
    {%- else -%}
        (
        {%- for day_range in ranges %}
            ({{ column }} >= '{{ day_range[0] }} 00:00:00+00'
            and {{ column }} < '{{ day_range[1] }} 00:00:00+00')
            {%- if not loop.last %} or{% endif %}
        {%- endfor %}
        )
    {%- endif -%}
{%- endmacro %}
