-- Grain: one row per account and day or month of its zone whose usage passed the amount set for it
-- (reference kind spend_alarm; the row of * is for accounts without one of their own).
with rule as (
    {{ alert_rule('spend_limit') }}
),

alarms as (
    select alarms.*
    from {{ source('reference', 'spend_alarm') }} as alarms
    where
        alarms.recorded_to = 'infinity'
        and alarms.valid_during @> now()
),

accounts as (
    select * from {{ ref('int_alert__accounts') }}
),

limits as (
    select distinct on (accounts.account_id, alarms.per_period)
        accounts.account_id,
        accounts.account_code,
        accounts.time_zone,
        alarms.per_period,
        alarms.amount,
        alarms.currency_code
    from accounts
    inner join alarms on alarms.account_code in (accounts.account_code, '*')
    where accounts.account_id <> 0
    order by
        accounts.account_id asc,
        alarms.per_period asc,
        (alarms.account_code = '*') asc
),

-- whole months: their sum is asked for, whatever part of them is looked at
traffic as (
    select traffic.*
    from {{ ref('current_traffic_hour') }} as traffic
    where
        traffic.hour_at < {{ alert_to() }}
        and traffic.hour_at >= {{ alert_from() }} - interval '32 days'
),

spent as (
    select
        limits.account_id,
        limits.account_code,
        limits.time_zone,
        limits.per_period,
        limits.amount,
        limits.currency_code,
        date_trunc(limits.per_period, traffic.hour_at at time zone limits.time_zone) as period_from,
        max(traffic.hour_at) as last_hour_at,
        sum(traffic.sell_amount) as spent_amount,
        sum(traffic.billed_count) as calls
    from limits
    inner join traffic
        on
            limits.account_id = traffic.account_id
            and limits.currency_code = traffic.currency_code
    group by
        limits.account_id,
        limits.account_code,
        limits.time_zone,
        limits.per_period,
        limits.amount,
        limits.currency_code,
        date_trunc(limits.per_period, traffic.hour_at at time zone limits.time_zone)
),

found as (
    select
        rule.*,
        spent.account_id,
        spent.account_code,
        spent.per_period,
        spent.amount,
        spent.currency_code,
        spent.spent_amount,
        spent.calls,
        spent.period_from,
        spent.period_from at time zone spent.time_zone as from_at,
        (
            spent.period_from
            + case spent.per_period when 'day' then interval '1 day' else interval '1 month' end
        ) at time zone spent.time_zone as to_at
    from spent
    cross join rule
    where
        spent.last_hour_at >= {{ alert_from() }}
        and spent.spent_amount * 100 > spent.amount * rule.threshold
)

select
    found.rule_code,
    found.severity,
    'account' as subject_kind,
    concat(found.account_code, ' per ', found.per_period) as subject,
    found.account_id,
    found.from_at as window_from,
    found.to_at as window_to,
    found.spent_amount::numeric as measured,
    found.amount::numeric as expected,
    found.threshold,
    found.currency_code as unit,
    concat(
        'account ', found.account_code, ' spent ', round(found.spent_amount, 2), ' ',
        found.currency_code, ' on usage in the ', found.per_period, ' from ',
        to_char(found.period_from, 'YYYY-MM-DD'), '; its limit is ', round(found.amount, 2)
    ) as sentence,
    jsonb_build_object(
        'spent', found.spent_amount, 'limit', found.amount, 'currency', found.currency_code,
        'calls', found.calls
    ) as figures,
    {{ alert_examples(
        "examples.account_id = found.account_id"
        ~ " and examples.started_at >= found.from_at and examples.started_at < found.to_at"
    ) }} as usage_ids
from found
