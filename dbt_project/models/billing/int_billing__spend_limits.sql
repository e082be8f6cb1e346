-- Grain: one row per account of the current invoice run and version of a commitment or cap that
-- concerns it, whenever it holds. Of a code, the rows of the lowest scope_rank that hold in a
-- period count.
{{ config(materialized='work_table') }}

with accounts as (
    select * from {{ ref('int_billing__accounts') }}
),

account_plans as (
    select * from {{ ref('int_billing__account_plans') }}
),

known as (
    select spend_limit.*
    from {{ source('reference', 'spend_limit') }} as spend_limit
    where {{ known_to_invoice_run('spend_limit') }}
)

select
    accounts.account_id,
    known.limit_code,
    known.limit_name,
    known.limit_rule,
    known.amount,
    known.currency_code,
    {{ months_of('known.limit_period') }} as period_length,
    known.anchor_month,
    string_to_array(known.line_kinds, ' ') as line_kinds,
    nullif(string_to_array(known.charge_classes, ' '), '{}') as charge_classes,
    known.proration,
    known.rounding_decimals,
    known.rounding_mode,
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
