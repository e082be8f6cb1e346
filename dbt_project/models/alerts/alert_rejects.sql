-- Grain: one row per file received of whose records too many could not be read or rated. Judged by
-- when a file came, not by when its calls were made.
with rule as (
    {{ alert_rule('rejects') }}
),

files as (
    select files.*
    from {{ source('control', 'file') }} as files
    where
        files.status = 'landed'
        and files.received_at >= coalesce(
            nullif(current_setting('ratehouse.alerts_received_from', true), '')::timestamptz,
            {{ alert_from() }}
        )
        and files.received_at < coalesce(
            nullif(current_setting('ratehouse.alerts_received_to', true), '')::timestamptz,
            'infinity'
        )
),

suspended as (
    select
        totals.file_id,
        sum(totals.record_count) as records
    from {{ ref('usage_total') }} as totals
    inner join {{ source('control', 'rating_run') }} as runs
        on totals.rating_run_id = runs.rating_run_id
    inner join files on totals.file_id = files.file_id
    where
        runs.status = 'closed'
        and totals.state = 'error'
    group by totals.file_id
),

counted as (
    select
        files.file_id,
        files.file_name,
        files.source_code,
        files.received_at,
        files.data_count + files.quarantined_count as records,
        files.quarantined_count as unreadable,
        coalesce(suspended.records, 0) as suspended
    from files
    left join suspended on files.file_id = suspended.file_id
),

found as (
    select
        rule.*,
        counted.*,
        round(100.0 * (counted.unreadable + counted.suspended) / counted.records, 1)
            as rejected_percent
    from counted
    cross join rule
    where
        counted.records > 0
        and counted.unreadable + counted.suspended >= rule.minimum
        and 100.0 * (counted.unreadable + counted.suspended) >= rule.threshold * counted.records
)

select
    found.rule_code,
    found.severity,
    'file' as subject_kind,
    concat(found.file_id, ' ', found.file_name) as subject,
    null::bigint as account_id,
    found.received_at as window_from,
    found.received_at as window_to,
    found.rejected_percent::numeric as measured,
    null::numeric as expected,
    found.threshold,
    'percent' as unit,
    concat(
        'file ', found.file_id, ' (', found.file_name, ') of source ', found.source_code, ': of ',
        found.records, ' records ', found.unreadable, ' could not be read and ', found.suspended,
        ' not be rated (', found.rejected_percent, ' %)'
    ) as sentence,
    jsonb_build_object(
        'records', found.records, 'unreadable', found.unreadable, 'suspended', found.suspended
    ) as figures,
    '{}'::bigint[] as usage_ids
from found
