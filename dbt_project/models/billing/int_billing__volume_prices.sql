-- Grain: one row per account of the current invoice run and volume price version that concerns it,
-- whenever it holds. Of a code, the rows of the lowest scope_rank that hold in a period count.
{{ config(materialized='work_table') }}

with accounts as (
    select * from {{ ref('int_billing__accounts') }}
),

account_plans as (
    select * from {{ ref('int_billing__account_plans') }}
),

known as (
    select volume_price.*
    from {{ source('reference', 'volume_price') }} as volume_price
    where {{ known_to_invoice_run('volume_price') }}
)

select
    accounts.account_id,
    known.volume_code,
    known.volume_name,
    known.schedule_code,
    known.usage_type,
    nullif(string_to_array(known.charge_classes, ' '), '{}') as charge_classes,
    known.destination_group_code,
    known.counter,
    {{ months_of('known.counter_period') }} as period_length,
    known.anchor_month,
    known.effect,
    known.priority,
    array_position(array['account', 'plan', 'group', 'list'], known.price_scope)
        as scope_rank,
    account_plans.plan_id,
    known.valid_from,
    known.valid_to
from known
inner join accounts
    on
        known.price_scope in ('plan', 'list')
        or (known.price_scope = 'account' and known.scope_code = accounts.account_code)
        or (known.price_scope = 'group' and known.scope_code = accounts.bill_group)
left join account_plans
    on
        accounts.account_id = account_plans.account_id
        and known.price_scope = 'plan'
        and known.scope_code = account_plans.plan_code
where known.price_scope <> 'plan' or account_plans.plan_id is not null
