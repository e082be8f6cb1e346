-- Grain: one row per landed GenBand (Tekelec) record, sliced by position.
-- A call without an answer time was not answered, whatever its duration says.
with cdr as (
    select * from {{ source('landing', 'genband') }}
),

calls as (
    select
        cdr.*,
        nullif(btrim(substr(cdr.record_line, 7, 30)), '') as originating_id,
        substr(cdr.record_line, 37, 19) as start_time,
        nullif(btrim(substr(cdr.record_line, 56, 19)), '') as answer_time,
        nullif(btrim(substr(cdr.record_line, 75, 19)), '') as end_time,
        nullif(btrim(substr(cdr.record_line, 124, 30)), '') as source_end_name,
        nullif(btrim(substr(cdr.record_line, 154, 20)), '') as source_caller_id,
        nullif(btrim(substr(cdr.record_line, 174, 30)), '') as source_caller_name,
        nullif(btrim(substr(cdr.record_line, 234, 30)), '') as destination_end_name,
        nullif(btrim(substr(cdr.record_line, 264, 20)), '') as destination_caller_id,
        nullif(btrim(substr(cdr.record_line, 314, 30)), '') as dialled_digits,
        nullif(btrim(substr(cdr.record_line, 374, 30)), '') as authorisation_code,
        btrim(substr(cdr.record_line, 407, 9)) as seconds,
        nullif(btrim(substr(cdr.record_line, 416, 64)), '') as sip_call_id,
        nullif(btrim(substr(cdr.record_line, 544, 4)), '') as completion_reason
    from cdr
)

select
    calls.file_id,
    calls.line_no,
    'voice' as usage_type,
    calls.originating_id as record_id,
    calls.sip_call_id as call_group_id,
    calls.start_time as start_raw,
    calls.answer_time as answer_raw,
    calls.end_time as end_raw,
    calls.seconds as duration_raw,
    case when calls.answer_time is null then '0' else calls.seconds end as billable_raw,
    calls.source_caller_id as calling_raw,
    calls.destination_caller_id as called_raw,
    calls.dialled_digits as dialled_raw,
    calls.source_caller_name as calling_name,
    case when calls.answer_time is null then 'no_answer' else 'answered' end as disposition_raw,
    calls.completion_reason as cause_code,
    calls.authorisation_code as service_key_1,
    calls.source_end_name as trunk,
    calls.destination_end_name as route,
    {{ record_key_hash('calls', 'genband', 'calls.originating_id') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'answer_raw', 'end_raw',
        'duration_raw', 'billable_raw', 'calling_raw', 'called_raw', 'dialled_raw',
        'calling_name', 'disposition_raw', 'cause_code', 'service_key_1', 'trunk', 'route'
    ]) }}
from calls
