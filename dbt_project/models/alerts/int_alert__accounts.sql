-- Grain: one row per account: its latest version known now. Not the mart: that hides what its
-- reader may not see.
with accounts as (
    select * from {{ source('reference', 'account') }}
)

select distinct on (accounts.account_id)
    accounts.account_id,
    accounts.account_code,
    accounts.time_zone
from accounts
where accounts.recorded_to = 'infinity'
order by accounts.account_id asc, accounts.valid_from desc
