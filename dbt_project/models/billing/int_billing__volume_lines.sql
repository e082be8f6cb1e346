-- Grain: one row per counter of a volume price and period: what brings the rated usage to the price
-- of the quantity. The quantity so far is priced as a whole, less what that gave before this
-- period: so invoices add up to the price of the counter period, whatever came late.
{{ config(materialized='work_table') }}

with counters as (
    select * from {{ ref('int_billing__volume_counters') }}
),

tiers as (
    select
        tier.schedule_code,
        tier.above,
        tier.up_to,
        coalesce(tier.unit_price, 0) + coalesce(tier.rate_percent, 0) / 100 as unit_price,
        coalesce(tier.flat_fee, 0) as flat_fee,
        tier.valid_from,
        tier.valid_to
    from {{ source('reference', 'tier') }} as tier
    where {{ known_to_invoice_run('tier') }}
),

-- Raw units (seconds rather than minutes): amounts are divided last, and stay exact.
quantities as (
    select
        counters.*,
        point.is_now,
        greatest(
            case when point.is_now then counters.pool_raw_so_far else counters.pool_raw_before end
            - counters.free_units * counters.unit_size, 0
        ) as paid_raw,
        counters.package_size * counters.unit_size as package_raw
    from counters
    cross join (values (true), (false)) as point (is_now)
    where point.is_now or counters.is_continued
),

amounts as (
    select
        quantities.account_id,
        quantities.period_month,
        quantities.volume_code,
        quantities.plan_id,
        quantities.service_id,
        sum(quantities.amount) filter (where quantities.is_now) as charge_so_far,
        coalesce(sum(quantities.amount) filter (where not quantities.is_now), 0) as charge_before,
        -- one row of each is there
        (array_agg(quantities.parts) filter (where quantities.is_now))[1] as parts
    from (
        select
            quantities.account_id,
            quantities.period_month,
            quantities.volume_code,
            quantities.plan_id,
            quantities.service_id,
            quantities.is_now,
            case quantities.pricing
                when 'package'
                    then
                        ceil(quantities.paid_raw / quantities.package_raw)
                        * quantities.package_price
                else coalesce(tiered.raw_amount / quantities.unit_size + tiered.flat_amount, 0)
            end as amount,
            case quantities.pricing
                when 'package'
                    then jsonb_build_array(jsonb_build_object(
                        'packages', ceil(quantities.paid_raw / quantities.package_raw),
                        'package_size', trim_scale(quantities.package_size),
                        'package_price', trim_scale(quantities.package_price)
                    ))
                else tiered.parts
            end as parts
        from quantities
        left join lateral (
            select
                sum(entered.raw_units * entered.unit_price) as raw_amount,
                sum(entered.flat_fee) as flat_amount,
                jsonb_agg(
                    jsonb_build_object(
                        'above', trim_scale(entered.above),
                        'up_to', trim_scale(entered.up_to),
                        'units', trim_scale(round(entered.raw_units / quantities.unit_size, 6)),
                        'unit_price', trim_scale(entered.unit_price),
                        'flat_fee', trim_scale(entered.flat_fee)
                    )
                    order by entered.above
                ) as parts
            from (
                select
                    tiers.above,
                    tiers.up_to,
                    tiers.unit_price,
                    tiers.flat_fee,
                    case quantities.pricing
                        when 'volume' then quantities.paid_raw
                        else
                            least(quantities.paid_raw, tiers.up_to * quantities.unit_size)
                            - tiers.above * quantities.unit_size
                    end as raw_units
                from tiers
                where
                    tiers.schedule_code = quantities.schedule_code
                    and tiers.valid_from <= quantities.priced_at
                    and tiers.valid_to > quantities.priced_at
                    and case
                        when quantities.paid_raw = 0
                            then tiers.above = 0 and quantities.zero_quantity_rule = 'first_flat'
                        when quantities.pricing = 'volume'
                            then
                                quantities.paid_raw > tiers.above * quantities.unit_size
                                and (
                                    tiers.up_to is null
                                    or quantities.paid_raw <= tiers.up_to * quantities.unit_size
                                )
                        else quantities.paid_raw > tiers.above * quantities.unit_size
                    end
            ) as entered
        ) as tiered on true
    ) as quantities
    group by
        quantities.account_id,
        quantities.period_month,
        quantities.volume_code,
        quantities.plan_id,
        quantities.service_id
),

