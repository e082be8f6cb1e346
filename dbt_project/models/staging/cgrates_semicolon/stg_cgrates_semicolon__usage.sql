-- Grain: one row per landed line of the semicolon template: answered voice calls.
with cdrs as (
    select * from {{ source('landing', 'cgrates_semicolon') }}
),

prepared as (
    select
        cdrs.*,
        {{ go_time('cdrs.answer_time') }} as answer_text,
        {{ go_duration('cdrs.usage') }} as seconds
    from cdrs
)

select
    prepared.file_id,
    prepared.line_no,
    'voice' as usage_type,
    nullif(prepared.origin_id, '') as record_id,
    prepared.origin_id as call_group_id,
    prepared.answer_text as start_raw,
    prepared.answer_text as answer_raw,
    prepared.seconds as duration_raw,
    prepared.seconds as billable_raw,
    prepared.account as calling_raw,
    prepared.destination as called_raw,
    case when prepared.answer_text is not null then 'answered' end as disposition_raw,
    prepared.account as account_key,
    prepared.tenant as service_key_1,
    {{ record_key_hash('prepared', 'cgrates_semicolon', 'prepared.origin_id') }}
        as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'answer_raw', 'duration_raw',
        'billable_raw', 'calling_raw', 'called_raw', 'disposition_raw', 'account_key',
        'service_key_1'
    ]) }}
from prepared
