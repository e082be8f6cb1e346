-- Grain: one row per service: its latest version known now.
with services as (
    select * from {{ source('reference', 'service') }}
),

accounts as (
    select * from {{ source('reference', 'account_key') }}
)

select distinct on (services.service_id)
    services.service_id::bigint as service_id,
    services.service_code::text as service_code,
    accounts.account_id::bigint as account_id,
    services.account_code::text as account_code,
    services.service_type::text as service_type,
    services.plan_code::text as plan_code,
    services.valid_from::timestamptz as valid_from,
    services.valid_to::timestamptz as valid_to
from services
inner join accounts on services.account_code = accounts.account_code
where services.recorded_to = 'infinity'
order by services.service_id asc, services.valid_from desc
