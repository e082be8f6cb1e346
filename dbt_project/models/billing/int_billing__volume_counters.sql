-- Grain: one row per counter and period: what was used in it, and before it in the same counter
-- period. A counter belongs to a volume price and an account, or a service of it; counters that
-- accounts of the bill group share have their totals beside (pool_).
{{ config(materialized='work_table') }}

with months as (
    select
        months.*,
        accounts.account_code,
        accounts.plan_code as account_plan_code
    from {{ ref('int_billing__months') }} as months
    inner join {{ ref('int_billing__accounts') }} as accounts
        on months.account_id = accounts.account_id
),

held as (
    select
        months.account_code,
        months.account_plan_code,
        months.period_month,
        months.period_start_at,
        months.period_end_at,
        volume_prices.*,
        min(volume_prices.scope_rank) over (
            partition by months.account_id, months.period_month, volume_prices.volume_code
        ) as first_rank
    from months
    inner join {{ ref('int_billing__volume_prices') }} as volume_prices
        on
            months.account_id = volume_prices.account_id
            and months.period_end_at > volume_prices.valid_from
            and months.period_start_at < volume_prices.valid_to
),

-- the version that held last in the period
prices as (
    select distinct on (held.account_id, held.period_month, held.volume_code, held.plan_id)
        held.*,
        least(held.valid_to, held.period_end_at) - interval '1 microsecond' as priced_at
    from held
    where held.scope_rank = held.first_rank
    order by
        held.account_id asc,
        held.period_month asc,
        held.volume_code asc,
        held.plan_id asc,
        held.valid_from desc
),

priced as (
    select
        prices.*,
        {{ longer_period_start(
            'prices.period_month', 'prices.period_length', 'prices.anchor_month'
        ) }} as counted_from,
        schedules.schedule_name,
        schedules.pricing,
        schedules.measure,
        schedules.unit_size,
        schedules.unit_name,
        schedules.free_units,
        schedules.package_size,
        schedules.package_price,
        schedules.zero_quantity_rule,
        schedules.currency_code,
        schedules.rounding_decimals,
        schedules.rounding_mode
    from prices
    inner join {{ source('reference', 'tier_schedule') }} as schedules
        on
            prices.schedule_code = schedules.schedule_code
            and prices.priced_at >= schedules.valid_from
            and prices.priced_at < schedules.valid_to
    where {{ known_to_invoice_run('schedules') }}
),

usage_counts as (
    select * from {{ ref('int_billing__usage_counts') }}
),

-- Usage counts once for each effect.
counted as (
    select distinct on (usage_counts.count_no, priced.effect)
        usage_counts.*,
        priced.volume_code,
        priced.plan_id as price_plan_id,
        priced.effect,
        case when priced.counter = 'service' then usage_counts.service_id end as counter_service_id,
        case priced.measure
            when 'billed_units' then usage_counts.billed_units
            when 'real_seconds' then usage_counts.real_seconds
            when 'records' then usage_counts.record_count
            when 'amount' then usage_counts.unrounded_amount
        end as raw_quantity
    from usage_counts
    inner join priced
        on
            usage_counts.account_id = priced.account_id
            and usage_counts.period_month = priced.period_month
            and usage_counts.currency_code = priced.currency_code
            and (priced.usage_type is null or usage_counts.usage_type = priced.usage_type)
            and (
                priced.charge_classes is null
                or usage_counts.charge_class = any(priced.charge_classes)
            )
            and (priced.plan_id is null or usage_counts.plan_id = priced.plan_id)
            and (
                priced.destination_group_code is null
                or priced.destination_group_code = any(usage_counts.destination_groups)
            )
    order by
        usage_counts.count_no asc,
        priced.effect asc,
        priced.priority asc,
        priced.volume_code asc
),

plans as (
    select * from {{ ref('int_billing__plans') }}
),

-- A plan that rounds per line did so by charge class: the same is taken off again.
shares as (
    select
        counted.account_id,
        counted.period_month,
        counted.volume_code,
        counted.price_plan_id,
        counted.counter_service_id,
        sum(counted.leg_count) as record_count,
        sum(counted.raw_quantity) as raw_quantity,
        sum(counted.unrounded_amount) as unrounded_amount,
        case max(plans.rounding_level)
            when 'line'
                then
                    {{ round_to(
                        'round(sum(counted.unrounded_amount), 12)', 'max(plans.rounding_decimals)',
                        'max(plans.rounding_unit)', 'max(plans.rounding_mode)'
                    ) }}
            when 'invoice' then sum(counted.unrounded_amount)
            else sum(counted.retail_amount)
        end as rated_amount
    from counted
    inner join plans on counted.plan_id = plans.plan_id
    group by
        counted.account_id,
        counted.period_month,
        counted.volume_code,
        counted.price_plan_id,
        counted.counter_service_id,
        counted.plan_id,
        counted.charge_class
),

