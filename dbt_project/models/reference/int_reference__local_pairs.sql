-- Grain: one row per calling area, pair of rate centres (from, to) and period: calls from the one
-- to the other are local.
with pairs as (
    select * from {{ source('reference', 'local_calling_area') }}
)

select
    pairs.calling_area_code,
    {{ centre_no('pairs.from_state', 'pairs.from_rate_centre') }} as from_centre_no,
    {{ centre_no('pairs.to_state', 'pairs.to_rate_centre') }} as to_centre_no,
    pairs.valid_from,
    pairs.valid_to
from pairs
where {{ known_at_cutoff('pairs') }}
