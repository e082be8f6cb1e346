-- Grain: one row per service or account, plan that includes allowances, and billing period in which
-- it has that plan: from when to when.
with months as (
    select * from {{ ref('int_billing__months') }}
),

accounts as (
    select * from {{ source('reference', 'account') }}
),

account_keys as (
    select * from {{ source('reference', 'account_key') }}
),

services as (
    select * from {{ source('reference', 'service') }}
),

including_plans as (
    select distinct allowance.plan_code
    from {{ source('reference', 'allowance') }} as allowance
    where allowance.plan_code is not null and {{ known_at_invoice('allowance') }}
),

default_plans as (
    select * from {{ source('reference', 'plan') }}
),

owned as (
    select
        months.account_id,
        months.period_month,
        accounts.plan_code,
        'account' as party_kind,
        months.account_id as party_id,
        greatest(accounts.valid_from, months.period_start_at) as held_from,
        least(accounts.valid_to, months.period_end_at) as held_to
    from months
    inner join accounts
        on
            months.account_id = accounts.account_id
            and months.period_start_at < accounts.valid_to
            and months.period_end_at > accounts.valid_from
    where {{ known_at_invoice('accounts') }}
    union all
    -- a service brings its plan to its account too
    select
        months.account_id,
        months.period_month,
        coalesce(services.plan_code, accounts.plan_code) as plan_code,
        parties.party_kind,
        parties.party_id,
        greatest(accounts.valid_from, services.valid_from, months.period_start_at) as held_from,
        least(accounts.valid_to, services.valid_to, months.period_end_at) as held_to
    from months
    inner join accounts
        on
            months.account_id = accounts.account_id
            and months.period_start_at < accounts.valid_to
            and months.period_end_at > accounts.valid_from
    inner join account_keys on months.account_id = account_keys.account_id
    inner join services
        on
            account_keys.account_code = services.account_code
            and months.period_start_at < services.valid_to
            and months.period_end_at > services.valid_from
    inner join lateral (
        values ('service', services.service_id), ('account', months.account_id)
    ) as parties (party_kind, party_id) on true
    where {{ known_at_invoice('accounts') }} and {{ known_at_invoice('services') }}
),

held as (
    select
        owned.account_id,
        owned.period_month,
        owned.party_kind,
        owned.party_id,
        coalesce(owned.plan_code, default_plans.plan_code) as plan_code,
        greatest(owned.held_from, default_plans.valid_from) as held_from,
        least(owned.held_to, default_plans.valid_to) as held_to
    from owned
    left join default_plans
        on
            owned.plan_code is null
            and default_plans.is_default
            and owned.held_from < default_plans.valid_to
            and owned.held_to > default_plans.valid_from
            and {{ known_at_invoice('default_plans') }}
)

select
    held.account_id,
    held.period_month,
    held.party_kind,
    held.party_id,
    held.plan_code,
    min(held.held_from) as held_from,
    max(held.held_to) as held_to
from held
inner join including_plans on held.plan_code = including_plans.plan_code
where held.held_from < held.held_to
group by
    held.account_id, held.period_month, held.party_kind, held.party_id, held.plan_code
