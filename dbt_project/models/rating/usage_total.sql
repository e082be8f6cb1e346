-- Grain: one row per rating run, file, account, period, service plan, class and state.
-- Additive over closed runs: a run that replaces earlier rows brings them again with the opposite
-- sign, so that sums over all closed runs are the totals of the current rows, and undoing a
-- run is leaving it out. Drafts, balances and reports read this, not the usage.
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
    {{ signed_rows('rated_usage', 'usage_supersession', 'usage_id') }}
)

select
    {{ run_id() }}::bigint as rating_run_id,
    signed.file_id::bigint as file_id,
    signed.account_id::bigint as account_id,
    signed.period_month::date as period_month,
    signed.source_id::integer as source_id,
    signed.plan_id::integer as plan_id,
    signed.usage_type::text as usage_type,
    signed.charge_class::text as charge_class,
    signed.state::text as state,
    signed.reason::text as reason,
    signed.currency_code::text as currency_code,
    signed.cost_currency_code::text as cost_currency_code,
    sum(case when signed.leg_no = 1 then signed.sign else 0 end)::bigint as record_count,
    sum(signed.sign)::bigint as leg_count,
    count(*) filter (where signed.leg_no = 1 and signed.sign = 1)::bigint as rated_record_count,
    coalesce(sum(signed.sign * signed.billable_seconds), 0)::numeric(20, 3) as billable_seconds,
    coalesce(sum(signed.sign * signed.retail_billed_seconds), 0)::bigint as billed_seconds,
    coalesce(sum(signed.sign * signed.retail_unbilled_fraction), 0)::numeric(20, 3)
        as unbilled_seconds,
    -- exact: a sum of amounts cut at fourteen decimals could tip a half cent
    (
        coalesce(sum(signed.sign * (
            case
                when signed.retail_has_terms then 60 * signed.retail_unrounded_amount
                else
                    60 * signed.retail_connection_fee
                    + signed.retail_billed_seconds * signed.retail_price_per_minute
            end
        )), 0)
    )::numeric(28, 10) as unrounded_sixtieths,
    coalesce(sum(signed.sign * signed.retail_amount), 0)::numeric(28, 14) as retail_amount,
    coalesce(sum(signed.sign * signed.cost_amount), 0)::numeric(28, 14) as cost_amount,
    -- null where no price is known: unknown is not nothing
    sum(signed.sign * signed.at_risk_amount)::numeric(28, 14) as at_risk_amount
from signed
group by
    signed.file_id,
    signed.account_id,
    signed.period_month,
    signed.source_id,
    signed.plan_id,
    signed.usage_type,
    signed.charge_class,
    signed.state,
    signed.reason,
    signed.currency_code,
    signed.cost_currency_code
