-- Grain: one row per billed charge and month of the days it is for, counted from its first day: the
-- revenue of that month in equal cents, the last month taking what is left.
with billed as (
    select
        rated.*,
        (
            extract(year from age(rated.charged_to + 1, rated.charged_from)) * 12
            + extract(month from age(rated.charged_to + 1, rated.charged_from))
            + (extract(day from age(rated.charged_to + 1, rated.charged_from)) > 0)::integer
        )::integer as month_count
    from {{ ref('current_rated_charge') }} as rated
    where
        rated.state = 'billed'
        and rated.charged_to >= rated.charged_from
)

select
    billed.charge_id::bigint as charge_id,
    billed.account_id::bigint as account_id,
    billed.product_code::text as product_code,
    months.month_no::integer as month_no,
    (billed.charged_from + make_interval(months => months.month_no - 1))::date as month_from,
    least(
        (billed.charged_from + make_interval(months => months.month_no))::date - 1,
        billed.charged_to
    )::date as month_to,
    (
        case
            when months.month_no < billed.month_count
                then round(billed.charge_amount / billed.month_count, 2)
            else
                billed.charge_amount
                - round(billed.charge_amount / billed.month_count, 2) * (billed.month_count - 1)
        end
    )::numeric(28, 14) as recognised_amount,
    billed.currency_code::text as currency_code
from billed
cross join generate_series(1, billed.month_count) as months (month_no)
