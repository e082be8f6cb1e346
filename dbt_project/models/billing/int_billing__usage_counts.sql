-- Grain: one row per account, period, service, plan, usage type, charge class, currency and
-- destination groups: what
-- volume prices count. Only of accounts that have any.
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
        destination_group.recorded_from <= '{{ current_invoice_run()['cutoff'] }}'::timestamptz
        and destination_group.recorded_to > '{{ current_invoice_run()['cutoff'] }}'::timestamptz
        and destination_group.destination_group_code in (
            select volume_prices.destination_group_code
            from {{ ref('int_billing__volume_prices') }} as volume_prices
        )
)

select
    row_number() over () as count_no,
    usage.account_id,
    usage.period_month,
    usage.service_id,
    usage.plan_id,
    usage.usage_type,
    usage.charge_class,
    usage.currency_code,
    reached.destination_groups,
    count(*) as record_count,
    sum(coalesce(usage.retail_billed_units, usage.retail_billed_seconds)) as billed_units,
    sum(usage.billable_seconds) as real_seconds,
    sum(usage.retail_unrounded_amount) as unrounded_amount,
    sum(usage.retail_amount) as retail_amount
from {{ ref('current_rated_usage') }} as usage
inner join months
    on
        usage.account_id = months.account_id
        and usage.period_month = months.period_month
cross join lateral (
    select
        array_agg(
            distinct destinations.destination_group_code
            order by destinations.destination_group_code
        ) as destination_groups
    from destinations
    where
        starts_with(usage.rated_number::text, destinations.prefix)
        and destinations.valid_from <= usage.started_at
        and destinations.valid_to > usage.started_at
) as reached
where
    usage.state = 'billed'
    -- Encloses every period counted, in any zone and for any anchor day: reaches partitions. The
    -- longest is a year, which may count one that began a year before.
    and usage.started_at >= (
        date '{{ current_invoice_run()['period_month'] }}' - interval '23 months 1 day'
    )::timestamp at time zone 'UTC'
    and usage.started_at < (
        date '{{ current_invoice_run()['period_month'] }}' + interval '2 months 1 day'
    )::timestamp at time zone 'UTC'
group by
    usage.account_id,
    usage.period_month,
    usage.service_id,
    usage.plan_id,
    usage.usage_type,
    usage.charge_class,
    usage.currency_code,
    reached.destination_groups
