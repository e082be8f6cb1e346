-- Grain: one row per account, period, service, plan, usage type, charge class, currency and
-- destination groups: what volume prices count, which is what allowances left to pay. Only of
-- accounts that have volume prices.
{{ config(materialized='work_table') }}

with months as (
    select
        months.account_id,
        months.period_month
    from {{ ref('int_billing__months') }} as months
    where exists (
        select 1
        from {{ ref('int_billing__volume_prices') }} as volume_prices
        where volume_prices.account_id = months.account_id
    )
),

-- only destinations that a volume price names
destinations as (
    select
        destination_group.destination_group_code,
        destination_group.prefix,
        destination_group.valid_from,
        destination_group.valid_to
    from {{ source('reference', 'destination_group') }} as destination_group
    where
        {{ known_to_invoice_run('destination_group') }}
        and destination_group.destination_group_code in (
            select volume_prices.destination_group_code
            from {{ ref('int_billing__volume_prices') }} as volume_prices
        )
),

free as (
    select
        allowance_use.account_id,
        allowance_use.usage_id,
        sum(allowance_use.units_taken) as units,
        sum(allowance_use.waived_sixtieths) / 60 as unrounded_amount,
        sum(allowance_use.waived_amount) as amount
    from {{ ref('allowance_use') }} as allowance_use
    inner join months
        on
            allowance_use.account_id = months.account_id
            and allowance_use.period_month = months.period_month
    where allowance_use.invoice_run_id = {{ run_id('invoice_run_id') }}
    group by allowance_use.account_id, allowance_use.usage_id
),

legs as (
    select
        usage.*,
        coalesce(usage.retail_billed_units, usage.retail_billed_seconds) as billed_units,
        coalesce(free.units, 0) as free_units,
        coalesce(free.unrounded_amount, 0) as free_unrounded_amount,
        coalesce(free.amount, 0) as free_amount
    from {{ ref('current_rated_usage') }} as usage
    inner join months
        on
            usage.account_id = months.account_id
            and usage.period_month = months.period_month
    left join free
        on
            usage.account_id = free.account_id
            and usage.usage_id = free.usage_id
    where
        usage.state = 'billed'
        -- Encloses every period counted, in any zone and for any anchor day: reaches partitions.
        -- The longest is a year, which may count one that began a year before.
        and usage.started_at >= (
            date '{{ current_invoice_run()['period_month'] }}' - interval '23 months 1 day'
        )::timestamp at time zone 'UTC'
        and usage.started_at < (
            date '{{ current_invoice_run()['period_month'] }}' + interval '2 months 1 day'
        )::timestamp at time zone 'UTC'
)

select
    row_number() over () as count_no,
    legs.account_id,
    legs.period_month,
    legs.service_id,
    legs.plan_id,
    legs.usage_type,
    legs.charge_class,
    legs.currency_code,
    reached.destination_groups,
    count(*) as leg_count,
    -- what is wholly free is no record of volume prices
    count(*) filter (where legs.free_units = 0 or legs.free_units < legs.billed_units)
        as record_count,
    sum(legs.billed_units - legs.free_units) as billed_units,
    sum(
        case
            when legs.billed_units > 0
                then
                    legs.billable_seconds * (legs.billed_units - legs.free_units)
                    / legs.billed_units
            else legs.billable_seconds
        end
    ) as real_seconds,
    sum(legs.retail_unrounded_amount - legs.free_unrounded_amount) as unrounded_amount,
    sum(legs.retail_amount - legs.free_amount) as retail_amount
from legs
left join lateral (
    select
        array_agg(
            distinct destinations.destination_group_code
            order by destinations.destination_group_code
        ) as destination_groups
    from destinations
    where
        starts_with(legs.rated_number::text, destinations.prefix)
        and destinations.valid_from <= legs.started_at
        and destinations.valid_to > legs.started_at
) as reached on true
group by
    legs.account_id,
    legs.period_month,
    legs.service_id,
    legs.plan_id,
    legs.usage_type,
    legs.charge_class,
    legs.currency_code,
    reached.destination_groups
