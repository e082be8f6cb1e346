-- Grain: one row per landed Taqua record.
-- Record type 0 is a call, and disposition 100 a normal one; other record types are part of a
-- call.
with landed as (
    select * from {{ source('landing', 'taqua') }}
),

cdr as (
    select
        landed.*,
        {{ iso_timestamp('landed.call_arrival_time', "'mdy'") }} as arrival,
        {{ iso_timestamp('landed.disposition_time', "'mdy'") }} as answer,
        {{ iso_timestamp('landed.call_completion_time', "'mdy'") }} as completion
    from landed
)

select
    cdr.file_id,
    cdr.line_no,
    'voice' as usage_type,
    nullif(btrim(cdr.sequence_number), '') as record_id,
    nullif(btrim(cdr.session_number), '') as call_group_id,
    cdr.call_arrival_time as start_raw,
    'UTC' as start_zone,
    case when btrim(cdr.disposition) = '100' then nullif(btrim(cdr.disposition_time), '') end
        as answer_raw,
    nullif(btrim(cdr.call_completion_time), '') as end_raw,
    {{ seconds_between('cdr.arrival', 'cdr.completion') }} as duration_raw,
    case
        when btrim(cdr.disposition) = '100'
            then {{ seconds_between('cdr.answer', 'cdr.completion') }}
        else '0'
    end as billable_raw,
    cdr.calling_party_number as calling_raw,
    case
        when btrim(cdr.call_type) = '6' and cdr.called_party_number ~ '^[0-9]'
            then '+' || cdr.called_party_number
        else cdr.called_party_number
    end as called_raw,
    nullif(btrim(cdr.orig_dialed_digits), '') as dialled_raw,
    nullif(btrim(cdr.subscriber_name), '') as calling_name,
    case when btrim(cdr.disposition) = '100' then 'answered' else 'failed' end as disposition_raw,
    nullif(btrim(cdr.disposition), '') as cause_code,
    nullif(btrim(cdr.billing_number), '') as service_key_1,
    nullif(btrim(cdr.orig_trunk_group), '') as trunk,
    nullif(btrim(cdr.term_trunk_group), '') as route,
    case when btrim(cdr.record_type) <> '0' then 'paired_event' end as set_aside_rule,
    {{ record_key_hash('cdr', 'taqua', 'btrim(cdr.sequence_number)') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'start_zone', 'answer_raw',
        'end_raw', 'duration_raw', 'billable_raw', 'calling_raw', 'called_raw', 'dialled_raw',
        'calling_name', 'disposition_raw', 'cause_code', 'service_key_1', 'trunk', 'route',
        'set_aside_rule'
    ]) }}
from cdr
