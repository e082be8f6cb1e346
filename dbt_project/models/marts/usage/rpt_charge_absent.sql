-- Grain: one row per service, product and month in which the supplier charged nothing for what it
-- charged the month before, though its charges of that month came and the service goes on: revenue
-- that leaks, or an omission.
with recurring as (
    select distinct
        rated.source_id,
        rated.account_id,
        rated.service_id,
        rated.product_code,
        date_trunc('month', rated.period_from)::date as charged_month
    from {{ ref('current_rated_charge') }} as rated
    where
        rated.state in ('billed', 'not_billable')
        and rated.service_id is not null
        and rated.charge_type in ('recurring', 'recurring_advance', 'recurring_arrears')
        and rated.cost_amount >= 0
),

covered as (
    select
        rated.source_id,
        rated.service_id,
        rated.product_code,
        rated.period_from,
        rated.period_to
    from {{ ref('current_rated_charge') }} as rated
    where rated.state in ('billed', 'not_billable')
),

supplied as (
    select distinct
        recurring.source_id,
        recurring.charged_month
    from recurring
),

services as (
    select *
    from {{ source('reference', 'service') }}
    where recorded_to = 'infinity'
)

select
    recurring.source_id::integer as source_id,
    recurring.account_id::bigint as account_id,
    recurring.service_id::bigint as service_id,
    recurring.product_code::text as product_code,
    supplied.charged_month::date as absent_month
from recurring
inner join supplied
    on
        recurring.source_id = supplied.source_id
        and (recurring.charged_month + interval '1 month')::date = supplied.charged_month
where
    exists (
        select 1
        from services
        where
            recurring.service_id = services.service_id
            and services.valid_from < supplied.charged_month + interval '1 month'
            and services.valid_to > supplied.charged_month
    )
    and not exists (
        select 1
        from covered
        where
            recurring.source_id = covered.source_id
            and recurring.service_id = covered.service_id
            and recurring.product_code = covered.product_code
            and covered.period_from < supplied.charged_month + interval '1 month'
            and covered.period_to >= supplied.charged_month
    )
