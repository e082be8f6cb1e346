-- Grain: one row per landed line of FreeSWITCH mod_cdr_csv: one leg of a call, in any template.
-- A leg that another leg names as its other leg is the second leg of that one's call; where both
-- name each other, the later of them.
with cdr_lines as (
    select * from {{ source('landing', 'freeswitch_csv') }}
),

-- Some templates put a blank before a quote, which leaves the quotes in the value.
cleaned as (
    select
        cdr_lines.*,
        {{ landed_text('cdr_lines.start_stamp', quotes=true) }} as start_text,
        {{ landed_text('cdr_lines.answer_stamp', quotes=true) }} as answer_text,
        {{ landed_text('cdr_lines.end_stamp', quotes=true) }} as end_text,
        {{ landed_text('cdr_lines.duration', quotes=true) }} as duration_text,
        {{ landed_text('cdr_lines.billsec', quotes=true) }} as billsec_text,
        {{ landed_text('cdr_lines.caller_id_number', quotes=true) }} as calling_text,
        {{ landed_text('cdr_lines.destination_number', quotes=true) }} as called_text,
        {{ landed_text('cdr_lines.context', quotes=true) }} as context_text,
        upper({{ landed_text('cdr_lines.hangup_cause', quotes=true) }}) as cause,
        {{ landed_text('cdr_lines.uuid', quotes=true) }} as uuid_text,
        {{ landed_text('cdr_lines.bleg_uuid', quotes=true) }} as other_uuid,
        {{ landed_text('cdr_lines.accountcode', quotes=true) }} as account_text
    from cdr_lines
)

select
    cleaned.file_id,
    cleaned.line_no,
    'voice' as usage_type,
    cleaned.uuid_text as record_id,
    least(cleaned.uuid_text, cleaned.other_uuid) as call_group_id,
    cleaned.start_text as start_raw,
    cleaned.answer_text as answer_raw,
    cleaned.end_text as end_raw,
    cleaned.duration_text as duration_raw,
    case when cleaned.answer_text is not null then cleaned.billsec_text else '0' end
        as billable_raw,
    cleaned.calling_text as calling_raw,
    cleaned.called_text as called_raw,
    cleaned.called_text as dialled_raw,
    coalesce(
        {{ landed_text('cleaned.caller_id_name', quotes=true) }},
        nullif(btrim(regexp_replace(cleaned.caller_id, '<[^<>]*>', ''), '" '), '')
    ) as calling_name,
    {{ freeswitch_direction(
        'cleaned.context_text', 'cleaned.calling_text', 'cleaned.called_text'
    ) }} as direction,
    {{ freeswitch_disposition('cleaned.answer_text is not null', 'cleaned.cause') }}
        as disposition_raw,
    cleaned.cause as cause_text,
    cleaned.account_text as account_key,
    case
        when exists (
            select 1
            from cdr_lines as asking
            where
                asking.bleg_uuid = cleaned.uuid_text
                and asking.uuid <> cleaned.uuid_text
                and (
                    cleaned.other_uuid is distinct from asking.uuid
                    or (asking.start_stamp, asking.uuid)
                    < (cleaned.start_stamp, cleaned.uuid_text)
                )
        ) then 'paired_event'
    end as set_aside_rule,
    {{ record_key_hash('cleaned', 'freeswitch_csv', 'cleaned.uuid_text') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'answer_raw', 'end_raw',
        'duration_raw', 'billable_raw', 'calling_raw', 'called_raw', 'dialled_raw',
        'calling_name', 'direction', 'disposition_raw', 'cause_text', 'account_key',
        'set_aside_rule',
    ]) }}
from cleaned
