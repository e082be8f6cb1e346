-- Grain: one row per account invoiced by the current invoice run, with the bounds of its period.
{% set bill_group = current_invoice_run()['bill_group'] %}

with accounts as (
    select
        account.*,
        min(account.valid_from) over (partition by account.account_id) as account_from,
        max(account.valid_to) over (partition by account.account_id) as account_to,
        {{ period_start('account.time_zone', 'account.anchor_day') }} as period_start_at,
        {{ period_start('account.time_zone', 'account.anchor_day', months=1) }} as period_end_at
    from {{ source('reference', 'account') }} as account
    where
        account.recorded_from <= '{{ current_invoice_run()['cutoff'] }}'::timestamptz
        and account.recorded_to > '{{ current_invoice_run()['cutoff'] }}'::timestamptz
)

select distinct on (accounts.account_id)
    accounts.account_id,
    accounts.account_code,
    accounts.customer_name,
    accounts.bill_group,
    accounts.time_zone,
    accounts.anchor_day,
    accounts.currency_code,
    accounts.plan_code,
    accounts.is_reseller,
    accounts.tax_jurisdiction,
    accounts.exchange_source,
    accounts.exchange_date,
    accounts.exchange_level,
    accounts.exchange_decimals,
    accounts.exchange_rounding_mode,
    accounts.period_start_at,
    accounts.period_end_at,
    accounts.account_from,
    accounts.account_to
from accounts
where
    accounts.bill_group = '{{ bill_group }}'
    and accounts.account_id <> 0
    -- the latest version that held at some time of the period
    and accounts.valid_from < accounts.period_end_at
    and accounts.valid_to > accounts.period_start_at
order by accounts.account_id asc, accounts.valid_from desc
