{#- Views are replaced in place. dbt's own way (new view, rename, drop the old one with everything that
    depends on it) leaves readers of the marts without their views for as long as a run lasts; here
    that happens only when columns were taken away or changed. A view whose SQL, descriptions and
    grants are those it was built from is left alone: most staging views and marts in most runs.
    control.built_view remembers; a view that fell with a table it read is not there any more and is
    made again. -#}
{% materialization view, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set existing = load_cached_relation(this) -%}
    {#- Without the name of the database: a copy of it under another name stands as well. -#}
    {%- set relation_name = target_relation.include(database=false) | string -%}
    {%- set database_name = target_relation.include(schema=false, identifier=false) ~ '.' -%}
    {%- set built_from = local_md5(
        (sql | replace(database_name, '')) ~ model.description ~ (model.columns | tojson)
        ~ (config.get('grants') | tojson)
        ~ ('with security_barrier' if config.get('security_barrier') else '')
    ) -%}
    {%- set options = ' with (security_barrier)' if config.get('security_barrier') else '' -%}
    {%- set is_unchanged = run_query(
        "select exists (select from control.built_view as b where b.relation = '"
        ~ relation_name ~ "' and b.definition_hash = '" ~ built_from
        ~ "' and to_regclass(b.relation) is not null)"
    ).rows[0][0] -%}
    {%- if is_unchanged %}
        {% call statement('main') -%} select 1 {%- endcall %}
        {{ return({'relations': [target_relation]}) }}
    {%- endif -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing is not none and existing.type != 'view' %}
        {% do adapter.drop_relation(existing) %}
    {%- endif %}
    {%- if config.get('contract').enforced %}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif %}
    {%- if is_citus() %}
        {#- Everybody asks the coordinator: copies of views on the workers would only be in the way. -#}
        {% call statement('stay_here') -%}
            set local citus.enable_ddl_propagation to off
        {%- endcall %}
    {%- endif %}
    {% call statement('main') -%}
        do $ratehouse$
        begin
            create or replace view {{ target_relation }}{{ options }} as
            {{ sql }};
        exception when invalid_table_definition then
            drop view {{ target_relation }} cascade;
            create view {{ target_relation }}{{ options }} as
            {{ sql }};
        end
        $ratehouse$;
    {%- endcall %}
    {% do apply_grants(target_relation, config.get('grants'), should_revoke=True) %}
    {% do persist_docs(target_relation, model) %}
    {% call statement('remember') -%}
        insert into control.built_view (relation, definition_hash)
        values ('{{ relation_name }}', '{{ built_from }}')
        on conflict (relation) do update
        set definition_hash = excluded.definition_hash, built_at = clock_timestamp();
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
