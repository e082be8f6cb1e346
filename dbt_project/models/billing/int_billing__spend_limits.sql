-- Grain: one row per account of the current invoice run and commitment or cap version that concerns it,
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
    from {{ source('reference', 'spend_limit') }} as spend_limit
    where
        spend_limit.recorded_from <= '{{ current_invoice_run()['cutoff'] }}'::timestamptz
        and spend_limit.recorded_to > '{{ current_invoice_run()['cutoff'] }}'::timestamptz
)

select
    accounts.account_id,
    spend_limit.limit_code,
    spend_limit.limit_name,
    spend_limit.limit_rule,
    spend_limit.amount,
    spend_limit.currency_code,
    {{ months_of('spend_limit.limit_period') }} as period_length,
    spend_limit.anchor_month,
    string_to_array(spend_limit.line_kinds, ' ') as line_kinds,
    nullif(string_to_array(spend_limit.charge_classes, ' '), '{}') as charge_classes,
    spend_limit.proration,
    spend_limit.rounding_decimals,
    spend_limit.rounding_mode,
    array_position(array['account', 'plan', 'group', 'list'], spend_limit.price_scope) as scope_rank,
    account_plans.plan_id,
    spend_limit.valid_from,
    spend_limit.valid_to
from known as spend_limit
inner join accounts
    on
        spend_limit.price_scope in ('plan', 'list')
        or (spend_limit.price_scope = 'account' and spend_limit.scope_code = accounts.account_code)
        or (
            spend_limit.price_scope = 'group'
            and spend_limit.scope_code = '{{ current_invoice_run()['bill_group'] }}'
        )
left join account_plans
    on
        accounts.account_id = account_plans.account_id
        and spend_limit.price_scope = 'plan'
        and spend_limit.scope_code = account_plans.plan_code
where spend_limit.price_scope <> 'plan' or account_plans.plan_id is not null
