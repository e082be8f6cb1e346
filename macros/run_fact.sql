{#- run_fact: a fact that only ever grows, a run's rows at a time.

    One transaction: delete what an earlier attempt of this same run left, insert this run's rows.
    So a run may be killed anywhere and repeated, and rows of other runs are never touched.
    The table is made from the model's contract, optionally partitioned by month of a timestamptz
    column: a day's run costs the same after years of history, and a month can be detached.

    config: run_key (rating_run_id | invoice_run_id), month_partition (column, optional),
            indexes (as for tables; brin for append-ordered columns).

    On a cluster (target citus) the same in transactions of one kind each, as Citus wants it: the
    table and where it stands, the rows staged on the coordinator, the months, then delete and insert
    as one. Rows left in the staging table by a run that was killed are thrown away by the next.
-#}
{% materialization run_fact, adapter='postgres' %}
    {%- set run_key = config.get('run_key', 'rating_run_id') -%}
    {%- set month_column = config.get('month_partition') -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set staged = make_temp_relation(target_relation) -%}
    {%- set run_number = run_id(run_key) -%}
    {%- set columns = model['columns'].keys() | list -%}
    {%- if not config.get('contract').enforced -%}
        {{ exceptions.raise_compiler_error('run_fact ' ~ this ~ ' needs an enforced contract') }}
    {%- endif -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if existing is none %}
        {% call statement('create_fact') -%}
            create table {{ target_relation }} {{ get_table_columns_and_constraints() }}
            {%- if month_column %} partition by range ({{ month_column }}){% endif %};
            {%- if month_column %}
            create table {{ target_relation.schema }}.{{ target_relation.identifier }}_undated
            partition of {{ target_relation }} default;
            {%- endif %}
        {%- endcall %}
        {% do create_indexes(target_relation) %}
    {%- else %}
        {%- set present = adapter.get_columns_in_relation(target_relation)
            | map(attribute='name') | list -%}
        {%- if present | sort != columns | sort -%}
            {{ exceptions.raise_compiler_error(
                this ~ ' has history with other columns: present ' ~ present ~ ', declared '
                ~ columns ~ '. Add a migration; history is never dropped.'
            ) }}
        {%- endif -%}
    {%- endif %}
    {%- do place_on_cluster(target_relation, model) -%}

    {%- if is_citus() %}
        {{ _write_on_cluster(target_relation, sql, columns, run_key, run_number, month_column) }}
    {%- else %}

    {#- CREATE TABLE AS may run in parallel, INSERT ... SELECT may not. -#}
    {% call statement('stage') -%}
        create temporary table {{ staged.identifier }} on commit drop as
        {{ sql }}
    {%- endcall %}

    {%- set months = [] -%}
    {%- if month_column %}
        {#- Bounds as literals with their offset: arithmetic would depend on the session's zone. -#}
        {%- set months = run_query(_months_sql(staged.identifier, month_column)).rows | list -%}
        {%- do refuse_archived(model.config.schema ~ '.' ~ model.alias, months | map(attribute=0) | list) -%}
        {%- for month in months %}
            {% call statement('partition_' ~ loop.index) -%}
                create table if not exists
                {{ target_relation.schema }}.{{ target_relation.identifier }}_{{ month[0] }}
                partition of {{ target_relation }}
                for values from ('{{ month[1] }}') to ('{{ month[2] }}');
            {%- endcall %}
        {%- endfor %}
    {%- endif %}

    {% call statement('main') -%}
        delete from {{ target_relation }} where {{ run_key }} = {{ run_number }};
        {%- if months | length in [1, 2, 3] %}
        {#- Straight into the partition: finding it anew for each row costs a third more. #}
        {%- for month in months %}
        insert into {{ target_relation.schema }}.{{ target_relation.identifier }}_{{ month[0] }}
        ({{ columns | join(', ') }})
        select {{ columns | join(', ') }} from {{ staged.identifier }}
        where {{ month_column }} >= '{{ month[1] }}' and {{ month_column }} < '{{ month[2] }}';
        {%- endfor %}
        insert into {{ target_relation }} ({{ columns | join(', ') }})
        select {{ columns | join(', ') }} from {{ staged.identifier }}
        where {{ month_column }} is null;
        {%- else %}
        insert into {{ target_relation }} ({{ columns | join(', ') }})
        select {{ columns | join(', ') }} from {{ staged.identifier }};
        {%- endif %}
    {%- endcall %}
    {%- endif %}

    {%- set grant_config = config.get('grants') -%}
    {% do apply_grants(target_relation, grant_config, should_revoke=False) %}
    {% if existing is none %}{% do persist_docs(target_relation, model) %}{% endif %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{% macro _months_sql(relation, month_column) -%}
    {#- The months (UTC) of the rows: name of the partition, first and last bound. -#}
    select to_char(month, 'YYYYMM'), month || '+00', month + interval '1 month' || '+00'
    from (
        select distinct date_trunc('month', {{ month_column }} at time zone 'UTC') as month
        from {{ relation }} where {{ month_column }} is not null
    ) as months
    order by 1
{%- endmacro %}

{% macro _write_on_cluster(target_relation, sql, columns, run_key, run_number, month_column) -%}
    {%- set fact = target_relation.schema ~ '.' ~ target_relation.identifier -%}
    {%- set staged = fact ~ '__staged' -%}
    {%- do adapter.commit() -%}
    {% call statement('stage') -%}
        drop table if exists {{ staged }};
        create unlogged table {{ staged }} as
        {{ sql }}
    {%- endcall %}
    {%- do adapter.commit() -%}
    {%- if month_column %}
        {%- set months = run_query(_months_sql(staged, month_column)).rows | list -%}
        {%- do refuse_archived(model.config.schema ~ '.' ~ model.alias, months | map(attribute=0) | list) -%}
        {%- for month in months %}
            {%- set partition = fact ~ '_' ~ month[0] -%}
            {%- if run_query("select to_regclass('" ~ partition ~ "') is null").rows[0][0] %}
                {% call statement('partition_' ~ loop.index) -%}
                    create table {{ partition }} partition of {{ fact }}
                    for values from ('{{ month[1] }}') to ('{{ month[2] }}')
                {%- endcall %}
            {%- endif %}
        {%- endfor %}
        {%- do adapter.commit() -%}
    {%- endif %}
    {% call statement('main') -%}
        delete from {{ fact }} where {{ run_key }} = {{ run_number }};
        insert into {{ fact }} ({{ columns | join(', ') }})
        select {{ columns | join(', ') }} from {{ staged }}
    {%- endcall %}
    {%- do adapter.commit() -%}
    {% call statement('forget_staged') -%}
        drop table if exists {{ staged }}
    {%- endcall %}
{%- endmacro %}

{#- Usage of a month that is in an archive cannot be compared with what is there: it might be a
    repeat. So the run stops before it writes, and goes on once the month was read back. -#}
{% macro refuse_archived(fact, months) -%}
    {%- set archived = run_query(
        "select string_agg(to_char(latest.month, 'YYYY-MM'), ', ' order by latest.month) from ("
        ~ " select distinct on (month) month, act from control.partition_archive"
        ~ " where build_schema = '" ~ build_schema() ~ "' and fact = '" ~ fact ~ "'"
        ~ " order by month, partition_archive_id desc) as latest"
        ~ " where latest.act = 'archived' and to_char(latest.month, 'YYYYMM') in ('"
        ~ months | join("', '") ~ "')"
    ).rows[0][0] -%}
    {%- if archived -%}
        {{ exceptions.raise_compiler_error(
            'this run has usage of ' ~ archived ~ ', which is in the archive: read it back first'
            ~ ' (ratehouse partitions attach ' ~ archived.split(', ')[0] ~ '), then rate again'
        ) }}
    {%- endif -%}
{%- endmacro %}
