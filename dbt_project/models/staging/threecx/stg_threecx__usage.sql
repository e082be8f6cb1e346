-- Grain: one row per landed line of a 3CX call log: one step of a call (queue, ring group,
-- transfer); the steps of a call share historyid.
with cdr_lines as (
    select * from {{ source('landing', 'threecx') }}
),

cleaned as (
    select
        cdr_lines.*,
        {{ landed_text('cdr_lines.time_start') }} as start_text,
        {{ landed_text('cdr_lines.time_answered') }} as answered_text,
        {{ landed_text('cdr_lines.time_end') }} as end_text,
        {{ landed_text('cdr_lines.duration') }} as talk_text,
        {{ landed_text('cdr_lines.from_no') }} as from_text,
        {{ landed_text('cdr_lines.to_no') }} as to_text,
        {{ landed_text('cdr_lines.dial_no') }} as dial_text,
        {{ landed_text('cdr_lines.final_number') }} as final_text,
        {{ landed_text('cdr_lines.from_dn') }} as from_dn_text,
        {{ landed_text('cdr_lines.to_dn') }} as to_dn_text,
        {{ landed_text('cdr_lines.final_dn') }} as final_dn_text,
        {{ landed_text('cdr_lines.from_type') }} as from_type_text,
        {{ landed_text('cdr_lines.to_type') }} as to_type_text,
        {{ landed_text('cdr_lines.final_type') }} as final_type_text,
        {{ landed_text('cdr_lines.reason_terminated') }} as reason_text
    from cdr_lines
),

-- Types are words of letters only; anything else there is a line whose fields moved.
sided as (
    select
        cleaned.*,
        coalesce(
            case
                when cleaned.from_type_text ~ '^[A-Za-z ]+$'
                    then cleaned.from_type_text ~* 'line$'
            end,
            cleaned.from_text !~* '^(Ext[.]|MakeCall)'
        ) as is_from_outside,
        coalesce(
            case
                when cleaned.to_type_text ~ '^[A-Za-z ]+$'
                    then cleaned.to_type_text ~* 'line$'
            end,
            coalesce(cleaned.to_text, cleaned.dial_text) !~* '^Ext[.]'
        ) as is_to_outside,
        coalesce(
            case
                when cleaned.final_type_text ~ '^[A-Za-z ]+$'
                    then cleaned.final_type_text ~* 'line$'
            end,
            cleaned.final_text !~* '^Ext[.]'
        ) as is_final_outside
    from cleaned
),

directed as (
    select
        sided.*,
        case
            when sided.is_from_outside and sided.is_to_outside then 'transit'
            when sided.is_from_outside then 'inbound'
            when sided.is_to_outside or sided.is_final_outside then 'outbound'
            when sided.is_from_outside is not null then 'internal'
        end as direction
    from sided
)

select
    directed.file_id,
    directed.line_no,
    'voice' as usage_type,
    {{ landed_text('directed.historyid') }} as call_group_id,
    directed.start_text as start_raw,
    directed.answered_text as answer_raw,
    directed.end_text as end_raw,
    coalesce(
        {{ seconds_between('directed.start_text', 'directed.end_text') }}, directed.talk_text
    ) as duration_raw,
    -- HH:MM:SS.f as seconds, rounded half up
    case
        when directed.answered_text is null then '0'
        when directed.talk_text ~ '^[0-9]{1,4}:[0-5][0-9]:[0-5][0-9]([.][0-9]+)?$'
            then round(
                split_part(directed.talk_text, ':', 1)::numeric * 3600
                + split_part(directed.talk_text, ':', 2)::numeric * 60
                + split_part(directed.talk_text, ':', 3)::numeric
            )::text
        else directed.talk_text
    end as billable_raw,
    regexp_replace(directed.from_text, '^Ext[.]', '', 'i') as calling_raw,
    rtrim(
        regexp_replace(
            coalesce(directed.final_text, directed.dial_text, directed.to_text),
            '^Ext[.]', '', 'i'
        ),
        '#'
    ) as called_raw,
    directed.dial_text as dialled_raw,
    {{ landed_text('directed.from_dispname') }} as calling_name,
    directed.direction,
    case
        when directed.answered_text is not null then 'answered'
        when directed.reason_text ~* 'busy' then 'busy'
        when directed.reason_text ~* 'fail' then 'failed'
        else 'no_answer'
    end as disposition_raw,
    directed.reason_text as cause_text,
    {{ landed_text('directed.bill_code') }} as account_key,
    regexp_replace(
        case
            when directed.direction in ('outbound', 'internal')
                then coalesce(directed.from_dn_text, directed.from_text)
            else coalesce(directed.to_dn_text, directed.final_dn_text, directed.to_text)
        end,
        '^Ext[.]', '', 'i'
    ) as service_key_1,
    case when directed.direction = 'internal' then 'leg_without_trunk' end as set_aside_rule,
    {{ record_key_hash('directed', 'threecx', none) }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'call_group_id', 'start_raw', 'answer_raw', 'end_raw', 'duration_raw',
        'billable_raw', 'calling_raw', 'called_raw', 'dialled_raw', 'calling_name', 'direction',
        'disposition_raw', 'cause_text', 'account_key', 'service_key_1', 'set_aside_rule',
    ]) }}
from directed
