-- Grain: one row per hour (UTC), account, source, usage type, direction, leg, country, hang-up
-- cause and currencies. All measures are additive over rows of one leg_no; money over all rows of
-- a currency. Unanswered calls are account 0: no customer is looked for.
with traffic as (
    select * from {{ ref('current_traffic_hour') }}
),

sources as (
    select * from {{ ref('dim_source') }}
)

select
    traffic.hour_at::timestamptz as hour_at,
    traffic.account_id::bigint as account_id,
    traffic.source_id::integer as source_id,
    sources.source_code::text as source_code,
    sources.carrier_code::text as carrier_code,
    sources.layout_code::text as layout_code,
    traffic.usage_type::text as usage_type,
    traffic.direction::text as direction,
    traffic.leg_no::smallint as leg_no,
    traffic.called_country::text as called_country,
    traffic.release_cause::text as release_cause,
    {{ traffic_mart_measures() }}
from traffic
left join sources on traffic.source_id = sources.source_id
