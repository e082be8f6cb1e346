-- Grain: one row per account and billing period that the current invoice run has to know: the one
-- it invoices (is_invoiced), and earlier ones that volume prices and spend limits of it count.
{{ config(materialized='work_table') }}

with accounts as (
    select * from {{ ref('int_billing__accounts') }}
),

longer_periods as (
    select
        volume_prices.account_id,
        volume_prices.period_length,
        volume_prices.anchor_month
    from {{ ref('int_billing__volume_prices') }} as volume_prices
    union
    select
        spend_limits.account_id,
        spend_limits.period_length,
        spend_limits.anchor_month
    from {{ ref('int_billing__spend_limits') }} as spend_limits
),

-- A limit of a year may count volume prices of a quarter that began before that year.
starts as (
    select
        longer_periods.account_id,
        min({{ longer_period_start(
            "date '" ~ current_invoice_run()['period_month'] ~ "'",
            'longer_periods.period_length', 'longer_periods.anchor_month'
        ) }}) as first_month
    from longer_periods
    group by longer_periods.account_id
),

starts_before as (
    select
        longer_periods.account_id,
        min({{ longer_period_start(
            'starts.first_month', 'longer_periods.period_length', 'longer_periods.anchor_month'
        ) }}) as first_month
    from longer_periods
    inner join starts on longer_periods.account_id = starts.account_id
    group by longer_periods.account_id
),

account_months as (
    select
        accounts.*,
        counted.month_at::date as period_month
    from accounts
    left join starts_before on accounts.account_id = starts_before.account_id
    cross join lateral generate_series(
        coalesce(
            starts_before.first_month, date '{{ current_invoice_run()['period_month'] }}'
        )::timestamp,
        timestamp '{{ current_invoice_run()['period_month'] }}',
        interval '1 month'
    ) as counted (month_at)
),

bounded as (
    select
        account_months.account_id,
        account_months.period_month,
        {{ period_bound(
            'account_months.period_month', 'account_months.time_zone', 'account_months.anchor_day'
        ) }} as period_start_at,
        {{ period_bound(
            "(account_months.period_month + interval '1 month')", 'account_months.time_zone',
            'account_months.anchor_day'
        ) }} as period_end_at,
        account_months.account_from,
        account_months.account_to
    from account_months
)

select
    bounded.account_id,
    bounded.period_month,
    bounded.period_start_at,
    bounded.period_end_at,
    bounded.period_month = '{{ current_invoice_run()['period_month'] }}' as is_invoiced
from bounded
-- periods in which the account was there
where bounded.account_from < bounded.period_end_at and bounded.account_to > bounded.period_start_at
