-- Grain: one row per hour (UTC), account, source, usage type, direction, leg, country, hang-up
-- cause and currencies: traffic of the closed runs. What runs brought and took away again is left
-- out.
with traffic as (
    select * from {{ ref('traffic_hour') }}
),

runs as (
    select * from {{ source('control', 'rating_run') }}
)

select
    traffic.hour_at,
    traffic.account_id,
    traffic.source_id,
    traffic.usage_type,
    traffic.direction,
    traffic.leg_no,
    traffic.called_country,
    traffic.release_cause,
    traffic.currency_code,
    traffic.cost_currency_code,
    sum(traffic.attempt_count) as attempt_count,
    sum(traffic.answered_count) as answered_count,
    sum(traffic.short_count) as short_count,
    sum(traffic.billed_count) as billed_count,
    sum(traffic.error_count) as error_count,
    sum(traffic.duration_seconds) as duration_seconds,
    sum(traffic.talk_seconds) as talk_seconds,
    sum(traffic.billed_seconds) as billed_seconds,
    sum(traffic.sell_amount) as sell_amount,
    sum(traffic.buy_amount) as buy_amount
from traffic
inner join runs on traffic.rating_run_id = runs.rating_run_id
where runs.status = 'closed'
group by
    traffic.hour_at,
    traffic.account_id,
    traffic.source_id,
    traffic.usage_type,
    traffic.direction,
    traffic.leg_no,
    traffic.called_country,
    traffic.release_cause,
    traffic.currency_code,
    traffic.cost_currency_code
having sum(traffic.attempt_count) <> 0
