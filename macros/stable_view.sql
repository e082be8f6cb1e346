{#- Views are replaced in place. dbt's own way (new view, rename, drop the old one with everything that
    depends on it) leaves readers of the marts without their views for as long as a run lasts; here
    that happens only when columns were taken away or changed. -#}
{% materialization view, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set existing = load_cached_relation(this) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing is not none and existing.type != 'view' %}
        {% do adapter.drop_relation(existing) %}
    {%- endif %}
    {%- if config.get('contract').enforced %}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif %}
    {% call statement('main') -%}
        do $ratehouse$
        begin
            create or replace view {{ target_relation }} as
            {{ sql }};
        exception when invalid_table_definition then
            drop view {{ target_relation }} cascade;
            create view {{ target_relation }} as
            {{ sql }};
        end
        $ratehouse$;
    {%- endcall %}
    {% do apply_grants(target_relation, config.get('grants'), should_revoke=False) %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
