-- Grain: one row per rating run, hour (UTC), account, source, usage type, direction, leg, country,
-- hang-up cause and currencies.
-- Additive over closed runs like usage_total: a run that replaces rows brings them again with the
-- opposite sign. A call between two customers has two legs: add up money over all rows, count calls
-- where leg_no = 1. Usage without a start time has no hour and is not here.
-- The first build takes the whole history, each row under the run it is of.
{{ config(
    materialized='run_fact',
    meta={'distribution': 'account_id'},
    run_key='rating_run_id',
    month_partition='hour_at',
    on_schema_change='fail',
    full_refresh=false,
    indexes=[
        {'columns': ['rating_run_id'], 'type': 'brin'},
        {'columns': ['hour_at']},
    ]
) }}
{%- set is_first = execute and this and load_relation(this) is none %}
{%- set is_initial = not is_first and current_run()['kind'] == 'initial' %}
{%- set run = 'signed.signed_run_id' if is_first else run_id() %}

with signed as (
    {%- if is_first %}
    {{ signed_rows_of_all_runs('rated_usage', 'usage_supersession', 'usage_id') }}
    {%- else %}
    {{ signed_rows('rated_usage', 'usage_supersession', 'usage_id') }}
    {%- endif %}
)

select
    {{ run }}::bigint as rating_run_id,
    date_trunc('hour', signed.started_at, 'UTC')::timestamptz as hour_at,
    signed.account_id::bigint as account_id,
    signed.source_id::integer as source_id,
    signed.usage_type::text as usage_type,
    signed.direction::text as direction,
    signed.leg_no::smallint as leg_no,
    signed.called_country::text as called_country,
    signed.release_cause::text as release_cause,
    signed.currency_code::text as currency_code,
    signed.cost_currency_code::text as cost_currency_code,
    {{ traffic_measures('signed', none if is_initial else 'signed.sign') }}
from signed
where {{ is_traffic('signed') }}
group by
    date_trunc('hour', signed.started_at, 'UTC'),
    {% if is_first %}signed.signed_run_id,{% endif %}
    signed.account_id,
    signed.source_id,
    signed.usage_type,
    signed.direction,
    signed.leg_no,
    signed.called_country,
    signed.release_cause,
    signed.currency_code,
    signed.cost_currency_code