-- Accounts that share a counter share its price by quantity, evenly where nothing was used. The
-- share is the difference of rounded running sums, so that the shares add up.
shares as (
    select
        counters.*,
        amounts.charge_so_far,
        amounts.charge_before,
        amounts.parts,
        case
            when counters.pool_raw_quantity = 0
                then
                    (row_number() over pool)::numeric
                    / count(*) over (
                        partition by
                            counters.volume_code,
                            counters.plan_id,
                            counters.pool_account_id,
                            counters.service_id,
                            counters.period_month
                    )
            else sum(counters.raw_quantity) over pool / counters.pool_raw_quantity
        end as running_part,
        case
            when counters.pool_raw_quantity = 0
                then
                    1::numeric
                    / count(*) over (
                        partition by
                            counters.volume_code,
                            counters.plan_id,
                            counters.pool_account_id,
                            counters.service_id,
                            counters.period_month
                    )
            else counters.raw_quantity / counters.pool_raw_quantity
        end as own_part
    from counters
    inner join amounts
        on
            counters.account_id = amounts.account_id
            and counters.period_month = amounts.period_month
            and counters.volume_code = amounts.volume_code
            and counters.plan_id is not distinct from amounts.plan_id
            and counters.service_id is not distinct from amounts.service_id
    window pool as (
        partition by
            counters.volume_code,
            counters.plan_id,
            counters.pool_account_id,
            counters.service_id,
            counters.period_month
        order by counters.account_id
    )
),

charged as (
    select
        shares.*,
        (shares.charge_so_far - shares.charge_before) * shares.own_part as exact_charge,
        {{ round_money(
            '(shares.charge_so_far - shares.charge_before) * shares.running_part',
            'shares.rounding_decimals', 'shares.rounding_mode'
        ) }}
        - {{ round_money(
            '(shares.charge_so_far - shares.charge_before) * (shares.running_part - shares.own_part)',
            'shares.rounding_decimals', 'shares.rounding_mode'
        ) }} as charge
    from shares
)

select
    charged.account_id,
    charged.period_month,
    'volume' as line_kind,
    case
        when charged.only_charge_class is not null then charged.only_charge_class
        when charged.usage_type in ('sms', 'mms') then 'messages'
        when charged.usage_type = 'data' then 'data'
        else 'volume'
    end as charge_class,
    charged.volume_code as product_code,
    charged.volume_name
    || coalesce(' ' || service_key.service_code, '') as description,
    charged.plan_id,
    charged.currency_code,
    charged.record_count,
    (charged.raw_quantity / charged.unit_size)::numeric(24, 6) as quantity,
    charged.unit_name as unit,
    (
        charged.exact_charge
        - case when charged.effect = 'replace' then charged.unrounded_amount else 0 end
    )::numeric(28, 14) as unrounded_amount,
    (
        charged.charge
        - case when charged.effect = 'replace' then charged.rated_amount else 0 end
    )::numeric(28, 14) as line_amount,
    jsonb_strip_nulls(jsonb_build_object(
        'schedule', charged.schedule_code,
        'pricing', charged.pricing,
        'counted_from', charged.counted_from,
        'service', service_key.service_code,
        'free_units', nullif(trim_scale(charged.free_units), 0),
        'quantity_before', trim_scale(round(charged.pool_raw_before / charged.unit_size, 6)),
        'quantity_so_far', trim_scale(round(charged.pool_raw_so_far / charged.unit_size, 6)),
        'charge_before', trim_scale(charged.charge_before),
        'charge_so_far', trim_scale(charged.charge_so_far),
        'own_part', case
            when charged.counter = 'group' then trim_scale(round(charged.own_part, 10))
        end,
        'charge', trim_scale(charged.charge),
        'in_place_of', case
            when charged.effect = 'replace' then trim_scale(charged.rated_amount)
        end
    )) || jsonb_build_object('tiers', charged.parts) as detail
from charged
left join {{ source('reference', 'service_key') }} as service_key
    on charged.service_id = service_key.service_id
where charged.record_count <> 0 or charged.charge <> 0
