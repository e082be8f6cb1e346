-- Grain: one row per kind of usage and pass in which there is an allowance for it, with the room of
-- all grants of its ladder.
{{ config(
    materialized='work_table',
    indexes=[{'columns': ['pass_no', 'class_no']}]
) }}

with classes as (
    select * from {{ ref('int_billing__allowance_classes') }}
),

months as (
    select * from {{ ref('int_billing__months') }}
),

ladders as (
    select distinct on (placed.ladder_no)
        placed.*,
        sum(placed.granted_units) over (partition by placed.ladder_no) as room
    from {{ ref('int_billing__allowance_grants') }} as placed
    where placed.ladder_no is not null
    order by placed.ladder_no, placed.place
),

rules as (
    select allowance_rule.*
    from {{ source('reference', 'allowance_rule') }} as allowance_rule
    where {{ known_at_invoice('allowance_rule') }}
),

destinations as (
    select destination_group.*
    from {{ source('reference', 'destination_group') }} as destination_group
    where {{ known_at_invoice('destination_group') }}
),

offered as (
    select
        classes.class_no,
        classes.usage_type,
        classes.charge_class,
        classes.direction,
        classes.destination_prefix,
        months.period_start_at,
        months.period_end_at,
        ladders.pass_no,
        ladders.ladder_no,
        ladders.allowance_code,
        ladders.unit,
        ladders.consumes,
        ladders.overage,
        ladders.waives_connection_fee,
        ladders.usable_from,
        ladders.usable_to,
        ladders.room
    from classes
    inner join months
        on classes.account_id = months.account_id and classes.period_month = months.period_month
    inner join lateral (
        values
        ('service', classes.service_id::text),
        ('account', classes.account_id::text),
        ('pool', classes.pool_code)
    ) as takers (holder_kind, holder_key) on true
    inner join ladders
        on
            takers.holder_kind = ladders.holder_kind
            and takers.holder_key = ladders.holder_key
            and classes.period_month = ladders.period_month
    where
        coalesce(ladders.own_plan_id = classes.plan_id, true)
        and case ladders.unit
            when 'messages' then classes.usage_type in ('sms', 'mms')
            when 'bytes' then classes.usage_type = 'data'
            when 'money' then classes.currency_code = ladders.currency_code
            else classes.usage_type = 'voice'
        end
),

-- the closest rule: longest prefix, then what it says of class, type and direction
ruled as (
    select distinct on (offered.class_no, offered.pass_no)
        offered.*,
        rules.allowance_code is not null as has_rule,
        coalesce(rules.is_included, true) as is_included,
        coalesce(rules.multiplier, 1) as multiplier
    from offered
    left join rules
        on
            offered.allowance_code = rules.allowance_code
            and offered.period_start_at < rules.valid_to
            and offered.period_end_at > rules.valid_from
            and rules.usage_type in ('any', offered.usage_type)
            and rules.charge_class in ('any', offered.charge_class)
            and rules.direction in ('any', offered.direction)
    left join destinations
        on
            rules.destination_group_code = destinations.destination_group_code
            and offered.period_start_at < destinations.valid_to
            and offered.period_end_at > destinations.valid_from
            and starts_with(offered.destination_prefix, destinations.prefix)
    where
        rules.allowance_code is null
        or rules.destination_group_code = 'any'
        or destinations.prefix is not null
    order by
        offered.class_no asc,
        offered.pass_no asc,
        coalesce(length(destinations.prefix), 0) desc,
        rules.charge_class = 'any' asc,
        rules.usage_type = 'any' asc,
        rules.direction = 'any' asc,
        rules.valid_from desc,
        rules.is_included asc,
        rules.multiplier desc
),

ruled_allowances as (
    select distinct rules.allowance_code from rules
)

select
    ruled.class_no,
    ruled.pass_no,
    ruled.ladder_no,
    ruled.unit,
    ruled.consumes,
    ruled.overage = 'whole_call' as is_whole,
    ruled.waives_connection_fee,
    ruled.usable_from,
    ruled.usable_to,
    ruled.multiplier,
    ruled.room
from ruled
left join ruled_allowances on ruled.allowance_code = ruled_allowances.allowance_code
where ruled.is_included and (ruled.has_rule or ruled_allowances.allowance_code is null)
