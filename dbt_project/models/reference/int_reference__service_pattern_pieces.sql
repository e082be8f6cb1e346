-- Grain: one row per prefix interval (of a side, length of number) and
-- period: the row that holds there, none in a gap.
with prefix_rows as (
    select * from {{ ref('int_reference__service_pattern_rows') }}
),

{{ prefix_intervals('prefix_rows') }}

select
    prefix_pieces.interval_no,
    prefix_pieces.lower_bound,
    prefix_pieces.from_number,
    prefix_pieces.to_number,
    prefix_pieces.payload_id,
    prefix_pieces.valid_from,
    prefix_pieces.valid_to
from prefix_pieces
