{#- reference_lookup: a table worked out from reference data, rebuilt only when its SQL or the
    reference data changed. The table's comment says what it was built from: the last reference load,
    its own compiled SQL and the code of all lookups (one may read another). -#}
{% materialization reference_lookup, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set run = current_run() -%}
    {%- set built_from = run_query(
        "select 'built from reference load ' || coalesce(max(reference_load_id), 0)"
        ~ " || ', sql " ~ local_md5((sql | replace(run['cutoff'], '')) ~ _code_of_lookups()) ~ "' from control.reference_load"
        ~ " where recorded_at <= '" ~ run['cutoff'] ~ "'"
    ).rows[0][0] -%}
    {%- set present = run_query(
        "select obj_description(to_regclass('" ~ target_relation ~ "'))"
    ).rows[0][0] -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing is not none and present == built_from %}
        {% call statement('main') -%} select 1 {%- endcall %}
    {%- else %}
        {%- if existing is not none %}{% do adapter.drop_relation(existing) %}{% endif %}
        {% call statement('main') -%}
            create table {{ target_relation }} as
            {{ sql }};
            analyze {{ target_relation }};
            comment on table {{ target_relation }} is '{{ built_from }}';
        {%- endcall %}
        {% do create_indexes(target_relation) %}
    {%- endif %}
    {%- do place_on_cluster(target_relation, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% macro _code_of_lookups() -%}
    {%- set codes = [] -%}
    {%- for node in graph.nodes.values() | sort(attribute='unique_id')
        if node.config.materialized == 'reference_lookup' -%}
        {%- do codes.append(node.raw_code) -%}
    {%- endfor -%}
    {{ return(codes | join) }}
{%- endmacro %}
