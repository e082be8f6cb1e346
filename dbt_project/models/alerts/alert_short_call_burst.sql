-- Grain: one row per account or source and hour in which most answered calls were short.
with rule as (
    {{ alert_rule('short_call_burst') }}
),

traffic as (
    select traffic.*
    from {{ ref('current_traffic_hour') }} as traffic
    where
        traffic.hour_at >= {{ alert_from() }}
        and traffic.hour_at < {{ alert_to() }}
        and traffic.usage_type = 'voice'
        and traffic.answered_count > 0
),

accounts as (
    select * from {{ ref('int_alert__accounts') }}
),

sources as (
    select * from {{ ref('dim_source') }}
),

counted as (
    select
        'account' as subject_kind,
        accounts.account_code as subject,
        accounts.account_id,
        null::integer as source_id,
        traffic.hour_at,
        sum(traffic.short_count) as short_calls,
        sum(traffic.answered_count) as answered_calls
    from traffic
    inner join accounts on traffic.account_id = accounts.account_id
    where traffic.account_id <> 0
    group by accounts.account_code, accounts.account_id, traffic.hour_at
    union all
    select
        'source' as subject_kind,
        sources.source_code as subject,
        null::bigint as account_id,
        sources.source_id,
        traffic.hour_at,
        sum(traffic.short_count) as short_calls,
        sum(traffic.answered_count) as answered_calls
    from traffic
    inner join sources on traffic.source_id = sources.source_id
    where traffic.leg_no = 1
    group by sources.source_code, sources.source_id, traffic.hour_at
),

found as (
    select
        rule.*,
        counted.*,
        round(100.0 * counted.short_calls / counted.answered_calls, 1) as short_percent
    from counted
    cross join rule
    where
        counted.short_calls >= rule.minimum
        and 100.0 * counted.short_calls >= rule.threshold * counted.answered_calls
)

select
    found.rule_code,
    found.severity,
    found.subject_kind,
    found.subject,
    found.account_id,
    found.hour_at as window_from,
    found.hour_at + interval '1 hour' as window_to,
    found.short_percent::numeric as measured,
    null::numeric as expected,
    found.threshold,
    'percent' as unit,
    concat(
        found.short_calls, ' of ', found.answered_calls, ' answered calls of ', found.subject_kind,
        ' ', found.subject, ' in the hour from ', {{ utc_words('found.hour_at') }},
        ' lasted at most six seconds (', found.short_percent, ' %)'
    ) as sentence,
    jsonb_build_object(
        'short_calls', found.short_calls, 'answered_calls', found.answered_calls
    ) as figures,
    {{ alert_examples(
        "(found.account_id is null or examples.account_id = found.account_id)"
        ~ " and (found.source_id is null or examples.source_id = found.source_id)"
        ~ " and examples.started_at >= found.hour_at"
        ~ " and examples.started_at < found.hour_at + interval '1 hour'"
        ~ " and examples.disposition = 'answered' and examples.billable_seconds <= 6"
    ) }} as usage_ids
from found