used as (
    select
        shares.account_id,
        shares.period_month,
        shares.volume_code,
        shares.price_plan_id,
        shares.counter_service_id as service_id,
        sum(shares.record_count) as record_count,
        sum(shares.raw_quantity) as raw_quantity,
        sum(shares.unrounded_amount) as unrounded_amount,
        sum(shares.rated_amount) as rated_amount
    from shares
    group by
        shares.account_id,
        shares.period_month,
        shares.volume_code,
        shares.price_plan_id,
        shares.counter_service_id
),

services as (
    select distinct
        service.account_code,
        service.service_id,
        service.plan_code,
        service.valid_from,
        service.valid_to
    from {{ source('reference', 'service') }} as service
    where {{ known_to_invoice_run('service') }}
),

-- Counters stand still too: what nothing was used of may have a fee.
counters as (
    select
        priced.account_id,
        priced.period_month,
        priced.volume_code,
        priced.plan_id,
        null::bigint as service_id
    from priced
    where priced.counter <> 'service'
    union
    select
        priced.account_id,
        priced.period_month,
        priced.volume_code,
        priced.plan_id,
        services.service_id
    from priced
    inner join services
        on
            priced.account_code = services.account_code
            and priced.period_end_at > services.valid_from
            and priced.period_start_at < services.valid_to
    left join plans on priced.plan_id = plans.plan_id
    where
        priced.counter = 'service'
        -- the plan of the service, else of the account, else the default one
        and (
            priced.plan_id is null
            or coalesce(services.plan_code, priced.account_plan_code) = plans.plan_code
            or (
                services.plan_code is null
                and priced.account_plan_code is null
                and plans.is_default
            )
        )
    union
    select
        used.account_id,
        used.period_month,
        used.volume_code,
        used.price_plan_id,
        used.service_id
    from used
    where used.service_id is not null
),

by_month as (
    select
        priced.*,
        counters.service_id,
        case
            when priced.counter = 'group' then 0 else priced.account_id
        end as pool_account_id,
        coalesce(used.record_count, 0) as record_count,
        greatest(coalesce(used.raw_quantity, 0), 0) as raw_quantity,
        coalesce(used.unrounded_amount, 0) as unrounded_amount,
        coalesce(used.rated_amount, 0) as rated_amount
    from priced
    inner join counters
        on
            priced.account_id = counters.account_id
            and priced.period_month = counters.period_month
            and priced.volume_code = counters.volume_code
            and priced.plan_id is not distinct from counters.plan_id
            and (priced.counter = 'service') = (counters.service_id is not null)
    left join used
        on
            priced.account_id = used.account_id
            and priced.period_month = used.period_month
            and priced.volume_code = used.volume_code
            and priced.plan_id is not distinct from used.price_plan_id
            and counters.service_id is not distinct from used.service_id
),

pools as (
    select
        by_month.volume_code,
        by_month.plan_id,
        by_month.pool_account_id,
        by_month.service_id,
        by_month.counted_from,
        by_month.period_month,
        sum(by_month.raw_quantity) as raw_quantity,
        sum(sum(by_month.raw_quantity)) over counter_period as raw_quantity_so_far,
        count(*) over counter_period > 1 as is_continued
    from by_month
    group by
        by_month.volume_code,
        by_month.plan_id,
        by_month.pool_account_id,
        by_month.service_id,
        by_month.counted_from,
        by_month.period_month
    window counter_period as (
        partition by
            by_month.volume_code,
            by_month.plan_id,
            by_month.pool_account_id,
            by_month.service_id,
            by_month.counted_from
        order by by_month.period_month
    )
)

select
    by_month.account_id,
    by_month.period_month,
    by_month.volume_code,
    by_month.volume_name,
    by_month.plan_id,
    by_month.service_id,
    by_month.pool_account_id,
    by_month.schedule_code,
    by_month.schedule_name,
    by_month.priced_at,
    by_month.counter,
    by_month.counted_from,
    by_month.usage_type,
    case
        when cardinality(by_month.charge_classes) = 1 then by_month.charge_classes[1]
    end as only_charge_class,
    by_month.effect,
    by_month.pricing,
    by_month.measure,
    by_month.unit_size,
    by_month.unit_name,
    by_month.free_units,
    by_month.package_size,
    by_month.package_price,
    by_month.zero_quantity_rule,
    by_month.currency_code,
    by_month.rounding_decimals,
    by_month.rounding_mode,
    by_month.record_count,
    by_month.raw_quantity,
    by_month.unrounded_amount,
    by_month.rated_amount,
    pools.raw_quantity as pool_raw_quantity,
    pools.raw_quantity_so_far as pool_raw_so_far,
    pools.raw_quantity_so_far - pools.raw_quantity as pool_raw_before,
    pools.is_continued
from by_month
inner join pools
    on
        by_month.volume_code = pools.volume_code
        and by_month.plan_id is not distinct from pools.plan_id
        and by_month.pool_account_id = pools.pool_account_id
        and by_month.service_id is not distinct from pools.service_id
        and by_month.counted_from = pools.counted_from
        and by_month.period_month = pools.period_month
