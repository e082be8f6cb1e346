-- Grain: one row per central office code and period: its LATA.
with latas as (
    select * from {{ source('reference', 'lata') }}
)

select
    latas.npanxx,
    latas.lata,
    latas.valid_from,
    latas.valid_to
from latas
where {{ known_at_cutoff('latas') }}
