-- Grain: one row per file received. Every record of the file is in exactly one column; difference
-- is what is lost or counted twice, and must be 0.
-- Totals of closed runs and of the one at work count, so that a run can be judged before it closes;
-- a withdrawal that the run at work takes back counts no more.
with files as (
    select * from {{ source('control', 'file') }}
),

runs as (
    select run.*
    from {{ source('control', 'rating_run') }} as run
    where
        run.status in ('closed', 'running')
        and not exists (
            select 1
            from {{ source('control', 'rating_run') }} as restoring
            where
                restoring.undoes_run_id = run.rating_run_id
                and restoring.status = 'running'
        )
),

rated_files as (
    select distinct work_file.file_id
    from {{ source('control', 'rating_run_file') }} as work_file
    inner join runs on work_file.rating_run_id = runs.rating_run_id
    where
        work_file.is_initial
        and work_file.build_schema = '{{ build_schema() }}'
),

withdrawn_files as (
    select work_file.file_id
    from {{ source('control', 'rating_run_file') }} as work_file
    inner join runs on work_file.rating_run_id = runs.rating_run_id
    where
        work_file.is_withdrawal
        and work_file.build_schema = '{{ build_schema() }}'
        and runs.run_kind = 'withdraw'
),

totals as (
    select
        usage_total.rating_run_id,
        usage_total.file_id,
        usage_total.state,
        usage_total.record_count
    from {{ ref('usage_total') }} as usage_total
    union all
    select
        charge_total.rating_run_id,
        charge_total.file_id,
        charge_total.state,
        charge_total.record_count
    from {{ ref('charge_total') }} as charge_total
),

states as (
    select
        totals.file_id,
        sum(totals.record_count) filter (where totals.state = 'billed') as billed_count,
        sum(totals.record_count) filter (where totals.state = 'not_billable')
            as not_billable_count,
        sum(totals.record_count) filter (where totals.state = 'duplicate') as duplicate_count,
        sum(totals.record_count) filter (where totals.state = 'error') as error_count
    from totals
    inner join runs on totals.rating_run_id = runs.rating_run_id
    group by totals.file_id
),

counted as (
    select
        files.*,
        case
            when files.status = 'landed' and rated_files.file_id is null then files.data_count
            else 0
        end as waiting_count,
        case
            when files.status not in ('landed', 'withdrawn') then files.data_count
            else 0
        end as held_count,
        -- what a withdrawal took out of the totals, or what nobody had rated before it
        case
            when withdrawn_files.file_id is not null then files.data_count
            when files.status = 'withdrawn' and rated_files.file_id is null then files.data_count
            else 0
        end as withdrawn_count,
        coalesce(states.billed_count, 0) as billed_count,
        coalesce(states.not_billable_count, 0) as not_billable_count,
        coalesce(states.duplicate_count, 0) as duplicate_count,
        coalesce(states.error_count, 0) as error_count
    from files
    left join rated_files on files.file_id = rated_files.file_id
    left join withdrawn_files on files.file_id = withdrawn_files.file_id
    left join states on files.file_id = states.file_id
)

select
    counted.file_id::bigint as file_id,
    counted.file_name::text as file_name,
    counted.source_code::text as source_code,
    counted.file_kind::text as file_kind,
    counted.status::text as status,
    counted.received_at::timestamptz as received_at,
    counted.record_count::bigint as record_count,
    counted.data_count::bigint as data_count,
    counted.non_data_count::bigint as non_data_count,
    counted.quarantined_count::bigint as quarantined_count,
    counted.held_count::bigint as held_count,
    counted.waiting_count::bigint as waiting_count,
    counted.withdrawn_count::bigint as withdrawn_count,
    counted.billed_count::bigint as billed_count,
    counted.not_billable_count::bigint as not_billable_count,
    counted.duplicate_count::bigint as duplicate_count,
    counted.error_count::bigint as error_count,
    (
        counted.held_count
        + counted.waiting_count
        + counted.withdrawn_count
        + counted.billed_count
        + counted.not_billable_count
        + counted.duplicate_count
        + counted.error_count
        + counted.non_data_count
        + counted.quarantined_count
    )::bigint as accounted_count,
    (
        counted.record_count
        - counted.held_count
        - counted.waiting_count
        - counted.withdrawn_count
        - counted.billed_count
        - counted.not_billable_count
        - counted.duplicate_count
        - counted.error_count
        - counted.non_data_count
        - counted.quarantined_count
    )::bigint as difference,
    (
        counted.record_count
        = counted.held_count
        + counted.waiting_count
        + counted.withdrawn_count
        + counted.billed_count
        + counted.not_billable_count
        + counted.duplicate_count
        + counted.error_count
        + counted.non_data_count
        + counted.quarantined_count
    ) as is_balanced
from counted
