{% macro keys_of_run() -%}
    {#- Which of the keys that may name the paying service occur in the current run, in the order in
        which they are tried. Most switches write none, and a join costs time even where there is
        nothing to join. -#}
    {%- set relation = ref('int_usage__normalised') -%}
    {%- set keys = ['service_key_1', 'service_key_2', 'account_key'] -%}
    {%- if is_dry() or not execute or flags.WHICH not in ('build', 'run') -%}
        {{ return(keys) }}
    {%- endif -%}
    {%- set counts = run_query(
        'select count(' ~ keys | join('), count(') ~ ') from ' ~ relation
    ).rows[0] -%}
    {%- set present = [] -%}
    {%- for key in keys -%}
        {%- if counts[loop.index0] > 0 -%}{%- do present.append(key) -%}{%- endif -%}
    {%- endfor -%}
    {{ return(present) }}
{%- endmacro %}

{% macro first_known(keys, suffix) -%}
    {#- The first that is not null of <key><suffix>, null without keys. -#}
    {%- set columns = [] -%}
    {%- for key in keys -%}{%- do columns.append(key ~ suffix) -%}{%- endfor -%}
    {%- if columns | length > 1 -%}
        coalesce({{ columns | join(', ') }})
    {%- else -%}
        {{ columns[0] or 'null::bigint' }}
    {%- endif -%}
{%- endmacro %}
