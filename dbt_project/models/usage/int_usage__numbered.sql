-- Grain: as int_usage__parsed, with the start as an instant and numbers with country code.
{{ config(post_hook="{{ evaluate_once() }}") }}

with parsed as (
    select * from {{ ref('int_usage__parsed') }}
)

select
    parsed.file_id,
    parsed.line_no,
    parsed.source_id,
    parsed.usage_type,
    parsed.received_at,
    parsed.time_zone,
    parsed.start_raw,
    parsed.local_start,
    parsed.start_offset,
    case
        when parsed.start_offset is null then parsed.local_start at time zone parsed.time_zone
        else (parsed.local_start - parsed.start_offset) at time zone 'UTC'
    end as started_at,
    parsed.duration_raw,
    parsed.billable_raw,
    coalesce(
        parsed.duration_seconds,
        case when coalesce(parsed.duration_raw, '') = '' then parsed.billable_seconds end
    ) as duration_seconds,
    coalesce(
        parsed.billable_seconds,
        case when coalesce(parsed.billable_raw, '') = '' then parsed.duration_seconds end
    ) as stated_billable_seconds,
    parsed.disposition,
    parsed.calling_raw,
    parsed.calling_clean,
    {{ e164_candidate('parsed.calling_clean', 'parsed') }} as calling_candidate,
    parsed.called_raw,
    parsed.called_clean,
    {{ e164_candidate('parsed.called_clean', 'parsed') }} as called_candidate,
    parsed.number_plan,
    parsed.account_key_1,
    parsed.account_key_2,
    parsed.record_key_hash,
    parsed.content_hash
from parsed
