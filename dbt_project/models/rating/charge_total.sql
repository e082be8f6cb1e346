-- Grain: one row per rating run, file, account, period, product and state. Additive over closed
-- runs, like usage_total.
{{ config(
    materialized='run_fact',
    meta={'distribution': 'account_id'},
    run_key='rating_run_id',
    on_schema_change='fail',
    full_refresh=false,
    indexes=[
        {'columns': ['rating_run_id'], 'type': 'brin'},
        {'columns': ['period_month', 'account_id']},
        {'columns': ['file_id']},
    ]
) }}

with signed as (
    {{ signed_rows('rated_charge', 'charge_supersession', 'charge_id') }}
)

select
    {{ run_id() }}::bigint as rating_run_id,
    signed.file_id::bigint as file_id,
    signed.account_id::bigint as account_id,
    signed.period_month::date as period_month,
    signed.source_id::integer as source_id,
    signed.product_code::text as product_code,
    signed.description::text as description,
    signed.charge_class::text as charge_class,
    signed.state::text as state,
    signed.reason::text as reason,
    signed.currency_code::text as currency_code,
    signed.cost_currency_code::text as cost_currency_code,
    sum(signed.sign)::bigint as record_count,
    count(*) filter (where signed.sign = 1)::bigint as rated_record_count,
    coalesce(sum(signed.sign * signed.quantity), 0)::numeric(24, 4) as quantity,
    coalesce(sum(signed.sign * signed.unrounded_amount), 0)::numeric(28, 14) as unrounded_amount,
    coalesce(sum(signed.sign * signed.charge_amount), 0)::numeric(28, 14) as charge_amount,
    coalesce(sum(signed.sign * signed.cost_amount), 0)::numeric(28, 14) as cost_amount
from signed
group by
    signed.file_id,
    signed.account_id,
    signed.period_month,
    signed.source_id,
    signed.product_code,
    signed.description,
    signed.charge_class,
    signed.state,
    signed.reason,
    signed.currency_code,
    signed.cost_currency_code
