-- Grain: one row per landed accounting event. The INVITE that was answered carries its call (an ACK
-- does where no INVITE was written); the BYE that ends it is looked up among all events received,
-- so that a call whose files were rotated in between is whole. Everything else that belongs to a
-- known call is a paired_event. An answered INVITE without a BYE is an open_session, a BYE without
-- its INVITE an orphan_event, until the other half lands.
with events as (
    select * from {{ source('landing', 'sip_accounting') }}
),

files as (
    select * from {{ source('control', 'file') }}
),

paired as (
    select
        events.*,
        {{ clock_number('events.event_time') }} as event_at,
        upper(events.method) in ('INVITE', 'ACK') and coalesce(events.sip_code, '2') ~ '^2'
            as is_answer,
        dialog.is_set_up,
        dialog.has_invite,
        dialog.is_confirmed,
        dialog.set_up_at,
        dialog.confirmed_at,
        dialog.confirmed_raw,
        dialog.ended_at,
        dialog.ended_raw
    from events
    left join files on events.file_id = files.file_id
    left join lateral {{ sip_dialog('events', 'files') }} as dialog on true
),

judged as (
    select
        paired.*,
        -- OpenSIPS in CDR mode writes the call as a whole
        case
            when not paired.is_answer then null
            when paired.ms_duration ~ '^[0-9]{1,12}$' and paired.ms_duration !~ '^0*$'
                then (paired.ms_duration::numeric / 1000)::numeric(20, 3)::text
            when
                paired.duration ~ '^[0-9]{1,9}$'
                and (paired.duration !~ '^0*$' or paired.created <> '')
                then paired.duration
        end as stated_seconds,
        case
            when paired.setuptime ~ '^[0-9]{1,6}$' then paired.setuptime::integer
            else 0
        end as setup_seconds,
        coalesce(nullif(paired.event_time, ''), paired.confirmed_raw) as answered_raw,
        coalesce(paired.event_at, paired.confirmed_at) as answered_at
    from paired
),

decided as (
    select
        judged.*,
        case
            when judged.stated_seconds is not null then judged.stated_seconds
            when judged.is_answer and judged.ended_at is not null
                then (judged.ended_at - judged.answered_at)::numeric(20, 3)::text
            when not judged.is_answer then '0'
        end as billable,
        case
            when upper(judged.method) = 'INVITE' and judged.is_answer
                then
                    case
                        -- the same call agreed again (hold, codec change)
                        when judged.event_at > judged.set_up_at then 'paired_event'
                        when judged.stated_seconds is not null then null
                        when judged.ended_at is null then 'open_session'
                    end
            when upper(judged.method) = 'INVITE' then null
            when upper(judged.method) = 'ACK'
                then
                    case
                        when judged.has_invite then 'paired_event'
                        when not judged.is_answer then null
                        when judged.event_at > judged.confirmed_at then 'paired_event'
                        when judged.ended_at is null then 'open_session'
                    end
            when upper(judged.method) = 'BYE'
                then
                    case
                        when judged.is_set_up or judged.is_confirmed then 'paired_event'
                        else 'orphan_event'
                    end
            when upper(judged.method) = 'CANCEL'
                then
                    case when judged.has_invite then 'paired_event' end
            when upper(judged.method) <> 'MESSAGE' then 'paired_event'
        end as set_aside_rule
    from judged
)

select
    decided.file_id,
    decided.line_no,
    case upper(decided.method)
        when 'MESSAGE' then 'sms'
        when 'INVITE' then 'voice'
        when 'ACK' then 'voice'
        when 'BYE' then 'voice'
        when 'CANCEL' then 'voice'
        else 'other'
    end as usage_type,
    concat_ws(
        '|', decided.callid, decided.from_tag, decided.to_tag, decided.method, decided.sip_code,
        decided.event_time
    ) as record_id,
    decided.callid as call_group_id,
    case
        when not decided.is_answer or decided.setup_seconds = 0 then decided.answered_raw
        when decided.answered_raw ~ '^[0-9]{10}'
            then (decided.answered_at - decided.setup_seconds)::text
        else {{ shifted_time('decided.answered_raw', '(-decided.setup_seconds)::text') }}
    end as start_raw,
    case when decided.is_answer then decided.answered_raw end as answer_raw,
    case when decided.is_answer then decided.ended_raw end as end_raw,
    case
        when decided.is_answer then (decided.billable::numeric + decided.setup_seconds)::text
        else decided.billable
    end as duration_raw,
    decided.billable as billable_raw,
    case when upper(decided.method) = 'MESSAGE' then '1' end as quantity_raw,
    coalesce(nullif(decided.src_user, ''), split_part(decided.from_uri, '@', 1)) as calling_raw,
    coalesce(nullif(decided.dst_user, ''), decided.dst_ouser) as called_raw,
    decided.dst_ouser as dialled_raw,
    case
        when upper(decided.method) = 'CANCEL' then 'canceled'
        when decided.is_answer then 'answered'
        -- the end of a call has no outcome of its own
        when upper(decided.method) <> 'INVITE' and decided.sip_code ~ '^2' then 'unknown'
        else {{ sip_disposition('decided.sip_code') }}
    end as disposition_raw,
    decided.sip_code as cause_code,
    decided.sip_reason as cause_text,
    decided.src_user as account_key,
    case
        when decided.from_uri like '%@%' then decided.from_uri
        when decided.src_domain <> '' then decided.src_user || '@' || decided.src_domain
    end as service_key_1,
    decided.src_ip as trunk,
    decided.dst_domain as route,
    decided.set_aside_rule,
    -- a second copy is a repeat, whether or not the end of the call has come in between
    concat_ws('|', decided.src_user, decided.dst_ouser, decided.dst_user) as content_key,
    {{ record_key_hash(
        'decided', 'sip_accounting',
        "concat_ws('|', decided.callid, decided.from_tag, decided.to_tag, decided.method,"
        " decided.sip_code, decided.event_time)"
    ) }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'answer_raw', 'end_raw',
        'duration_raw', 'billable_raw', 'quantity_raw', 'calling_raw', 'called_raw', 'dialled_raw',
        'disposition_raw', 'cause_code', 'cause_text', 'account_key', 'service_key_1', 'trunk',
        'route', 'set_aside_rule', 'content_key'
    ]) }}
from decided
