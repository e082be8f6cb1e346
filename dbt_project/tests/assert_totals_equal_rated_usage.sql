{{ config(
    tags=['rating', 'money'],
    meta={'dagster': {'ref': {'name': 'usage_total'}}}
) }}
-- Drafts and reports read usage_total and never the usage itself. Returns the account and state of
-- the current run whose legs, seconds or money differ between the two.
with rated as (
    select
        usage_leg.account_id,
        usage_leg.state,
        count(*) as leg_count,
        coalesce(sum(usage_leg.billable_seconds), 0) as billable_seconds,
        coalesce(sum(usage_leg.retail_amount), 0) as retail_amount,
        coalesce(sum(usage_leg.cost_amount), 0) as cost_amount
    from {{ ref('rated_usage') }} as usage_leg
    where usage_leg.rating_run_id = {{ run_id() }}
    group by usage_leg.account_id, usage_leg.state
),

replaced as (
    select
        usage_leg.account_id,
        usage_leg.state,
        count(*) as leg_count,
        coalesce(sum(usage_leg.billable_seconds), 0) as billable_seconds,
        coalesce(sum(usage_leg.retail_amount), 0) as retail_amount,
        coalesce(sum(usage_leg.cost_amount), 0) as cost_amount
    from {{ ref('rated_usage') }} as usage_leg
    inner join {{ ref('usage_supersession') }} as supersession
        on
            usage_leg.account_id = supersession.account_id
            and usage_leg.usage_id = supersession.usage_id
            and usage_leg.rating_run_id = supersession.superseded_run_id
    where supersession.rating_run_id = {{ run_id() }}
    group by usage_leg.account_id, usage_leg.state
),

totals as (
    select
        usage_total.account_id,
        usage_total.state,
        sum(usage_total.leg_count) as leg_count,
        sum(usage_total.billable_seconds) as billable_seconds,
        sum(usage_total.retail_amount) as retail_amount,
        sum(usage_total.cost_amount) as cost_amount
    from {{ ref('usage_total') }} as usage_total
    where usage_total.rating_run_id = {{ run_id() }}
    group by usage_total.account_id, usage_total.state
),

stages as (
    select
        rated.*,
        1 as sign
    from rated
    union all
    select
        replaced.*,
        -1 as sign
    from replaced
    union all
    select
        totals.*,
        -1 as sign
    from totals
),

differences as (
    select
        stages.account_id,
        stages.state,
        sum(stages.sign * stages.leg_count) as leg_difference,
        sum(stages.sign * stages.billable_seconds) as second_difference,
        sum(stages.sign * stages.retail_amount) as retail_difference,
        sum(stages.sign * stages.cost_amount) as cost_difference
    from stages
    group by stages.account_id, stages.state
)

select differences.*
from differences
where
    not (
        differences.leg_difference = 0
        and differences.second_difference = 0
        and differences.retail_difference = 0
        and differences.cost_difference = 0
    )
