-- Grain: one row per account, period, kind, class, product, currency and exchange rate: what the
-- records of a line come to under each rate, for accounts whose calls have the rate of their day or
-- are converted one by one. A null rate: none was in force.
{{ config(materialized='work_table') }}

with accounts as (
    select * from {{ ref('int_billing__accounts') }}
    where exchange_date = 'call_date' or exchange_level = 'record'
),

months as (
    select * from {{ ref('int_billing__months') }}
),

plans as (
    select * from {{ ref('int_billing__plans') }}
),

usage_records as (
    select
        usage.account_id,
        usage.period_month,
        'usage' as line_kind,
        usage.charge_class,
        null::text as product_code,
        usage.currency_code,
        usage.started_at as priced_at,
        case
            when plans.rounding_level = 'call' then usage.retail_amount
            else usage.retail_unrounded_amount
        end as amount
    from {{ ref('current_rated_usage') }} as usage
    inner join accounts
        on
            usage.account_id = accounts.account_id
            and usage.currency_code <> accounts.currency_code
    inner join months
        on
            usage.account_id = months.account_id
            and usage.period_month = months.period_month
    inner join plans on usage.plan_id = plans.plan_id
    -- asked first, so that nobody's usage is read where nobody needs it
    where usage.state = 'billed' and exists (select asking.account_id from accounts as asking)
),

charge_records as (
    select
        charge.account_id,
        charge.period_month,
        'charge' as line_kind,
        charge.charge_class,
        charge.product_code,
        charge.currency_code,
        charge.period_from::timestamp at time zone accounts.time_zone as priced_at,
        charge.charge_amount as amount
    from {{ ref('current_rated_charge') }} as charge
    inner join accounts
        on
            charge.account_id = accounts.account_id
            and charge.currency_code <> accounts.currency_code
    inner join months
        on
            charge.account_id = months.account_id
            and charge.period_month = months.period_month
    where charge.state = 'billed' and exists (select asking.account_id from accounts as asking)
),

records as (
    select * from usage_records
    union all
    select * from charge_records
),

rated as (
    select
        records.*,
        accounts.exchange_level,
        accounts.exchange_decimals,
        accounts.exchange_rounding_mode,
        case accounts.exchange_date
            when 'call_date' then exchange_rate.rate
            when 'period_average' then rates.average_rate
            else rates.end_rate
        end as rate,
        case accounts.exchange_date
            when 'call_date' then exchange_rate.valid_from
            when 'period_average' then rates.period_start_at
            else rates.end_rate_from
        end as rate_from
    from records
    inner join accounts on records.account_id = accounts.account_id
    inner join months
        on
            records.account_id = months.account_id
            and records.period_month = months.period_month
    left join {{ ref('int_billing__conversion_rates') }} as rates
        on
            records.currency_code = rates.from_currency
            and accounts.currency_code = rates.to_currency
            and accounts.exchange_source = rates.exchange_source
            and months.period_start_at = rates.period_start_at
            and months.period_end_at = rates.period_end_at
    left join {{ source('reference', 'exchange_rate') }} as exchange_rate
        on
            accounts.exchange_date = 'call_date'
            and accounts.exchange_source = exchange_rate.rate_source
            and records.currency_code = exchange_rate.from_currency
            and accounts.currency_code = exchange_rate.to_currency
            and records.priced_at >= exchange_rate.valid_from
            and records.priced_at < exchange_rate.valid_to
            and {{ known_to_invoice_run('exchange_rate') }}
)

select
    rated.account_id,
    rated.period_month,
    rated.line_kind,
    rated.charge_class,
    rated.product_code,
    rated.currency_code,
    rated.rate,
    rated.rate_from,
    sum(rated.amount) as amount,
    sum(
        case
            when rated.exchange_level = 'record'
                then {{ round_money(
                    'rated.amount * rated.rate', 'rated.exchange_decimals',
                    'rated.exchange_rounding_mode'
                ) }}
            else rated.amount * rated.rate
        end
    ) as converted_amount
from rated
group by
    rated.account_id,
    rated.period_month,
    rated.line_kind,
    rated.charge_class,
    rated.product_code,
    rated.currency_code,
    rated.rate,
    rated.rate_from
