-- Grain: one row per range of file numbers of a source and series that never came: between two
-- numbers that did. A file that comes late closes its range.
with numbered as (
    select distinct
        files.source_code,
        files.sequence_series,
        files.sequence_number
    from {{ source('control', 'file') }} as files
    where
        files.sequence_number is not null
        and files.status <> 'failed'
),

steps as (
    select
        numbered.source_code,
        numbered.sequence_series,
        numbered.sequence_number,
        lead(numbered.sequence_number) over (
            partition by numbered.source_code, numbered.sequence_series
            order by numbered.sequence_number
        ) as next_number
    from numbered
)

select
    steps.source_code::text as source_code,
    steps.sequence_series::text as sequence_series,
    (steps.sequence_number + 1)::bigint as first_missing_number,
    (steps.next_number - 1)::bigint as last_missing_number,
    (steps.next_number - steps.sequence_number - 1)::bigint as missing_count
from steps
where steps.next_number > steps.sequence_number + 1
