-- Grain: one row per grant of units in a billing period, with the terms of its allowance and its
-- place: calls are offered to the grants pass by pass; grants of one allowance that follow each
-- other are one ladder, a grant is the units from rung_from to rung_to of it.
-- Numbered so that whatever may offer to one leg stands in the right order, with few passes:
-- services of an account, and accounts of a pool, stand beside each other.
{{ config(materialized='work_table') }}

with recursive granted as (
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

members as (
    select * from {{ ref('int_billing__allowance_members') }}
),

-- pools that have an account in common stand in one order
linked_pools (pool_code, linked_code) as (
    select
        members.pool_code,
        members.pool_code as linked_code
    from members
    union
    select
        linked_pools.pool_code,
        neighbours.pool_code as linked_code
    from linked_pools
    inner join members on linked_pools.linked_code = members.pool_code
    inner join members as neighbours on members.account_id = neighbours.account_id
),

pool_components as (
    select
        linked_pools.pool_code,
        'pool ' || min(linked_pools.linked_code) as component
    from linked_pools
    group by linked_pools.pool_code
),

account_components as (
    select
        members.account_id,
        min(pool_components.component) as component
    from members
    inner join pool_components on members.pool_code = pool_components.pool_code
    group by members.account_id
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
            when granted.holder_kind = 'pool' then pool_components.component
            else coalesce(account_components.component, granted.account_id::text)
        end as component
    from granted
    inner join months
        on granted.account_id = months.account_id and granted.period_month = months.period_month
    inner join allowances
        on
            granted.allowance_code = allowances.allowance_code
            and months.period_end_at > allowances.valid_from
    left join plans on allowances.plan_code = plans.plan_code
    left join pool_components on granted.holder_key = pool_components.pool_code
    left join account_components on granted.account_id = account_components.account_id
    -- by the terms in force last
    order by
        granted.period_month asc, granted.holder_kind asc, granted.holder_key asc,
        granted.allowance_code asc, granted.purchase_code asc, granted.grant_kind asc,
        granted.origin_month asc, granted.usable_from asc, granted.usable_to asc,
        allowances.valid_from desc
),

-- allowances for calls, messages and data never meet, unless one of money is among them
parted as (
    select
        termed.*,
        case
            when bool_or(termed.unit = 'money') over (
                partition by termed.period_month, termed.component
            ) then 'all'
            when termed.unit in ('messages', 'bytes') then termed.unit
            else 'calls'
        end as lane
    from termed
),

placed as (
    select
        parted.*,
        -- the order of use: whoever holds it
        dense_rank() over (
            partition by parted.period_month, parted.component, parted.lane, parted.is_usable
            order by
                parted.priority,
                parted.grant_kind = 'rollover',
                parted.origin_month,
                parted.expires_month,
                parted.usable_to,
                parted.usable_from,
                parted.allowance_code,
                parted.holder_kind,
                parted.purchase_code
        ) as place
    from parted
),

-- how many grants that the same usage may meet come before: nothing stands between two grants of
-- a holder with the same counts
met as (
    select
        placed.*,
        concat_ws(
            '/', placed.allowance_code,
            coalesce(placed.usable_from, '-infinity'), coalesce(placed.usable_to, 'infinity'),
            case
                when placed.holder_kind = 'pool'
                    then count(*) filter (where placed.holder_kind <> 'pool') over component
                else count(*) filter (where placed.holder_kind = 'pool') over component
            end,
            case
                when placed.holder_kind = 'account'
                    then count(*) filter (where placed.holder_kind = 'service') over account
                when placed.holder_kind = 'service'
                    then count(*) filter (where placed.holder_kind = 'account') over account
            end
        ) as offer
    from placed
    where placed.is_usable
    window
        component as (
            partition by placed.period_month, placed.component, placed.lane
            order by placed.place
            range unbounded preceding exclude group
        ),
        account as (
            partition by
                placed.period_month, placed.component, placed.lane,
                case when placed.holder_kind <> 'pool' then placed.account_id end
            order by placed.place
            range unbounded preceding exclude group
        )
),

turned as (
    select
        met.*,
        lag(met.offer) over holder as offer_before
    from met
    window
        holder as (
            partition by met.period_month, met.lane, met.holder_kind, met.holder_key
            order by met.place, met.purchase_code
        )
),

rungs as (
    select
        turned.*,
        count(*) filter (where turned.offer is distinct from turned.offer_before) over (
            partition by turned.period_month, turned.lane, turned.holder_kind, turned.holder_key
            order by turned.place, turned.purchase_code
            rows unbounded preceding
        ) as turn
    from turned
),

ladders as (
    select
        rungs.period_month,
        rungs.component,
        rungs.lane,
        rungs.account_id,
        rungs.holder_kind,
        rungs.holder_key,
        rungs.turn,
        min(rungs.place) as place
    from rungs
    group by
        rungs.period_month, rungs.component, rungs.lane, rungs.account_id, rungs.holder_kind,
        rungs.holder_key, rungs.turn
),

marked as (
    select
        ladders.*,
        case when ladders.holder_kind <> 'pool' then ladders.account_id end as in_account,
        -- pools side by side count once
        case
            when
                ladders.holder_kind = 'pool'
                and row_number() over (
                    partition by
                        ladders.period_month, ladders.component, ladders.lane,
                        ladders.holder_kind, ladders.place
                    order by ladders.holder_key
                ) = 1
                then 1
            else 0
        end as is_pool_step
    from ladders
),

-- between which steps of the pools, and of the account, a ladder stands
gapped as (
    select
        marked.*,
        coalesce(sum(marked.is_pool_step) over (
            partition by marked.period_month, marked.component, marked.lane
            order by marked.place
            range unbounded preceding exclude group
        ), 0) as pool_gap,
        count(*) filter (where marked.holder_kind = 'account') over (
            partition by marked.period_month, marked.component, marked.lane, marked.in_account
            order by marked.place
            range unbounded preceding exclude group
        ) as account_gap
    from marked
),

ranked as (
    select
        gapped.*,
        case
            when gapped.holder_kind = 'service'
                then
                    row_number() over (
                        partition by
                            gapped.period_month, gapped.lane, gapped.holder_kind,
                            gapped.holder_key, gapped.pool_gap, gapped.account_gap
                        order by gapped.place
                    )
            else 0
        end as service_step
    from gapped
),

-- an account between two of its own steps: its services beside each other, then the step
account_gaps as (
    select
        ranked.period_month,
        ranked.component,
        ranked.lane,
        ranked.in_account,
        ranked.pool_gap,
        ranked.account_gap,
        max(ranked.service_step) as service_steps,
        max(ranked.service_step)
        + count(*) filter (where ranked.holder_kind = 'account') as steps
    from ranked
    group by
        ranked.period_month, ranked.component, ranked.lane, ranked.in_account, ranked.pool_gap,
        ranked.account_gap
),

summed_gaps as (
    select
        account_gaps.*,
        sum(account_gaps.steps) over (
            partition by
                account_gaps.period_month, account_gaps.component, account_gaps.lane,
                account_gaps.in_account, account_gaps.pool_gap
            order by account_gaps.account_gap
            rows unbounded preceding
        ) as steps_until
    from account_gaps
),

pool_gaps as (
    select
        summed_gaps.period_month,
        summed_gaps.component,
        summed_gaps.lane,
        summed_gaps.pool_gap,
        max(summed_gaps.steps_until) as steps,
        -- steps of all gaps before, and the pool's own steps between them
        sum(max(summed_gaps.steps_until)) over (
            partition by summed_gaps.period_month, summed_gaps.component, summed_gaps.lane
            order by summed_gaps.pool_gap
            rows unbounded preceding
        ) - max(summed_gaps.steps_until) + summed_gaps.pool_gap as steps_before
    from summed_gaps
    group by
        summed_gaps.period_month, summed_gaps.component, summed_gaps.lane, summed_gaps.pool_gap
),

passes as (
    select
        ranked.period_month,
        ranked.lane,
        ranked.holder_kind,
        ranked.holder_key,
        ranked.turn,
        {{ checked_pass(
            'pool_gaps.steps_before + case ranked.holder_kind'
            ~ " when 'pool' then pool_gaps.steps + 1"
            ~ " when 'account' then summed_gaps.steps_until"
            ~ ' else summed_gaps.steps_until - summed_gaps.steps + ranked.service_step end'
        ) }} as pass_no
    from ranked
    inner join pool_gaps
        on
            ranked.period_month = pool_gaps.period_month
            and ranked.component = pool_gaps.component
            and ranked.lane = pool_gaps.lane
            and ranked.pool_gap = pool_gaps.pool_gap
    inner join summed_gaps
        on
            ranked.period_month = summed_gaps.period_month
            and ranked.component = summed_gaps.component
            and ranked.lane = summed_gaps.lane
            and ranked.pool_gap = summed_gaps.pool_gap
            and ranked.account_gap = summed_gaps.account_gap
            and ranked.in_account is not distinct from summed_gaps.in_account
),

numbered as (
    select
        placed.*,
        passes.pass_no,
        case
            when passes.pass_no is not null
                then
                    dense_rank() over (
                        order by
                            passes.pass_no, placed.period_month, placed.component, placed.lane,
                            placed.holder_kind, placed.holder_key
                    )
        end::integer as ladder_no
    from placed
    left join rungs
        on
            placed.is_usable
            and placed.period_month = rungs.period_month
            and placed.lane = rungs.lane
            and placed.holder_kind = rungs.holder_kind
            and placed.holder_key = rungs.holder_key
            and placed.place = rungs.place
            and placed.purchase_code = rungs.purchase_code
    left join passes
        on
            rungs.period_month = passes.period_month
            and rungs.lane = passes.lane
            and rungs.holder_kind = passes.holder_kind
            and rungs.holder_key = passes.holder_key
            and rungs.turn = passes.turn
)

select
    numbered.*,
    sum(numbered.granted_units) over ladder - numbered.granted_units as rung_from,
    sum(numbered.granted_units) over ladder as rung_to,
    row_number() over (
        order by
            numbered.period_month, numbered.account_id, numbered.holder_kind, numbered.holder_key,
            not numbered.is_usable, numbered.lane, numbered.place, numbered.purchase_code
    )::integer as grant_no
from numbered
window
    ladder as (
        partition by numbered.ladder_no
        order by numbered.place, numbered.purchase_code
        rows unbounded preceding
    )
