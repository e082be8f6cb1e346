-- Grain: one row per service version, as known at the cut-off.
with services as (
    select * from {{ source('reference', 'service') }}
),

accounts as (
    select * from {{ source('reference', 'account_key') }}
)

select
    services.service_id,
    services.service_code,
    accounts.account_id,
    services.plan_code,
    services.state_code,
    services.valid_from,
    services.valid_to
from services
inner join accounts on services.account_code = accounts.account_code
where {{ known_at_cutoff('services') }}
