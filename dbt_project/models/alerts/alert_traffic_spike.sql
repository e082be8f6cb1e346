-- Grain: one row per account or source and hour with calls far above the same hour of weeks before.
with rule as (
    {{ alert_rule('traffic_spike') }}
),

hours as (
    select * from {{ ref('int_alert__hours') }}
),

accounts as (
    select * from {{ ref('int_alert__accounts') }}
),

sources as (
    select * from {{ ref('dim_source') }}
),

found as (
    select
        rule.*,
        hours.subject_kind,
        hours.subject_id,
        hours.hour_at,
        hours.calls,
        hours.week_count,
        hours.median_calls,
        hours.median_distance,
        hours.deviations,
        coalesce(accounts.account_code, sources.source_code) as subject,
        accounts.account_id
    from hours
    cross join rule
    left join accounts
        on
            hours.subject_kind = 'account'
            and hours.subject_id = accounts.account_id
    left join sources
        on
            hours.subject_kind = 'source'
            and hours.subject_id = sources.source_id
    where
        hours.deviations >= rule.threshold
        and hours.calls >= rule.minimum
)

select
    found.rule_code,
    found.severity,
    found.subject_kind,
    found.subject,
    found.account_id,
    found.hour_at as window_from,
    found.hour_at + interval '1 hour' as window_to,
    found.calls::numeric as measured,
    found.median_calls::numeric as expected,
    found.threshold,
    'calls' as unit,
    concat(
        found.subject_kind, ' ', found.subject, ' made ', found.calls, ' calls in the hour from ',
        {{ utc_words('found.hour_at') }}, '; usual for that hour of the week are ',
        found.median_calls, ' (', round(abs(found.deviations), 1), ' deviations above)'
    ) as sentence,
    jsonb_build_object(
        'calls', found.calls, 'median_calls', found.median_calls,
        'median_distance', found.median_distance, 'weeks', found.week_count,
        'deviations', round(found.deviations, 2)
    ) as figures,
    {{ alert_examples(
        "(found.account_id is null or examples.account_id = found.account_id)"
        ~ " and (found.subject_kind = 'account' or examples.source_id = found.subject_id)"
        ~ " and examples.started_at >= found.hour_at"
        ~ " and examples.started_at < found.hour_at + interval '1 hour'"
    ) }} as usage_ids
from found
