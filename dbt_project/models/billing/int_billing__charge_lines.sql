-- Grain: one row per account, period, product, description, charge class and currency: fixed fees.
{{ config(materialized='work_table') }}

with months as (
    select * from {{ ref('int_billing__months') }}
),

closed_runs as (
    select run.rating_run_id
    from {{ source('control', 'rating_run') }} as run
    where run.status = 'closed'
)

select
    total.account_id,
    total.period_month,
    'charge' as line_kind,
    total.charge_class,
    total.product_code,
    total.description,
    null::integer as plan_id,
    total.currency_code,
    sum(total.record_count) as record_count,
    sum(total.quantity) as quantity,
    'units' as unit,
    sum(total.unrounded_amount) as unrounded_amount,
    sum(total.charge_amount) as line_amount,
    null::jsonb as detail
from {{ ref('charge_total') }} as total
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
    total.product_code,
    total.description,
    total.charge_class,
    total.currency_code
having sum(total.record_count) <> 0
