-- Grain: one row per source of exchange rates, pair of currencies and billing period: the rate in
-- force at its end, and the average by time where rates are in force throughout.
{{ config(materialized='work_table') }}

with periods as (
    select distinct
        accounts.exchange_source,
        accounts.currency_code,
        months.period_start_at,
        months.period_end_at
    from {{ ref('int_billing__months') }} as months
    inner join {{ ref('int_billing__accounts') }} as accounts
        on months.account_id = accounts.account_id
),

dated as (
    select
        periods.*,
        exchange_rate.from_currency,
        exchange_rate.rate,
        exchange_rate.valid_from,
        exchange_rate.valid_to >= periods.period_end_at as is_last,
        extract(
            epoch from
            least(exchange_rate.valid_to, periods.period_end_at)
            - greatest(exchange_rate.valid_from, periods.period_start_at)
        ) as seconds
    from periods
    inner join {{ source('reference', 'exchange_rate') }} as exchange_rate
        on
            periods.exchange_source = exchange_rate.rate_source
            and periods.currency_code = exchange_rate.to_currency
            and periods.period_end_at > exchange_rate.valid_from
            and periods.period_start_at < exchange_rate.valid_to
    where {{ known_to_invoice_run('exchange_rate') }}
)

select
    dated.exchange_source,
    dated.from_currency,
    dated.currency_code as to_currency,
    dated.period_start_at,
    dated.period_end_at,
    (max(dated.rate) filter (where dated.is_last))::numeric(20, 10) as end_rate,
    max(dated.valid_from) filter (where dated.is_last) as end_rate_from,
    case
        when
            sum(dated.seconds)
            = extract(epoch from dated.period_end_at - dated.period_start_at)
            then round(sum(dated.rate * dated.seconds) / sum(dated.seconds), 10)
    end::numeric(20, 10) as average_rate
from dated
group by
    dated.exchange_source,
    dated.from_currency,
    dated.currency_code,
    dated.period_start_at,
    dated.period_end_at
