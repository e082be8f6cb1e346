-- Grain: one row per landed line of CDR-Stats' voipcall report. Nothing in a line names it, so the
-- whole line is its key. Talk seconds count on answered calls only: BUSY and NOROUTE carry some.
with cdr_lines as (
    select * from {{ source('landing', 'voipcall_report') }}
),

cleaned as (
    select
        cdr_lines.*,
        upper({{ landed_text('cdr_lines.disposition', quotes=true) }}) as outcome
    from cdr_lines
)

select
    cleaned.file_id,
    cleaned.line_no,
    'voice' as usage_type,
    {{ landed_text('cleaned.called_at') }} as start_raw,
    {{ landed_text('cleaned.duration') }} as duration_raw,
    case when cleaned.outcome = 'ANSWER' then {{ landed_text('cleaned.billsec') }} else '0' end
        as billable_raw,
    {{ landed_text('cleaned.caller_number') }} as calling_raw,
    {{ landed_text('cleaned.called_number') }} as called_raw,
    {{ landed_text('cleaned.called_number') }} as dialled_raw,
    case when cleaned.outcome in ('NOROUTE', 'CHANUNAVAIL') then 'failed' else cleaned.outcome end
        as disposition_raw,
    cleaned.outcome as cause_text,
    {{ record_key_hash('cleaned', 'voipcall_report', none) }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'start_raw', 'duration_raw', 'billable_raw', 'calling_raw', 'called_raw',
        'dialled_raw', 'disposition_raw', 'cause_text',
    ]) }}
from cleaned
