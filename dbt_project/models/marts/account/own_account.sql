-- Grain: one row per account of the reader.
{{ config(tags=['rating']) }}

with accounts as (
    select * from {{ source('reference', 'account') }}
)

select distinct on (accounts.account_id)
    accounts.account_id::bigint as account_id,
    accounts.account_code::text as account_code,
    accounts.customer_name::text as customer_name,
    accounts.time_zone::text as time_zone,
    accounts.anchor_day::integer as anchor_day,
    accounts.currency_code::text as currency_code
from accounts
where
    accounts.recorded_to = 'infinity'
    and {{ own_rows('accounts') }}
order by accounts.account_id asc, accounts.valid_from desc
