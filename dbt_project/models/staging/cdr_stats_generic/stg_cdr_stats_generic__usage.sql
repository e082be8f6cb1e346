-- Grain: one row per landed line of CDR-Stats' older import, which has no header and a blank behind
-- every comma. The columns called uepoch hold whatever epoch their size says.
with cdr_lines as (
    select * from {{ source('landing', 'cdr_stats_generic') }}
),

cleaned as (
    select
        cdr_lines.*,
        {{ landed_text('cdr_lines.uuid', quotes=true) }} as uuid_text,
        {{ landed_text('cdr_lines.hangup_cause_id', quotes=true) }} as cause_id,
        {{ landed_text('cdr_lines.billsec', quotes=true) }} as billsec_text,
        nullif({{ landed_text('cdr_lines.answer_uepoch', quotes=true) }}, '0') as answer_text,
        lower({{ landed_text('cdr_lines.direction', quotes=true) }}) as direction_text
    from cdr_lines
),

judged as (
    select
        cleaned.*,
        {{ q850_disposition('cleaned.cause_id') }} as outcome
    from cleaned
)

select
    judged.file_id,
    judged.line_no,
    'voice' as usage_type,
    judged.uuid_text as record_id,
    judged.uuid_text as call_group_id,
    {{ landed_text('judged.start_uepoch', quotes=true) }} as start_raw,
    case when judged.outcome = 'answered' then judged.answer_text end as answer_raw,
    nullif({{ landed_text('judged.end_uepoch', quotes=true) }}, '0') as end_raw,
    {{ landed_text('judged.duration', quotes=true) }} as duration_raw,
    case when judged.outcome = 'answered' then judged.billsec_text else '0' end as billable_raw,
    {{ landed_text('judged.caller_id_number', quotes=true) }} as calling_raw,
    {{ landed_text('judged.destination_number', quotes=true) }} as called_raw,
    {{ landed_text('judged.destination_number', quotes=true) }} as dialled_raw,
    {{ landed_text('judged.caller_id_name', quotes=true) }} as calling_name,
    case
        when judged.direction_text in ('inbound', 'outbound', 'internal')
            then judged.direction_text
        when judged.direction_text = 'local' then 'internal'
    end as direction,
    judged.outcome as disposition_raw,
    judged.cause_id as cause_code,
    {{ landed_text('judged.accountcode', quotes=true) }} as account_key,
    {{ record_key_hash('judged', 'cdr_stats_generic', 'judged.uuid_text') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'answer_raw', 'end_raw',
        'duration_raw', 'billable_raw', 'calling_raw', 'called_raw', 'dialled_raw',
        'calling_name', 'direction', 'disposition_raw', 'cause_code', 'account_key',
    ]) }}
from judged
