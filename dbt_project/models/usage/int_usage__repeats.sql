-- Grain: one row per usage line of the current run that repeats an earlier record, in this run or
-- in the history of the same days. Identity is source + record key + UTC day of the start: switches
-- count from the beginning again after a reset. The original is the earliest record of equal
-- content, else (a key conflict) the earliest of that identity. Lines without a readable start
-- cannot be identified and are left out.
-- Only history of the days in this run is read (partitions and BRIN on started_at), so the cost
-- follows the run, not the warehouse; there is no time window after which a repeat would pass.
{{ config(materialized='work_table') }}

with usage_lines as (
    select * from {{ ref('int_usage__normalised') }}
),

history as (
    select
        rated.source_id,
        rated.record_key_hash,
        rated.content_hash,
        (rated.started_at at time zone 'UTC')::date as started_on,
        rated.file_id,
        rated.line_no
    from {{ fact_history('rating', 'rated_usage') }} as rated
    where
        {{ days_of_run('rated.started_at') }}
        and rated.leg_no = 1
        and rated.state <> 'duplicate'
        and rated.rating_run_id <> {{ run_id() }}
        and rated.rating_run_id in (
            select run.rating_run_id
            from {{ source('control', 'rating_run') }} as run
            where run.status = 'closed'
        )
        and rated.file_id not in ({{ withdrawn_files() }})
),

batch as (
    select
        usage_lines.source_id,
        usage_lines.record_key_hash,
        usage_lines.content_hash,
        (usage_lines.started_at at time zone 'UTC')::date as started_on,
        usage_lines.file_id,
        usage_lines.line_no
    from usage_lines
    where usage_lines.started_at is not null
),

repeated_in_batch as (
    select
        batch.source_id,
        batch.record_key_hash,
        batch.started_on
    from batch
    group by batch.source_id, batch.record_key_hash, batch.started_on
    having count(*) > 1
),

earlier as (
    select
        history.source_id,
        history.record_key_hash,
        history.content_hash,
        history.started_on,
        history.file_id,
        history.line_no
    from history
    union all
    select
        batch.source_id,
        batch.record_key_hash,
        batch.content_hash,
        batch.started_on,
        batch.file_id,
        batch.line_no
    from batch
    inner join repeated_in_batch
        on
            batch.source_id = repeated_in_batch.source_id
            and batch.record_key_hash = repeated_in_batch.record_key_hash
            and batch.started_on = repeated_in_batch.started_on
),

originals as (
    select distinct on (earlier.source_id, earlier.record_key_hash, earlier.started_on)
        earlier.source_id,
        earlier.record_key_hash,
        earlier.started_on,
        earlier.file_id,
        earlier.line_no
    from earlier
    order by
        earlier.source_id,
        earlier.record_key_hash,
        earlier.started_on,
        earlier.file_id,
        earlier.line_no
),

equal_originals as (
    select distinct on (
        earlier.source_id, earlier.record_key_hash, earlier.started_on, earlier.content_hash
    )
        earlier.source_id,
        earlier.record_key_hash,
        earlier.started_on,
        earlier.content_hash,
        earlier.file_id,
        earlier.line_no
    from earlier
    order by
        earlier.source_id,
        earlier.record_key_hash,
        earlier.started_on,
        earlier.content_hash,
        earlier.file_id,
        earlier.line_no
),

later as (
    select
        batch.file_id,
        batch.line_no,
        originals.file_id as first_file_id,
        originals.line_no as first_line_no,
        equal_originals.file_id as equal_file_id,
        equal_originals.line_no as equal_line_no
    from batch
    inner join originals
        on
            batch.source_id = originals.source_id
            and batch.record_key_hash = originals.record_key_hash
            and batch.started_on = originals.started_on
    left join equal_originals
        on
            batch.source_id = equal_originals.source_id
            and batch.record_key_hash = equal_originals.record_key_hash
            and batch.started_on = equal_originals.started_on
            and batch.content_hash = equal_originals.content_hash
            and (equal_originals.file_id, equal_originals.line_no)
            < (batch.file_id, batch.line_no)
    where (originals.file_id, originals.line_no) < (batch.file_id, batch.line_no)
)

select
    later.file_id,
    later.line_no,
    later.equal_file_id is not null as is_same_content,
    {{ usage_key(
        'coalesce(later.equal_file_id, later.first_file_id)',
        'coalesce(later.equal_line_no, later.first_line_no)', 1
    ) }} as original_usage_id
from later
