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
    select *
    from {{ source('reference', 'volume_price') }} as volume_price
    where
        volume_price.recorded_from <= '{{ current_invoice_run()['cutoff'] }}'::timestamptz
        and volume_price.recorded_to > '{{ current_invoice_run()['cutoff'] }}'::timestamptz
)

select
    accounts.account_id,
    volume_price.volume_code,
    volume_price.volume_name,
    volume_price.schedule_code,
    volume_price.usage_type,
    nullif(string_to_array(volume_price.charge_classes, ' '), '{}') as charge_classes,
    volume_price.destination_group_code,
    volume_price.counter,
    {{ months_of('volume_price.counter_period') }} as period_length,
    volume_price.anchor_month,
    volume_price.effect,
    volume_price.priority,
    array_position(array['account', 'plan', 'group', 'list'], volume_price.price_scope) as scope_rank,
    account_plans.plan_id,
    volume_price.valid_from,
    volume_price.valid_to
from known as volume_price
inner join accounts
    on
        volume_price.price_scope in ('plan', 'list')
        or (volume_price.price_scope = 'account' and volume_price.scope_code = accounts.account_code)
        or (
            volume_price.price_scope = 'group'
            and volume_price.scope_code = '{{ current_invoice_run()['bill_group'] }}'
        )
left join account_plans
    on
        accounts.account_id = account_plans.account_id
        and volume_price.price_scope = 'plan'
        and volume_price.scope_code = account_plans.plan_code
where volume_price.price_scope <> 'plan' or account_plans.plan_id is not null
