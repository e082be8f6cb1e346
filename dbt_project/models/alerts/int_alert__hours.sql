-- Grain: one row per account or source and hour looked at, with what is usual for that hour of the
-- week: the median of the weeks before and their median distance from it (MAD). Hours without
-- calls count as nought from the first call on; fewer than three weeks say nothing. Of accounts,
-- hours with enough calls to be a spike; of sources, every hour until their last call.
with rule as (
    {{ alert_rule('traffic_spike') }}
),

calls_by_hour as (
    select
        traffic.hour_at,
        traffic.account_id,
        traffic.source_id,
        sum(traffic.attempt_count) filter (where traffic.leg_no = 1) as calls,
        sum(traffic.attempt_count) as legs
    from {{ ref('current_traffic_hour') }} as traffic
    where
        traffic.hour_at < {{ alert_to() }}
        and traffic.hour_at >= {{ alert_from() }} - (
            select max(rules.lookback) * interval '7 days'
            from {{ ref('alert_rules') }} as rules
            where rules.rule_code in ('traffic_spike', 'traffic_drop')
        )
    group by traffic.hour_at, traffic.account_id, traffic.source_id
),

series as (
    select
        'account' as subject_kind,
        calls_by_hour.account_id as subject_id,
        calls_by_hour.hour_at,
        sum(calls_by_hour.legs) as calls
    from calls_by_hour
    where calls_by_hour.account_id <> 0
    group by calls_by_hour.account_id, calls_by_hour.hour_at
    union all
    select
        'source' as subject_kind,
        calls_by_hour.source_id as subject_id,
        calls_by_hour.hour_at,
        coalesce(sum(calls_by_hour.calls), 0) as calls
    from calls_by_hour
    group by calls_by_hour.source_id, calls_by_hour.hour_at
),

spanned as (
    select
        series.*,
        min(series.hour_at) over (partition by series.subject_kind, series.subject_id) as first_at,
        max(series.hour_at) over (partition by series.subject_kind, series.subject_id) as last_at
    from series
),

-- the hours themselves and those of the weeks before, moved to the hour they are compared with:
-- one grouping does what a join would, however wrong the planner's idea of these steps is
points as (
    select
        spanned.subject_kind,
        spanned.subject_id,
        spanned.first_at,
        spanned.last_at,
        spanned.hour_at,
        spanned.calls,
        null::numeric as past_calls
    from spanned
    where spanned.hour_at >= {{ alert_from() }}
    union all
    select
        spans.subject_kind,
        spans.subject_id,
        spans.first_at,
        spans.last_at,
        hours.hour_at,
        0::numeric as calls,
        null::numeric as past_calls
    from (
        select distinct
            spanned.subject_kind,
            spanned.subject_id,
            spanned.first_at,
            spanned.last_at
        from spanned
        where spanned.subject_kind = 'source'
    ) as spans
    cross join
        lateral generate_series(
            greatest(spans.first_at, date_trunc('hour', {{ alert_from() }}, 'UTC')),
            spans.last_at,
            interval '1 hour'
        ) as hours (hour_at)
    union all
    select
        spanned.subject_kind,
        spanned.subject_id,
        spanned.first_at,
        spanned.last_at,
        spanned.hour_at + weeks.week * interval '168 hours' as hour_at,
        0::numeric as calls,
        spanned.calls as past_calls
    from spanned
    cross join rule
    cross join lateral generate_series(1, rule.lookback) as weeks (week)
    where spanned.hour_at + weeks.week * interval '168 hours' >= {{ alert_from() }}
),

compared as (
    select
        points.subject_kind,
        points.subject_id,
        points.last_at,
        points.hour_at,
        sum(points.calls) as calls,
        least(
            min(rule.lookback),
            floor(extract(epoch from points.hour_at - points.first_at) / 604800)
        )::integer as week_count,
        array_agg(points.past_calls) filter (where points.past_calls is not null) as past_calls
    from points
    cross join rule
    group by
        points.subject_kind,
        points.subject_id,
        points.first_at,
        points.last_at,
        points.hour_at
),

filled as (
    select
        compared.*,
        compared.past_calls || array_fill(
            0::numeric,
            array[greatest(compared.week_count - coalesce(cardinality(compared.past_calls), 0), 0)]
        ) as all_calls
    from compared
    cross join rule
    where
        compared.week_count >= 3
        and compared.hour_at <= compared.last_at
        and (compared.subject_kind = 'source' or compared.calls >= rule.minimum)
),

medians as (
    select
        filled.*,
        {{ array_median('filled.all_calls') }} as median_calls
    from filled
),

distances as (
    select
        medians.*,
        {{ array_median('medians.all_calls', 'medians.median_calls') }} as median_distance
    from medians
)

select
    distances.subject_kind,
    distances.subject_id,
    distances.hour_at,
    distances.calls,
    distances.week_count,
    distances.median_calls,
    distances.median_distance,
    -- calls that come by chance spread as the root of their number: never less than that
    (distances.calls - distances.median_calls) / greatest(
        1.4826 * distances.median_distance, sqrt(distances.median_calls), 1
    ) as deviations
from distances
