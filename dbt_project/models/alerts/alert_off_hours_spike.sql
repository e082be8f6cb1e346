-- Grain: one row per account and day of its zone with far more minutes at night (22:00 to 06:00)
-- or on a weekend than on such days before. Weekdays are compared with weekdays, weekends with
-- weekends; days without calls count as nought from the first call on. Hours are those of the
-- aggregate: in a zone with a half hour the night begins at the half hour.
with rule as (
    {{ alert_rule('off_hours_spike') }}
),

accounts as (
    select * from {{ ref('int_alert__accounts') }}
),

traffic as (
    select traffic.*
    from {{ ref('current_traffic_hour') }} as traffic
    where
        traffic.account_id <> 0
        and traffic.direction = 'outbound'
        and traffic.hour_at < {{ alert_to() }}
        and traffic.hour_at >= {{ alert_from() }} - (
            select (max(rule.lookback) + 1) * interval '1 day'
            from rule
        )
),

placed as (
    select
        traffic.account_id,
        traffic.hour_at at time zone accounts.time_zone as local_hour,
        traffic.talk_seconds,
        traffic.attempt_count,
        traffic.sell_amount
    from traffic
    inner join accounts on traffic.account_id = accounts.account_id
),

days as (
    select
        placed.account_id,
        placed.local_hour::date as local_day,
        coalesce(sum(placed.talk_seconds) filter (
            where
            extract(isodow from placed.local_hour) >= 6
            or extract(hour from placed.local_hour) not between 6 and 21
        ), 0) / 60 as minutes,
        coalesce(sum(placed.attempt_count) filter (
            where
            extract(isodow from placed.local_hour) >= 6
            or extract(hour from placed.local_hour) not between 6 and 21
        ), 0) as calls
    from placed
    group by placed.account_id, placed.local_hour::date
),

spanned as (
    select
        days.*,
        min(days.local_day) over (partition by days.account_id) as first_day
    from days
),

-- each day, and the days before moved to it (see int_alert__hours)
points as (
    select
        spanned.account_id,
        spanned.first_day,
        spanned.local_day,
        spanned.minutes,
        spanned.calls,
        null::numeric as past_minutes
    from spanned
    union all
    select
        spanned.account_id,
        spanned.first_day,
        spanned.local_day + later.days_later as local_day,
        0::numeric as minutes,
        0::numeric as calls,
        spanned.minutes as past_minutes
    from spanned
    cross join rule
    cross join lateral generate_series(1, rule.lookback) as later (days_later)
    where
        (extract(isodow from spanned.local_day) >= 6)
        = (extract(isodow from spanned.local_day + later.days_later) >= 6)
),

compared as (
    select
        points.account_id,
        points.first_day,
        points.local_day,
        sum(points.minutes) as minutes,
        sum(points.calls) as calls,
        array_agg(points.past_minutes) filter (where points.past_minutes is not null)
            as past_minutes
    from points
    group by points.account_id, points.first_day, points.local_day
),

windows as (
    select
        rule.*,
        compared.*,
        accounts.time_zone,
        accounts.account_code,
        compared.local_day::timestamp at time zone accounts.time_zone as day_from,
        (compared.local_day + 1)::timestamp at time zone accounts.time_zone as day_to,
        (
            select count(*)
            from generate_series(1, rule.lookback) as before (days_before)
            where
                compared.local_day - before.days_before >= compared.first_day
                and (extract(isodow from compared.local_day) >= 6)
                = (extract(isodow from compared.local_day - before.days_before) >= 6)
        )::integer as day_count
    from compared
    inner join accounts on compared.account_id = accounts.account_id
    cross join rule
    where
        compared.minutes >= rule.minimum
        and (compared.local_day + 1)::timestamp at time zone accounts.time_zone > {{ alert_from() }}
),

filled as (
    select
        windows.*,
        windows.past_minutes || array_fill(
            0::numeric,
            array[greatest(windows.day_count - coalesce(cardinality(windows.past_minutes), 0), 0)]
        ) as all_minutes
    from windows
    where windows.day_count >= 3
),

medians as (
    select
        filled.*,
        {{ array_median('filled.all_minutes') }} as median_minutes
    from filled
),

distances as (
    select
        medians.*,
        {{ array_median('medians.all_minutes', 'medians.median_minutes') }} as median_distance
    from medians
),

judged as (
    select
        distances.*,
        -- a few long calls more are nothing: at least a quarter of the median, or ten minutes
        (distances.minutes - distances.median_minutes) / greatest(
            1.4826 * distances.median_distance, distances.median_minutes / 4, 10
        ) as deviations
    from distances
),

found as (
    select judged.*
    from judged
    where judged.deviations >= judged.threshold
)

select
    found.rule_code,
    found.severity,
    'account' as subject_kind,
    found.account_code as subject,
    found.account_id,
    found.day_from as window_from,
    found.day_to as window_to,
    round(found.minutes, 1)::numeric as measured,
    round(found.median_minutes, 1)::numeric as expected,
    found.threshold,
    'minutes' as unit,
    concat(
        'account ', found.account_code, ' talked ', round(found.minutes, 1),
        ' minutes at night or on the weekend of ', found.local_day, ' (', found.time_zone,
        '), usually ', round(found.median_minutes, 1)
    ) as sentence,
    jsonb_build_object(
        'minutes', round(found.minutes, 1), 'calls', found.calls,
        'median_minutes', round(found.median_minutes, 1),
        'median_distance', round(found.median_distance, 1), 'days', found.day_count,
        'deviations', round(found.deviations, 2)
    ) as figures,
    {{ alert_examples(
        "examples.account_id = found.account_id and examples.direction = 'outbound'"
        ~ " and examples.started_at >= found.day_from and examples.started_at < found.day_to"
        ~ " and (extract(isodow from examples.started_at at time zone found.time_zone) >= 6"
        ~ " or extract(hour from examples.started_at at time zone found.time_zone)"
        ~ " not between 6 and 21)"
    ) }} as usage_ids
from found
