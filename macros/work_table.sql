{#- work_table: rows of the current run only, between two steps. Unlogged: after a crash the run
    starts again anyway. Truncated and refilled by CREATE TABLE AS into a new relation swapped in
    under the same name; views on it are rebuilt right after by their own models. -#}
{% materialization work_table, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {#- Through the adapter: it also forgets the views that fall with the table. -#}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is not none %}{% do adapter.drop_relation(existing) %}{% endif %}
    {% call statement('main') -%}
        create unlogged table {{ target_relation }} as
        {{ sql }};
        analyze {{ target_relation }};
    {%- endcall %}
    {% do create_indexes(target_relation) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
