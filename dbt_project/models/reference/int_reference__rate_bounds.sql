-- Grain: one row: the sorted lower bounds of all prefix intervals, for width_bucket. The position
-- in the array is the interval's number.
with pieces as (
    select distinct
        piece.interval_no,
        piece.lower_bound
    from {{ ref('int_reference__rate_pieces') }} as piece
)

select coalesce(array_agg(pieces.lower_bound order by pieces.interval_no), '{}') as bounds
from pieces
