-- Grain: one row per account: its latest version known now.
with accounts as (
    select * from {{ source('reference', 'account') }}
)

select distinct on (accounts.account_id)
    accounts.account_id::bigint as account_id,
    accounts.account_code::text as account_code,
    case
        when accounts.account_id = 0 then accounts.customer_name
        when {{ sees_personal_data('accounts') }} then accounts.customer_name
        else left(accounts.customer_name, 1) || '***'
    end::text as customer_name,
    accounts.bill_group::text as bill_group,
    accounts.time_zone::text as time_zone,
    accounts.anchor_day::integer as anchor_day,
    accounts.currency_code::text as currency_code,
    accounts.is_reseller::boolean as is_reseller,
    accounts.valid_from::timestamptz as valid_from,
    accounts.valid_to::timestamptz as valid_to
from accounts
where accounts.recorded_to = 'infinity'
order by accounts.account_id asc, accounts.valid_from desc
