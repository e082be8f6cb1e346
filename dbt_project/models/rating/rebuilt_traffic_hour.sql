-- Grain: as current_traffic_hour, worked out again from the usage that counts: what
-- `ratehouse traffic` compares with. Reads all of the usage.
with rated as (
    select * from {{ ref('current_rated_usage') }}
)

select
    date_trunc('hour', rated.started_at, 'UTC') as hour_at,
    rated.account_id,
    rated.source_id,
    rated.usage_type,
    rated.direction,
    rated.leg_no,
    rated.called_country,
    rated.release_cause,
    rated.currency_code,
    rated.cost_currency_code,
    {{ traffic_measures('rated') }}
from rated
where {{ is_traffic('rated') }}
group by
    date_trunc('hour', rated.started_at, 'UTC'),
    rated.account_id,
    rated.source_id,
    rated.usage_type,
    rated.direction,
    rated.leg_no,
    rated.called_country,
    rated.release_cause,
    rated.currency_code,
    rated.cost_currency_code
