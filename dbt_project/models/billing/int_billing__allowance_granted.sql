-- Grain: one row per grant of units in a billing period: allowances of plans by who shares them,
-- packs, and what rolled over or is left of a pack from the period before.
with months as (
    select
        months.account_id,
        months.period_month,
        months.period_start_at,
        months.period_end_at,
        accounts.time_zone
    from {{ ref('int_billing__months') }} as months
    inner join {{ ref('int_billing__accounts') }} as accounts
        on months.account_id = accounts.account_id
),

parties as (
    select * from {{ ref('int_billing__allowance_parties') }}
),

members as (
    select * from {{ ref('int_billing__allowance_members') }}
),

allowances as (
    select allowance.*
    from {{ source('reference', 'allowance') }} as allowance
    where {{ known_at_invoice('allowance') }}
),

purchases as (
    select purchase.*
    from {{ source('reference', 'allowance_purchase') }} as purchase
    where {{ known_at_invoice('purchase') }}
),

services as (
    select
        service.service_id,
        service.service_code,
        account_key.account_id,
        service.valid_from,
        service.valid_to
    from {{ source('reference', 'service') }} as service
    inner join {{ source('reference', 'account_key') }} as account_key
        on service.account_code = account_key.account_code
    where {{ known_at_invoice('service') }}
),

account_keys as (
    select * from {{ source('reference', 'account_key') }}
),

-- drafts whose balances count: the last one of each period
invoice_runs as (
    select invoice_run.invoice_run_id
    from {{ source('control', 'invoice_run') }} as invoice_run
    where
        invoice_run.build_schema = '{{ build_schema() }}'
        and invoice_run.drafted_at is not null
        and invoice_run.is_current
        and not invoice_run.is_building
        and invoice_run.status <> 'failed'
    {%- if is_dry() %}
    union all
    select -1 as invoice_run_id
    {%- endif %}
),

balances as (
    select balance.*
    from {{ allowance_balances() }} as balance
    inner join invoice_runs on balance.invoice_run_id = invoice_runs.invoice_run_id
    where balance.carried_units > 0
),

-- the account under which the units of a pool stand, and its period
pools as (
    select distinct on (members.pool_code, months.period_month)
        members.pool_code,
        months.*
    from months
    inner join members
        on
            months.account_id = members.account_id
            and months.period_start_at < members.valid_to
            and months.period_end_at > members.valid_from
    order by members.pool_code, months.period_month, months.account_id
),

brought as (
    select
        parties.period_month,
        parties.account_id,
        allowances.allowance_code,
        case
            when allowances.shared_by = 'service' then 'service'
            when
                allowances.shared_by = 'pool'
                and coalesce(own_pool.pool_code, account_pool.pool_code) is not null
                then 'pool'
            else 'account'
        end as holder_kind,
        case
            when allowances.shared_by = 'service' then parties.party_id::text
            when allowances.shared_by = 'pool'
                then
                    coalesce(
                        own_pool.pool_code, account_pool.pool_code, parties.account_id::text
                    )
            else parties.account_id::text
        end as holder_key,
        {{ prorated_units(
            'allowances.size', 'parties.held_from', 'parties.held_to', 'months',
            'months.time_zone', 'allowances'
        ) }} as units
    from parties
    inner join months
        on parties.account_id = months.account_id and parties.period_month = months.period_month
    inner join allowances
        on
            parties.plan_code = allowances.plan_code
            and parties.party_kind = allowances.granted_per
            and parties.held_from >= allowances.valid_from
            and parties.held_from < allowances.valid_to
    left join members as own_pool
        on
            parties.party_kind = 'service'
            and own_pool.member_kind = 'service'
            and parties.party_id = own_pool.member_id
            and parties.held_from >= own_pool.valid_from
            and parties.held_from < own_pool.valid_to
    left join members as account_pool
        on
            account_pool.member_kind = 'account'
            and parties.account_id = account_pool.member_id
            and parties.held_from >= account_pool.valid_from
            and parties.held_from < account_pool.valid_to
),

of_plans as (
    select
        brought.period_month,
        min(brought.account_id) as account_id,
        brought.allowance_code,
        brought.holder_kind,
        brought.holder_key,
        sum(brought.units) as granted_units
    from brought
    group by
        brought.period_month, brought.allowance_code, brought.holder_kind, brought.holder_key
),

-- a service that moves within the period buys under its first account
buying_services as (
    select distinct on (services.service_code, months.period_month)
        services.service_code,
        services.service_id,
        months.*
    from services
    inner join months
        on
            services.account_id = months.account_id
            and services.valid_to > months.period_start_at
            and services.valid_from < months.period_end_at
    where services.service_code in (select purchases.service_code from purchases)
    order by services.service_code, months.period_month, services.valid_from
),

