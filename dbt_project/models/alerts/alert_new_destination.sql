-- Grain: one row per account, country and day (UTC) with an amount above the threshold, where the
-- account called no number of that country in the days before. An account that was not there a week
-- before is new itself: everything would be new.
with rule as (
    {{ alert_rule('new_destination') }}
),

accounts as (
    select * from {{ ref('int_alert__accounts') }}
),

traffic as (
    select traffic.*
    from {{ ref('current_traffic_hour') }} as traffic
    where
        traffic.account_id <> 0
        and traffic.hour_at < {{ alert_to() }}
        and traffic.hour_at >= date_trunc('day', {{ alert_from() }}, 'UTC') - (
            select max(rule.lookback) * interval '1 day'
            from rule
        )
),

days as (
    select
        traffic.account_id,
        date_trunc('day', traffic.hour_at, 'UTC') as day_at,
        traffic.called_country,
        coalesce(traffic.currency_code, traffic.cost_currency_code) as currency_code,
        sum(traffic.attempt_count) as calls,
        sum(greatest(
            traffic.sell_amount,
            case
                when
                    traffic.cost_currency_code
                    = coalesce(traffic.currency_code, traffic.cost_currency_code)
                    then traffic.buy_amount
            end
        )) as amount
    from traffic
    where traffic.direction = 'outbound'
    group by
        traffic.account_id,
        date_trunc('day', traffic.hour_at, 'UTC'),
        traffic.called_country,
        coalesce(traffic.currency_code, traffic.cost_currency_code)
),

placed as (
    select
        days.*,
        min(days.day_at) over (partition by days.account_id) as first_at,
        -- of other days: a country may have several currencies in one
        max(days.day_at) over (
            partition by days.account_id, days.called_country
            order by days.day_at
            range between unbounded preceding and interval '1 day' preceding
        ) as previous_at
    from days
),

found as (
    select
        rule.*,
        placed.*,
        accounts.account_code
    from placed
    cross join rule
    inner join accounts on placed.account_id = accounts.account_id
    where
        placed.day_at >= date_trunc('day', {{ alert_from() }}, 'UTC')
        and placed.day_at >= placed.first_at + interval '7 days'
        and placed.called_country is not null
        and placed.calls >= rule.minimum
        and placed.amount >= rule.threshold
        and (
            placed.previous_at is null
            or placed.previous_at < placed.day_at - rule.lookback * interval '1 day'
        )
)

select
    found.rule_code,
    found.severity,
    'account' as subject_kind,
    concat(found.account_code, ' to ', found.called_country) as subject,
    found.account_id,
    found.day_at as window_from,
    found.day_at + interval '1 day' as window_to,
    found.amount::numeric as measured,
    0::numeric as expected,
    found.threshold,
    found.currency_code as unit,
    concat(
        'account ', found.account_code, ' called ', found.called_country, ' for ',
        round(found.amount, 2), ' ', found.currency_code, ' (', found.calls, ' calls) on ',
        to_char(found.day_at at time zone 'UTC', 'YYYY-MM-DD'), ' and not once in the ',
        found.lookback, ' days before'
    ) as sentence,
    jsonb_build_object(
        'calls', found.calls, 'amount', found.amount, 'currency', found.currency_code,
        'country', found.called_country
    ) as figures,
    {{ alert_examples(
        "examples.account_id = found.account_id"
        ~ " and examples.called_country = found.called_country"
        ~ " and examples.started_at >= found.day_at"
        ~ " and examples.started_at < found.day_at + interval '1 day'"
    ) }} as usage_ids
from found
