-- Grain: one row per account, period, charge class, plan and currency: rated usage before
-- allowances and volume prices. A plan that rounds per line rounds its share of the line here.
{{ config(materialized='work_table') }}

with months as (
    select * from {{ ref('int_billing__months') }}
),

closed_runs as (
    select run.rating_run_id
    from {{ source('control', 'rating_run') }} as run
    where run.status = 'closed'
),

plans as (
    select * from {{ ref('int_billing__plans') }}
),

usage_sums as (
    select
        total.account_id,
        total.period_month,
        total.charge_class,
        total.plan_id,
        total.currency_code,
        sum(total.leg_count) as record_count,
        sum(total.billed_seconds) - sum(coalesce(total.unbilled_seconds, 0)) as billed_seconds,
        sum(total.unrounded_sixtieths) / 60 as unrounded_amount,
        sum(total.retail_amount) as retail_amount
    from {{ ref('usage_total') }} as total
    inner join closed_runs on total.rating_run_id = closed_runs.rating_run_id
    inner join months
        on
            total.account_id = months.account_id
            and total.period_month = months.period_month
    where
        total.state = 'billed'
        -- what the join says, for the index
        and total.period_month = any(array(select wanted.period_month from months as wanted))
    group by
        total.account_id,
        total.period_month,
        total.charge_class,
        total.plan_id,
        total.currency_code
    having sum(total.leg_count) <> 0
)

select
    usage_sums.account_id,
    usage_sums.period_month,
    'usage' as line_kind,
    usage_sums.charge_class,
    null::text as product_code,
    coalesce(charge_classes.description, usage_sums.charge_class) as description,
    usage_sums.plan_id,
    usage_sums.currency_code,
    usage_sums.record_count,
    usage_sums.record_count::numeric as quantity,
    'records' as unit,
    usage_sums.unrounded_amount,
    case
        when plans.rounding_level = 'line'
            then
                {{ round_to(
                    'usage_sums.unrounded_amount', 'plans.rounding_decimals',
                    'plans.rounding_unit', 'plans.rounding_mode'
                ) }}
        when plans.rounding_level = 'invoice' then usage_sums.unrounded_amount
        else usage_sums.retail_amount
    end as line_amount,
    jsonb_build_object('billed_seconds', usage_sums.billed_seconds) as detail
from usage_sums
inner join plans on usage_sums.plan_id = plans.plan_id
left join {{ ref('charge_classes') }} as charge_classes
    on usage_sums.charge_class = charge_classes.charge_class
