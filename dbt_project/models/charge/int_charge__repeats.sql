-- Grain: one row per charge line of the current run that repeats an earlier line of its source.
{{ config(materialized='work_table') }}

with charges as (
    select * from {{ ref('int_charge__normalised') }}
),

earlier as (
    select
        rated.source_id,
        rated.record_key_hash,
        rated.file_id,
        rated.line_no
    from {{ fact_history('rating', 'rated_charge') }} as rated
    where
        rated.state <> 'duplicate'
        and rated.rating_run_id <> {{ run_id() }}
        and rated.rating_run_id in (
            select run.rating_run_id
            from {{ source('control', 'rating_run') }} as run
            where run.status = 'closed'
        )
        and rated.file_id not in ({{ withdrawn_files() }})
    union all
    select
        charges.source_id,
        charges.record_key_hash,
        charges.file_id,
        charges.line_no
    from charges
),

originals as (
    select distinct on (earlier.source_id, earlier.record_key_hash)
        earlier.source_id,
        earlier.record_key_hash,
        earlier.file_id,
        earlier.line_no
    from earlier
    order by
        earlier.source_id, earlier.record_key_hash, earlier.file_id, earlier.line_no
)

select
    charges.file_id,
    charges.line_no,
    {{ usage_key('originals.file_id', 'originals.line_no', 0) }} as original_charge_id
from charges
inner join originals
    on
        charges.source_id = originals.source_id
        and charges.record_key_hash = originals.record_key_hash
where
    charges.value_error is null
    and (originals.file_id, originals.line_no) < (charges.file_id, charges.line_no)
