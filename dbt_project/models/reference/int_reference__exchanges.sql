-- Grain: one row per central office code and period in which it is in service.
with exchanges as (
    select * from {{ source('reference', 'npanxx') }}
)

select
    exchanges.npanxx,
    exchanges.state_code,
    exchanges.valid_from,
    exchanges.valid_to
from exchanges
where
    exchanges.is_in_service
    and {{ known_at_cutoff('exchanges') }}
