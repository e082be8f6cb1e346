{#- Where a relation stands on a cluster of PostgreSQL servers with the extension Citus. Only the
    targets citus and citus_dev do any of this; docs/scale.md says when and why.
    meta.distribution of a model or seed: account_id (facts), reference (a copy on every server) or
    local (the coordinator alone: work tables; what is not said). -#}
{% macro is_citus() -%}
    {{ return(target.name.startswith('citus')) }}
{%- endmacro %}

{% macro distribution_of(node) -%}
    {{ return(node.config.meta.get('distribution', 'local')) }}
{%- endmacro %}

{#- Puts a relation where its meta says, if it does not stand there yet. Rows it holds go along, so a
    warehouse that becomes a cluster is spread by its next run. -#}
{% macro place_on_cluster(relation, node) -%}
    {%- if not is_citus() or not execute -%}{{ return('') }}{%- endif -%}
    {%- set distribution = distribution_of(node) -%}
    {%- if distribution == 'local' -%}{{ return('') }}{%- endif -%}
    {%- if distribution not in ['account_id', 'reference'] -%}
        {{ exceptions.raise_compiler_error(
            node.name ~ ": meta.distribution is '" ~ distribution
            ~ "'; it may be account_id, reference or local"
        ) }}
    {%- endif -%}
    {%- set place = place_of(relation) -%}
    {%- if place is none -%}
        {%- do _refuse_unready_cluster() -%}
        {% call statement('place_on_cluster') -%}
            {%- if distribution == 'reference' %}
            {{ create_reference_table_sql(relation) }};
            analyze {{ relation }}
            {%- else %}
            {{ create_distributed_table_sql(relation, distribution, _stands_beside(relation)) }}
            {%- endif %}
        {%- endcall %}
    {%- elif place != distribution -%}
        {{ exceptions.raise_compiler_error(
            relation ~ ' stands on the cluster as ' ~ place ~ ', its meta says ' ~ distribution
        ) }}
    {%- endif -%}
{%- endmacro %}

{#- account_id, reference, or none while the relation is a table of the coordinator alone. -#}
{% macro place_of(relation) -%}
    {%- set rows = run_query(place_of_sql(relation)).rows -%}
    {{ return(rows[0][0] if rows | length else none) }}
{%- endmacro %}

{% macro place_of_sql(relation) -%}
    select case p.partmethod
        when 'n' then 'reference' else column_to_column_name(p.logicalrelid, p.partkey)
    end
    from pg_dist_partition as p
    {#- Any other is a table of the coordinator that the cluster merely knows. #}
    where p.logicalrelid = to_regclass('{{ relation }}')
        and (p.partmethod = 'h' or p.repmodel = 't')
{%- endmacro %}

{% macro create_reference_table_sql(relation) -%}
    select create_reference_table('{{ relation }}')
{%- endmacro %}

{% macro create_distributed_table_sql(relation, column, beside) -%}
    select create_distributed_table(
        '{{ relation }}', '{{ column }}', colocate_with => '{{ beside }}'
    )
{%- endmacro %}

{#- All facts in one group: rows of an account stand on one server, whatever shard count a later
    session has. The first fact begins the group. -#}
{% macro _stands_beside(relation) -%}
    {%- set rows = run_query(stands_beside_sql(relation)).rows -%}
    {{ return(rows[0][0] if rows | length else 'default') }}
{%- endmacro %}

{% macro stands_beside_sql(relation) -%}
    select quote_ident(n.nspname) || '.' || quote_ident(c.relname)
    from pg_dist_partition as p
    inner join pg_catalog.pg_class as c on p.logicalrelid = c.oid
    inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
    where p.partmethod = 'h' and not c.relispartition
        and n.nspname in (
            '{{ generate_schema_name('rating', none) | trim }}',
            '{{ generate_schema_name('billing', none) | trim }}'
        )
    order by p.colocationid, c.oid
    limit 1
{%- endmacro %}

{#- What Citus would say in its own words, and later: joins of work tables with copies of reference
    data need a copy on the coordinator. -#}
{% macro _refuse_unready_cluster() -%}
    {%- if not run_query("select exists (select from pg_dist_node where groupid = 0)").rows[0][0] -%}
        {{ exceptions.raise_compiler_error(
            "the coordinator is not part of the cluster yet: select"
            ~ " citus_set_coordinator_host('<its address>') as a superuser (docs/scale.md)"
        ) }}
    {%- endif -%}
{%- endmacro %}