-- who bought it, and the period of that account
bought_by as (
    select
        purchases.purchase_code,
        purchases.valid_from,
        case
            when purchases.account_code is not null then 'account'
            when purchases.service_code is not null then 'service'
            else 'pool'
        end as holder_kind,
        coalesce(
            account_months.account_id::text, buying_services.service_id::text, pools.pool_code
        ) as holder_key,
        coalesce(
            account_months.account_id, buying_services.account_id, pools.account_id
        ) as account_id,
        coalesce(
            account_months.period_month, buying_services.period_month, pools.period_month
        ) as period_month,
        coalesce(
            account_months.period_start_at, buying_services.period_start_at, pools.period_start_at
        ) as period_start_at,
        coalesce(
            account_months.period_end_at, buying_services.period_end_at, pools.period_end_at
        ) as period_end_at,
        coalesce(
            account_months.time_zone, buying_services.time_zone, pools.time_zone
        ) as time_zone
    from purchases
    left join account_keys on purchases.account_code = account_keys.account_code
    left join months as account_months on account_keys.account_id = account_months.account_id
    left join buying_services on purchases.service_code = buying_services.service_code
    left join pools on purchases.pool_code = pools.pool_code
    where
        coalesce(
            account_months.account_id, buying_services.account_id, pools.account_id
        ) is not null
),

bought as (
    select
        bought_by.period_month,
        bought_by.account_id,
        bought_by.holder_kind,
        bought_by.holder_key,
        bought_by.period_start_at,
        bought_by.period_end_at,
        bought_by.time_zone,
        purchases.purchase_code,
        purchases.allowance_code,
        purchases.valid_from,
        purchases.valid_to,
        purchases.counts_as,
        coalesce(purchases.size, allowances.size) * purchases.quantity as size,
        allowances.grant_rule = 'once' or purchases.counts_as = 'rollover' as is_once,
        allowances.proration,
        allowances.proration_unit,
        allowances.proration_rounding
    from purchases
    inner join bought_by
        on
            purchases.purchase_code = bought_by.purchase_code
            and purchases.valid_from = bought_by.valid_from
            and purchases.valid_from < bought_by.period_end_at
            and purchases.valid_to > bought_by.period_start_at
    inner join allowances
        on
            purchases.allowance_code = allowances.allowance_code
            and greatest(purchases.valid_from, bought_by.period_start_at)
            >= allowances.valid_from
            and greatest(purchases.valid_from, bought_by.period_start_at) < allowances.valid_to
),

granted_now as (
    select
        of_plans.period_month,
        of_plans.account_id,
        of_plans.holder_kind,
        of_plans.holder_key,
        of_plans.allowance_code,
        '' as purchase_code,
        'plan' as grant_kind,
        of_plans.granted_units,
        null::timestamptz as usable_from,
        null::timestamptz as usable_to,
        false as is_once
    from of_plans
    union all
    select
        bought.period_month,
        bought.account_id,
        bought.holder_kind,
        bought.holder_key,
        bought.allowance_code,
        bought.purchase_code,
        bought.counts_as as grant_kind,
        case
            when bought.is_once then bought.size
            else
                {{ prorated_units(
                    'bought.size', 'bought.valid_from', 'bought.valid_to', 'bought',
                    'bought.time_zone', 'bought'
                ) }}
        end as granted_units,
        -- empty: from the start, or to the end, of the period
        case when bought.valid_from > bought.period_start_at then bought.valid_from end
            as usable_from,
        case when bought.valid_to < bought.period_end_at or bought.is_once then bought.valid_to end
            as usable_to,
        bought.is_once
    from bought
    where not bought.is_once or bought.valid_from >= bought.period_start_at
),

holders as (
    select distinct
        granted_now.period_month,
        granted_now.holder_kind,
        granted_now.holder_key,
        granted_now.allowance_code
    from granted_now
),

carried as (
    select
        months.period_month,
        months.account_id,
        balances.holder_kind,
        balances.holder_key,
        balances.allowance_code,
        balances.purchase_code,
        case when balances.is_once then balances.grant_kind else 'rollover' end as grant_kind,
        balances.carried_units as granted_units,
        null::timestamptz as usable_from,
        balances.usable_to,
        balances.is_once,
        balances.origin_month,
        balances.expires_month,
        -- what rolled over is lost with the allowance
        balances.is_once or holders.allowance_code is not null as is_usable,
        balances.invoice_run_id as carried_from_run_id
    from balances
    inner join months
        on
            balances.account_id = months.account_id
            and balances.period_month = months.period_month - interval '1 month'
    left join holders
        on
            months.period_month = holders.period_month
            and balances.holder_kind = holders.holder_kind
            and balances.holder_key = holders.holder_key
            and balances.allowance_code = holders.allowance_code
)

select
    granted_now.*,
    granted_now.period_month as origin_month,
    null::date as expires_month,
    true as is_usable,
    null::bigint as carried_from_run_id
from granted_now
union all
select
    carried.period_month,
    carried.account_id,
    carried.holder_kind,
    carried.holder_key,
    carried.allowance_code,
    carried.purchase_code,
    carried.grant_kind,
    carried.granted_units,
    carried.usable_from,
    carried.usable_to,
    carried.is_once,
    carried.origin_month,
    carried.expires_month,
    carried.is_usable,
    carried.carried_from_run_id
from carried
