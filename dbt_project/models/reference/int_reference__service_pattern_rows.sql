-- Grain: one row per pattern, side and period. payload_id is the service. A pattern 123{!} names
-- every number that starts with 123; the longest pattern wins.
{{ config(materialized='view') }}

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
    sides.side as scope,
    replace(identifiers.identifier_value, '{!}', '') as prefix,
    0 as specificity,
    services.service_id as payload_id,
    greatest(identifiers.valid_from, services.valid_from) as valid_from,
    least(identifiers.valid_to, services.valid_to) as valid_to
from identifiers
inner join services
    on
        identifiers.service_code = services.service_code
        and identifiers.valid_during && tstzrange(services.valid_from, services.valid_to)
inner join sides on identifiers.direction in (sides.direction, 'both')
where
    identifiers.identifier_kind = 'pattern'
    and identifiers.identifier_value ~ '^[0-9]{1,13}[{]!}$'
    and {{ known_at_cutoff('identifiers') }}
