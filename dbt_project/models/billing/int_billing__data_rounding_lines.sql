-- Grain: one row per account, period, plan, currency and kind of rounding: what data costs beyond
-- its single records, where minimum and increment are for a session, a day or the period. Each
-- group is brought up as a whole and its amount rounded once, whatever came in which file.
{{ config(materialized='work_table') }}

with months as (
    select * from {{ ref('int_billing__months') }}
),

plans as (
    select * from {{ ref('int_billing__plans') }}
),

grouped as (
    select
        rated.account_id,
        rated.period_month,
        rated.plan_id,
        rated.charge_class,
        rated.currency_code,
        rated.service_id,
        rated.retail_unit_price,
        rated.rounding_group,
        sum(rated.retail_billed_units)::bigint as units,
        sum(rated.retail_unrounded_amount) as unrounded_amount,
        sum(rated.retail_amount) as retail_amount
    from {{ ref('current_rated_usage') }} as rated
    inner join months
        on
            rated.account_id = months.account_id
            and rated.period_month = months.period_month
    where
        {{ 'true' if has_grouped_data() else 'false' }}
        and rated.state = 'billed'
        and rated.rounding_group is not null
        -- what the join says, for the partitions
        and rated.started_at >= (select min(m.period_start_at) from months as m)
        and rated.started_at < (select max(m.period_end_at) from months as m)
    group by
        rated.account_id,
        rated.period_month,
        rated.plan_id,
        rated.charge_class,
        rated.currency_code,
        rated.service_id,
        rated.retail_rate_id,
        rated.retail_unit_price,
        rated.rounding_group
),

raised as (
    select
        grouped.*,
        {{ billed_seconds(
            'grouped.units', "(grouped.rounding_group ->> 'minimum')::bigint",
            "(grouped.rounding_group ->> 'increment')::bigint",
            "(grouped.rounding_group ->> 'base')"
        ) }} as billed_units
    from grouped
),

priced as (
    select
        raised.*,
        raised.retail_unit_price
        * (1 - (raised.rounding_group ->> 'discount_percent')::numeric / 100) as kept_price,
        (raised.rounding_group ->> 'unit_bytes')::numeric as unit_bytes
    from raised
),

-- The bytes are priced once more, exactly: the amounts of the records are cut at fourteen decimals.
-- What these have besides (connection fees, minimum charges) has few.
due as (
    select
        priced.*,
        (priced.billed_units - priced.units) * priced.kept_price / priced.unit_bytes
            as added_amount,
        priced.billed_units * priced.kept_price / priced.unit_bytes
        + round(
            priced.unrounded_amount - priced.units * priced.kept_price / priced.unit_bytes, 12
        ) as due_amount
    from priced
),

added as (
    select
        due.*,
        case
            when plans.rounding_level = 'call'
                then
                    {{ round_to(
                        'due.due_amount', 'plans.rounding_decimals', 'plans.rounding_unit',
                        'plans.rounding_mode'
                    ) }}
                    - due.retail_amount
            else due.added_amount
        end as added_line_amount
    from due
    inner join plans on due.plan_id = plans.plan_id
)

select
    added.account_id,
    added.period_month,
    'usage' as line_kind,
    added.charge_class,
    null::text as product_code,
    'Data rounded up by ' || (added.rounding_group ->> 'by') as description,
    added.plan_id,
    added.currency_code,
    count(*) as record_count,
    sum(added.billed_units - added.units)::numeric as quantity,
    'bytes' as unit,
    sum(added.added_amount) as unrounded_amount,
    sum(added.added_line_amount) as line_amount,
    jsonb_build_object(
        'groups', count(*), 'bytes', sum(added.units), 'bytes_billed', sum(added.billed_units)
    ) as detail
from added
group by
    added.account_id,
    added.period_month,
    added.charge_class,
    added.rounding_group ->> 'by',
    added.plan_id,
    added.currency_code
having sum(added.added_amount) <> 0 or sum(added.added_line_amount) <> 0
