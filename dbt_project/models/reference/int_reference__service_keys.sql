-- Grain: one row per account key, circuit or other key of charges, and period: which service it
-- names.
with identifiers as (
    select * from {{ source('reference', 'service_identifier') }}
),

services as (
    select * from {{ ref('int_reference__services') }}
)

select
    identifiers.identifier_kind,
    identifiers.identifier_value as account_key,
    identifiers.direction,
    services.service_id,
    greatest(identifiers.valid_from, services.valid_from) as valid_from,
    least(identifiers.valid_to, services.valid_to) as valid_to
from identifiers
inner join services
    on
        identifiers.service_code = services.service_code
        and identifiers.valid_during && tstzrange(services.valid_from, services.valid_to)
where
    identifiers.identifier_kind not in ('number', 'pattern')
    and {{ known_at_cutoff('identifiers') }}
