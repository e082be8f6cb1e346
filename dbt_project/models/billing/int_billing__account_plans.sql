-- Grain: one row per account of the current invoice run and plan that it or a service of it has.
with accounts as (
    select * from {{ ref('int_billing__accounts') }}
),

services as (
    select
        service.account_code,
        service.plan_code
    from {{ source('reference', 'service') }} as service
    where
        {{ known_to_invoice_run('service') }}
        and service.plan_code is not null
),

plans as (
    select * from {{ ref('int_billing__plans') }}
),

named as (
    select
        accounts.account_id,
        accounts.plan_code
    from accounts
    where accounts.plan_code is not null
    union
    select
        accounts.account_id,
        services.plan_code
    from accounts
    inner join services on accounts.account_code = services.account_code
    union
    select
        accounts.account_id,
        plans.plan_code
    from accounts
    cross join plans
    where accounts.plan_code is null and plans.is_default
)

select
    named.account_id,
    plans.plan_id,
    named.plan_code
from named
inner join plans on named.plan_code = plans.plan_code
