-- Grain: one row per account, fraud range and day (UTC) with calls to numbers of the range,
-- answered or not rated at all. A range is known from the day it was loaded on, for all traffic.
with rule as (
    {{ alert_rule('fraud_range') }}
),

ranges as (
    select ranges.*
    from {{ source('reference', 'fraud_range') }} as ranges
    where
        ranges.recorded_to = 'infinity'
        and ranges.valid_during @> now()
),

lengths as (
    select distinct length(ranges.prefix) as prefix_length
    from ranges
),

accounts as (
    select * from {{ ref('int_alert__accounts') }}
),

rated as (
    select rated.*
    from {{ ref('current_rated_usage') }} as rated
    where
        rated.started_at >= date_trunc('day', {{ alert_from() }}, 'UTC')
        and rated.started_at < {{ alert_to() }}
        and rated.leg_no = 1
        and rated.direction = 'outbound'
        and {{ is_traffic('rated') }}
),

called as (
    select
        rated.account_id,
        date_trunc('day', rated.started_at, 'UTC') as day_at,
        rated.called_number,
        count(*) as calls,
        sum(rated.billable_seconds) as talk_seconds,
        sum(rated.retail_amount) as amount
    from rated
    where rated.called_number is not null
    group by rated.account_id, date_trunc('day', rated.started_at, 'UTC'), rated.called_number
),

found as (
    select
        rule.rule_code,
        rule.severity,
        rule.threshold,
        called.account_id,
        accounts.account_code,
        called.day_at,
        ranges.prefix,
        ranges.range_name,
        ranges.list_name,
        sum(called.calls) as calls,
        count(*) as numbers,
        sum(called.talk_seconds) as talk_seconds,
        sum(called.amount) as amount
    from called
    cross join lengths
    inner join ranges on left(called.called_number::text, lengths.prefix_length) = ranges.prefix
    inner join accounts on called.account_id = accounts.account_id
    cross join rule
    group by
        rule.rule_code,
        rule.severity,
        rule.threshold,
        called.account_id,
        accounts.account_code,
        called.day_at,
        ranges.prefix,
        ranges.range_name,
        ranges.list_name
    having sum(called.calls) >= rule.threshold
)

select
    found.rule_code,
    found.severity,
    'account' as subject_kind,
    concat(found.account_code, ' to ', found.prefix) as subject,
    found.account_id,
    found.day_at as window_from,
    found.day_at + interval '1 day' as window_to,
    found.calls::numeric as measured,
    0::numeric as expected,
    found.threshold,
    'calls' as unit,
    concat(
        'account ', found.account_code, ' called ', found.numbers, ' numbers of the range ',
        found.prefix, ' (', found.range_name, ', ', found.list_name, ') ', found.calls,
        ' times on ', to_char(found.day_at at time zone 'UTC', 'YYYY-MM-DD'), ', ',
        round(found.talk_seconds / 60, 1), ' minutes'
    ) as sentence,
    jsonb_build_object(
        'calls', found.calls, 'numbers', found.numbers, 'talk_seconds', found.talk_seconds,
        'amount', found.amount, 'range', found.range_name, 'list', found.list_name
    ) as figures,
    {{ alert_examples(
        "examples.account_id = found.account_id"
        ~ " and starts_with(examples.called_number::text, found.prefix)"
        ~ " and examples.started_at >= found.day_at"
        ~ " and examples.started_at < found.day_at + interval '1 day'"
    ) }} as usage_ids
from found
