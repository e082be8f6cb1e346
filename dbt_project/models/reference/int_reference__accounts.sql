-- Grain: one row per account version, as known at the cut-off.
with accounts as (
    select * from {{ source('reference', 'account') }}
)

select
    accounts.account_id,
    accounts.account_code,
    accounts.bill_group,
    accounts.time_zone,
    accounts.anchor_day,
    accounts.call_period = 'end' as is_period_by_end,
    accounts.currency_code,
    accounts.plan_code,
    accounts.valid_from,
    accounts.valid_to
from accounts
where {{ known_at_cutoff('accounts') }}
