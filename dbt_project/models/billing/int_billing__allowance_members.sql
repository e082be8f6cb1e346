-- Grain: one row per member of a pool and time it is one, as known when the invoice run was opened.
-- The account is that of the member; a service that moved has one row per account.
with members as (
    select * from {{ source('reference', 'allowance_pool') }}
),

accounts as (
    select * from {{ source('reference', 'account_key') }}
),

services as (
    select * from {{ source('reference', 'service') }}
)

select
    members.pool_code,
    members.member_kind,
    accounts.account_id as member_id,
    accounts.account_id,
    members.valid_from,
    members.valid_to
from members
inner join accounts on members.member_code = accounts.account_code
where members.member_kind = 'account' and {{ known_at_invoice('members') }}
union all
select
    members.pool_code,
    members.member_kind,
    services.service_id as member_id,
    accounts.account_id,
    greatest(members.valid_from, services.valid_from) as valid_from,
    least(members.valid_to, services.valid_to) as valid_to
from members
inner join services
    on
        members.member_code = services.service_code
        and members.valid_from < services.valid_to
        and members.valid_to > services.valid_from
inner join accounts on services.account_code = accounts.account_code
where
    members.member_kind = 'service'
    and {{ known_at_invoice('members') }}
    and {{ known_at_invoice('services') }}
