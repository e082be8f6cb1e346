-- Grain: one row per landed line of a Qwest standard daily file, sliced by position.
with cdr as (
    select * from {{ source('landing', 'qwest_daily') }}
),

calls as (
    select
        cdr.*,
        substr(cdr.record_line, 124, 8) || substr(cdr.record_line, 25, 6) as started,
        substr(cdr.record_line, 7, 8) || substr(cdr.record_line, 31, 6) as disconnected,
        nullif(btrim(substr(cdr.record_line, 38, 15)), '') as ani,
        -- without its zeros in front: 11 digits are more than a duration may have
        regexp_replace(btrim(substr(cdr.record_line, 55, 11)), '^0+(?=[0-9])', '') as seconds,
        regexp_replace(btrim(substr(cdr.record_line, 76, 6)), '^0+(?=[0-9])', '')
            as completion_code,
        nullif(btrim(substr(cdr.record_line, 82, 15)), '') as dialled_number,
        nullif(btrim(substr(cdr.record_line, 97, 15)), '') as called_number,
        nullif(btrim(substr(cdr.record_line, 113, 11)), '') as sequence_number,
        nullif(btrim(substr(cdr.record_line, 150, 6)), '') as originating_group,
        nullif(btrim(substr(cdr.record_line, 162, 6)), '') as terminating_group,
        nullif(btrim(substr(cdr.record_line, 180, 24)), '') as billing_number,
        nullif(btrim(substr(cdr.record_line, 204, 12)), '') as account_code,
        nullif(btrim(substr(cdr.record_line, 333, 10)), '') as lrn
    from cdr
),

judged as (
    select
        calls.*,
        case
            when calls.completion_code in ('0', '1', '5', '6', '12') then 'answered'
            when calls.completion_code in ('2', '7', '8') then 'no_answer'
            when calls.completion_code in ('3', '4', '9', '13', '15') then 'failed'
            else 'unknown'
        end as disposition
    from calls
)

select
    judged.file_id,
    judged.line_no,
    'voice' as usage_type,
    judged.sequence_number as record_id,
    judged.started as start_raw,
    judged.disconnected as end_raw,
    judged.seconds as duration_raw,
    case when judged.disposition = 'answered' then judged.seconds else '0' end as billable_raw,
    judged.ani as calling_raw,
    coalesce(judged.dialled_number, judged.called_number) as called_raw,
    judged.dialled_number as dialled_raw,
    judged.disposition as disposition_raw,
    nullif(judged.completion_code, '') as cause_code,
    judged.account_code as account_key,
    judged.billing_number as service_key_1,
    judged.originating_group as trunk,
    judged.terminating_group as route,
    judged.lrn,
    {{ record_key_hash('judged', 'qwest_daily', 'judged.sequence_number') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'start_raw', 'end_raw', 'duration_raw', 'billable_raw',
        'calling_raw', 'called_raw', 'dialled_raw', 'disposition_raw', 'cause_code',
        'account_key', 'service_key_1', 'trunk', 'route', 'lrn'
    ]) }}
from judged
