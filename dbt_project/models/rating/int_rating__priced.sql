-- Grain: one row per usage leg of the current run, with billed seconds and unrounded amounts of
-- both sides. Where no row was found or it is blocked, amounts are null, never zero.
{{ config(post_hook="{{ evaluate_once() }}") }}

with tariffed as (
    select * from {{ ref('int_rating__tariffed') }}
),

timed as (
    select
        tariffed.*,
        case
            when tariffed.retail_status = 'open'
                then
                    {{ billed_seconds(
                        'tariffed.retail_whole_seconds', 'tariffed.retail_minimum',
                        'tariffed.retail_increment', 'tariffed.increment_base'
                    ) }}
        end as retail_billed_seconds,
        case
            when tariffed.cost_rate_status = 'open'
                then
                    {{ billed_seconds(
                        'tariffed.cost_whole_seconds', 'tariffed.cost_minimum',
                        'tariffed.cost_increment', "'after_minimum'"
                    ) }}
        end as cost_billed_seconds
    from tariffed
)

select
    timed.*,
    {{ call_amount(
        'timed.retail_connection_fee', 'timed.retail_billed_seconds',
        'timed.retail_price_per_minute'
    ) }} as retail_unrounded_amount,
    {{ call_amount(
        'timed.cost_connection_fee', 'timed.cost_billed_seconds', 'timed.cost_price_per_minute'
    ) }} as cost_unrounded_amount
from timed
