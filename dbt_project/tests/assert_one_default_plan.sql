{{ config(
    tags=['rating', 'identity'],
    meta={'dagster': {'ref': {'name': 'int_reference__plans'}}}
) }}
-- Returns pairs of default plans that hold at the same time: usage without a plan of its own would
-- be rated twice.
select
    one.plan_code,
    other.plan_code as other_plan_code
from {{ ref('int_reference__plans') }} as one
inner join {{ ref('int_reference__plans') }} as other
    on
        one.plan_code < other.plan_code
        and one.direction = other.direction
        and one.valid_from < other.valid_to
        and one.valid_to > other.valid_from
where one.is_default and other.is_default
