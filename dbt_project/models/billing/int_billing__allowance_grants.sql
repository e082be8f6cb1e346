-- Grain: one row per grant of units in a billing period, with the terms of its allowance and its
-- place: calls are offered to the grants pass by pass; grants of one allowance that follow each
-- other are one ladder, a grant is the units from rung_from to rung_to of it.
-- Accounts that share pools are numbered together: the order must be the same for all that take
-- from a grant.
{{ config(materialized='work_table') }}

with granted as (
    select * from {{ ref('int_billing__allowance_granted') }}
),

months as (
    select * from {{ ref('int_billing__months') }}
),

allowances as (
    select allowance.*
    from {{ source('reference', 'allowance') }} as allowance
    where {{ known_at_invoice('allowance') }}
),

plans as (
    select distinct
        plan.plan_id,
        plan.plan_code
    from {{ source('reference', 'plan') }} as plan
),

pooled_accounts as (
    select distinct members.account_id
    from {{ ref('int_billing__allowance_members') }} as members
),

termed as (
    select distinct on (
        granted.period_month, granted.holder_kind, granted.holder_key, granted.allowance_code,
        granted.purchase_code, granted.grant_kind, granted.origin_month, granted.usable_from,
        granted.usable_to
    )
        granted.*,
        allowances.allowance_name,
        allowances.unit,
        allowances.currency_code,
        allowances.consumes,
        allowances.overage,
        allowances.waives_connection_fee,
        allowances.rollover_percent,
        allowances.rollover_limit,
        allowances.rollover_maximum,
        allowances.rollover_periods,
        case when allowances.eligible_plans = 'own' then plans.plan_id end as own_plan_id,
        case granted.grant_kind
            when 'rollover' then allowances.rollover_priority
            when 'plan' then coalesce(allowances.priority, 100)
            else coalesce(allowances.priority, 200)
        end as priority,
        case
            when granted.holder_kind = 'pool' or pooled_accounts.account_id is not null then 0
            else granted.account_id
        end as component
    from granted
    inner join months
        on granted.account_id = months.account_id and granted.period_month = months.period_month
    inner join allowances
        on
            granted.allowance_code = allowances.allowance_code
            and months.period_end_at > allowances.valid_from
    left join plans on allowances.plan_code = plans.plan_code
    left join pooled_accounts on granted.account_id = pooled_accounts.account_id
    -- by the terms in force last
    order by
        granted.period_month asc, granted.holder_kind asc, granted.holder_key asc,
        granted.allowance_code asc, granted.purchase_code asc, granted.grant_kind asc,
        granted.origin_month asc, granted.usable_from asc, granted.usable_to asc,
        allowances.valid_from desc
),

placed as (
    select
        termed.*,
        -- the order of use: whoever holds it
        dense_rank() over (
            partition by termed.period_month, termed.component, termed.is_usable
            order by
                termed.priority,
                termed.grant_kind = 'rollover',
                termed.origin_month,
                termed.expires_month,
                termed.usable_to,
                termed.usable_from,
                termed.allowance_code,
                termed.holder_kind,
                termed.purchase_code
        ) as place
    from termed
),

places as (
    select distinct
        placed.period_month,
        placed.component,
        placed.place,
        -- the terms that calls must meet
        concat_ws(
            '/', placed.allowance_code, placed.holder_kind,
            coalesce(placed.usable_from, '-infinity'), coalesce(placed.usable_to, 'infinity')
        ) as offer
    from placed
    where placed.is_usable
),

turns as (
    select
        places.*,
        lag(places.offer) over (
            partition by places.period_month, places.component order by places.place
        ) as offer_before
    from places
),

passes as (
    select
        turns.period_month,
        turns.component,
        turns.place,
        count(*) filter (where turns.offer is distinct from turns.offer_before) over (
            partition by turns.period_month, turns.component order by turns.place
        )::integer as pass_no
    from turns
)

select
    placed.*,
    passes.pass_no,
    case
        when passes.pass_no is not null
            then
                dense_rank() over (
                    order by
                        passes.pass_no, placed.period_month, placed.component,
                        placed.holder_kind, placed.holder_key
                )
    end::integer as ladder_no,
    sum(placed.granted_units) over ladder - placed.granted_units as rung_from,
    sum(placed.granted_units) over ladder as rung_to,
    row_number() over (
        order by
            placed.period_month, placed.account_id, placed.holder_kind, placed.holder_key,
            placed.is_usable desc, placed.place, placed.purchase_code
    )::integer as grant_no
from placed
left join passes
    on
        placed.period_month = passes.period_month
        and placed.component = passes.component
        and placed.place = passes.place
        and placed.is_usable
window
    ladder as (
        partition by
            passes.pass_no, placed.period_month, placed.component, placed.holder_kind,
            placed.holder_key
        order by placed.place, placed.purchase_code
        rows unbounded preceding
    )
