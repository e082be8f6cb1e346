-- Grain: one row per rated usage row that a later run replaced. The older row stays; while the
-- later run is closed it does not count, and undoing the later run makes it current again.
{{ config(
    materialized='run_fact',
    meta={'distribution': 'account_id'},
    run_key='rating_run_id',
    on_schema_change='fail',
    full_refresh=false,
    indexes=[{'columns': ['account_id', 'usage_id']}, {'columns': ['rating_run_id']}]
) }}

{{ superseded_rows('rated_usage', 'usage_id') }}
