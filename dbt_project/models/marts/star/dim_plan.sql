-- Grain: one row per plan: its latest version known now.
with plans as (
    select * from {{ source('reference', 'plan') }}
)

select distinct on (plans.plan_id)
    plans.plan_id::integer as plan_id,
    plans.plan_code::text as plan_code,
    plans.plan_name::text as plan_name,
    plans.deck_code::text as deck_code,
    plans.is_default::boolean as is_default,
    plans.duration_rounding::text as duration_rounding,
    plans.rounding_level::text as rounding_level,
    plans.rounding_decimals::integer as rounding_decimals,
    plans.rounding_mode::text as rounding_mode,
    plans.discount_percent::numeric(9, 4) as discount_percent,
    plans.valid_from::timestamptz as valid_from,
    plans.valid_to::timestamptz as valid_to
from plans
where plans.recorded_to = 'infinity'
order by plans.plan_id asc, plans.valid_from desc
