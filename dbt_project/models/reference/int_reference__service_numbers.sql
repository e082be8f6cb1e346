-- Grain: one row per number, side and period: which service a number names. side 1 is the calling
-- side (outbound), 2 the called side (inbound).
with identifiers as (
    select * from {{ source('reference', 'service_identifier') }}
),

services as (
    select * from {{ ref('int_reference__services') }}
),

sides as (
    select *
    from (values (1, 'outbound'), (2, 'inbound')) as s (side, direction)
)

select
    sides.side,
    identifiers.identifier_value::bigint as number,
    services.service_id,
    greatest(identifiers.valid_from, services.valid_from) as valid_from,
    least(identifiers.valid_to, services.valid_to) as valid_to
from identifiers
inner join services
    on
        identifiers.service_code = services.service_code
        and identifiers.valid_during && tstzrange(services.valid_from, services.valid_to)
inner join sides on identifiers.direction in (sides.direction, 'both')
where
    identifiers.identifier_kind = 'number'
    and identifiers.identifier_value ~ '^[0-9]{1,15}$'
    and {{ known_at_cutoff('identifiers') }}
