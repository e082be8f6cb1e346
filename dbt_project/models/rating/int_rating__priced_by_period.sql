-- Grain: one row per usage leg of the current run, priced by the version of the rating models that
-- its billing period is pinned to. A run reads only the versions that it needs; all are named, so
-- that dbt builds them first.
{%- set models = {1: ref('int_rating__priced', v=1), 2: ref('int_rating__priced', v=2)} %}

{% for version in rating_versions_of_run() %}
{%- if not loop.first %}
union all
{% endif -%}
select * from {{ models[version] }}
{%- if is_dry() %}
where 'DRY RUN VERSION {{ version }}' = ''
{%- endif %}
{%- endfor %}
