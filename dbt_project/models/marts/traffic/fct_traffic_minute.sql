-- Grain: as fct_traffic_hour, for each minute. Worked out when asked for: at this grain nearly
-- every call is a row of its own, and a table of them would be the usage again. Filter by hour_at:
-- the usage of other hours is not read then.
with hours as (
    select distinct traffic_hour.hour_at
    from {{ ref('traffic_hour') }} as traffic_hour
),

sources as (
    select * from {{ ref('dim_source') }}
),

traffic as (
    select
        hours.hour_at,
        minutes.*
    from hours
    cross join lateral (
        select
            date_trunc('minute', rated.started_at) as minute_at,
            rated.account_id,
            rated.source_id,
            rated.usage_type,
            rated.direction,
            rated.leg_no,
            rated.called_country,
            rated.release_cause,
            rated.currency_code,
            rated.cost_currency_code,
            {{ traffic_measures('rated') | indent(8) }}
        from {{ ref('current_rated_usage') }} as rated
        where
            rated.started_at >= hours.hour_at
            and rated.started_at < hours.hour_at + interval '1 hour'
            and {{ is_traffic('rated') }}
        group by
            date_trunc('minute', rated.started_at),
            rated.account_id,
            rated.source_id,
            rated.usage_type,
            rated.direction,
            rated.leg_no,
            rated.called_country,
            rated.release_cause,
            rated.currency_code,
            rated.cost_currency_code
    ) as minutes
)

select
    traffic.minute_at::timestamptz as minute_at,
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
