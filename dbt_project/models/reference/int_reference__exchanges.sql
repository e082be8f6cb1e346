-- Grain: one row per central office code and period in which it is in service. centre_no stands for
-- state and rate centre: two integers compare faster than four texts.
with exchanges as (
    select * from {{ source('reference', 'npanxx') }}
)

select
    exchanges.npanxx,
    exchanges.state_code,
    case
        when exchanges.rate_centre is not null
            then {{ centre_no('exchanges.state_code', 'exchanges.rate_centre') }}
    end as centre_no,
    exchanges.valid_from,
    exchanges.valid_to
from exchanges
where
    exchanges.is_in_service
    and {{ known_at_cutoff('exchanges') }}
