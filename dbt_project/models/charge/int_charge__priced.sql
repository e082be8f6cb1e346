-- Grain: one row per charge line of the current run, with its price: of one unit, of the line
-- unrounded and rounded. Amounts are worked out positive and take the sign of the carrier's last:
-- a credit is priced as the charge it reverses.
with charges as (
    select * from {{ ref('int_charge__prorated') }}
),

unit_costs as materialized (
    select
        charges.*,
        abs(charges.quantity) as units,
        abs(charges.signed_amount)::numeric(38, 20)
        / coalesce(nullif(abs(charges.quantity), 0), 1) as unit_cost,
        charges.leading_units / charges.leading_whole
        + charges.full_periods
        + charges.trailing_units / charges.trailing_whole as charged_part
    from charges
),

unit_prices as materialized (
    select
        unit_costs.*,
        case unit_costs.price_mode
            when 'list' then unit_costs.unit_price
            when 'pass_through' then unit_costs.unit_cost
            when 'markup'
                then unit_costs.unit_cost + greatest(
                    unit_costs.unit_cost * unit_costs.markup_percent / 100, unit_costs.markup_floor
                )
            when 'margin' then unit_costs.unit_cost / (1 - unit_costs.margin_percent / 100)
            when 'add_on' then unit_costs.unit_cost + unit_costs.add_on_amount
            when 'percentage'
                then
                    unit_costs.unit_cost * unit_costs.percentage / 100 + unit_costs.event_fee
        end as found_price
    from unit_costs
),

raised_prices as materialized (
    select
        unit_prices.*,
        {{ limited_price(
            'unit_prices.found_price', 'unit_prices.minimum_price', 'unit_prices.maximum_price',
            'unit_prices.price_point'
        ) }}::numeric(38, 20) as retail_unit_price
    from unit_prices
    where unit_prices.found_price is not null
),

-- part by part: the quotients of a sum would each lose their last digit
unit_parts as materialized (
    select
        raised_prices.file_id,
        raised_prices.line_no,
        raised_prices.retail_unit_price,
        {{ part_of_fee('raised_prices.retail_unit_price', 'raised_prices') }} as unit_amount,
        {{ part_of_fee('raised_prices.retail_unit_price * raised_prices.units', 'raised_prices') }}
            as line_amount
    from raised_prices
)

select
    unit_costs.*,
    unit_parts.retail_unit_price::numeric(28, 14) as retail_unit_price,
    (
        case when unit_costs.signed_amount < 0 then -1 else 1 end
        * case
            when unit_costs.price_mode = 'list' or unit_costs.quantity <> 0
                then unit_parts.line_amount
            -- an amount without units is one
            else unit_parts.unit_amount
        end
    )::numeric(28, 14) as unrounded_amount,
    (
        case when unit_costs.signed_amount < 0 then -1 else 1 end
        * case
            when unit_costs.price_mode = 'list' or unit_costs.quantity <> 0 then unit_costs.units
            else 1
        end
        * {{ round_money(
            'unit_parts.unit_amount', 'unit_costs.rounding_decimals', 'unit_costs.rounding_mode'
        ) }}
    )::numeric(28, 14) as amount_of_rounded_units
from unit_costs
left join unit_parts
    on
        unit_costs.file_id = unit_parts.file_id
        and unit_costs.line_no = unit_parts.line_no
