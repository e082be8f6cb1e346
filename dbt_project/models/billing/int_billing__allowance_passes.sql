-- Grain: one row per usage leg and pass in which it took units: the calls in order of their start,
-- then id, are offered to one ladder of grants after the other. What a pass leaves of a call
-- (rest) goes on to the next pass. Running sums in place of a loop over calls: a call takes what
-- the demand of those before it left of the room.
{{ config(materialized='work_table') }}
{% set passes = allowance_passes() %}

with legs as (
    select * from {{ ref('int_billing__allowance_legs') }}
),

classes as (
    select * from {{ ref('int_billing__allowance_classes') }}
),

offers as (
    select * from {{ ref('int_billing__allowance_offers') }}
),

step_0 as (
    select
        legs.account_id,
        legs.usage_id,
        legs.period_month,
        legs.started_at,
        legs.billable_seconds,
        legs.billed_units,
        legs.measure,
        legs.retail_amount,
        classes.class_no,
        legs.measure as rest_0
    from legs
    inner join classes
        on
            legs.account_id = classes.account_id
            and legs.period_month = classes.period_month
            and legs.service_id = classes.service_id
            and legs.pool_code = classes.pool_code
            and legs.plan_id = classes.plan_id
            and legs.usage_type = classes.usage_type
            and legs.charge_class = classes.charge_class
            and legs.direction = classes.direction
            and legs.destination_prefix = classes.destination_prefix
            and legs.currency_code = classes.currency_code
){% for pass in range(1, passes + 1) %}{% set before = 'step_' ~ (pass - 1) %},

asked_{{ pass }} as (
    select
        {{ before }}.*,
        offers.ladder_no as ladder_{{ pass }},
        offers.room as room_{{ pass }},
        offers.is_whole as is_whole_{{ pass }},
        offers.waives_connection_fee as waives_{{ pass }},
        offers.multiplier * case
            when offers.unit = 'money' then {{ before }}.retail_amount
            when offers.unit = 'calls' then 1
            when offers.consumes = 'real' then {{ before }}.billable_seconds
            else {{ before }}.billed_units
        end as whole_demand_{{ pass }}
    from {{ before }}
    left join offers
        on
            {{ before }}.class_no = offers.class_no
            and offers.pass_no = {{ pass }}
            and {{ before }}.started_at >= coalesce(offers.usable_from, '-infinity')
            and {{ before }}.started_at < coalesce(offers.usable_to, 'infinity')
),

demanded_{{ pass }} as (
    select
        asked_{{ pass }}.*,
        round(
            whole_demand_{{ pass }} * rest_{{ pass - 1 }} / asked_{{ pass }}.measure, 10
        ) as demand_{{ pass }}
    from asked_{{ pass }}
),

queued_{{ pass }} as (
    select
        demanded_{{ pass }}.*,
        coalesce(
            case
                when is_whole_{{ pass }}
                    then
                        reference.taken_whole(demand_{{ pass }}, room_{{ pass }})
                        filter (where is_whole_{{ pass }}) over calls_before
                else sum(demand_{{ pass }}) over calls_before
            end, 0
        ) as before_{{ pass }}
    from demanded_{{ pass }}
    window
        calls_before as (
            partition by ladder_{{ pass }}
            order by started_at, usage_id
            rows between unbounded preceding and 1 preceding
        )
),

taken_{{ pass }} as (
    select
        queued_{{ pass }}.*,
        case
            when ladder_{{ pass }} is null then 0
            when is_whole_{{ pass }} and before_{{ pass }} + demand_{{ pass }} > room_{{ pass }}
                then 0
            else greatest(least(demand_{{ pass }}, room_{{ pass }} - before_{{ pass }}), 0)
        end as taken_{{ pass }}
    from queued_{{ pass }}
),

step_{{ pass }} as (
    select
        taken_{{ pass }}.*,
        case
            when taken_{{ pass }}.taken_{{ pass }} = 0 then rest_{{ pass - 1 }}
            when taken_{{ pass }}.taken_{{ pass }} = demand_{{ pass }} then 0
            else
                rest_{{ pass - 1 }} - round(
                    taken_{{ pass }}.taken_{{ pass }} * taken_{{ pass }}.measure
                    / whole_demand_{{ pass }},
                    10
                )
        end as rest_{{ pass }}
    from taken_{{ pass }}
){% endfor %}

select
    calls.account_id,
    calls.usage_id,
    calls.period_month,
    used.pass_no,
    used.ladder_no,
    used.waives_connection_fee,
    used.before_units,
    used.taken_units,
    calls.measure,
    used.rest_before,
    used.rest_after
from step_{{ passes }} as calls
inner join lateral (
    values
    {%- for pass in range(1, passes + 1) %}
    (
        {{ pass }}, calls.ladder_{{ pass }}, calls.waives_{{ pass }}, calls.before_{{ pass }},
        calls.taken_{{ pass }}, calls.rest_{{ pass - 1 }}, calls.rest_{{ pass }}
    ){{ ',' if not loop.last }}
    {%- else %}
    (null::integer, null::integer, null::boolean, 0, 0, 0, 0)
    {%- endfor %}
) as used (
    pass_no, ladder_no, waives_connection_fee, before_units, taken_units, rest_before, rest_after
) on true
where used.taken_units > 0
