-- Grain: one row per landed line of a NetSapiens Advanced CDR.
-- Call Type is the platform's view: origination comes into the platform and is inbound to the
-- customer, termination is outbound. Duration is talk time; the release time is not given, so the
-- whole duration of a call is unknown.
with cdr_lines as (
    select * from {{ source('landing', 'netsapiens_advanced') }}
),

cleaned as (
    select
        cdr_lines.*,
        lower({{ landed_text('cdr_lines.call_type') }}) as call_type_text,
        {{ landed_text('cdr_lines.call_id') }} as call_id_text,
        {{ landed_text('cdr_lines.domain') }} as domain_text,
        {{ landed_text('cdr_lines.user_name') }} as user_text,
        {{ landed_text('cdr_lines.btn') }} as btn_text,
        {{ landed_text('cdr_lines.remote_number') }} as remote_text,
        {{ landed_text('cdr_lines.dialed_number') }} as dialled_text,
        {{ landed_text('cdr_lines.time_answer') }} as answer_text,
        {{ landed_text('cdr_lines.release_cause') }} as release_text
    from cdr_lines
),

typed as (
    select
        cleaned.*,
        case
            when cleaned.call_type_text in ('origination', 'missed') then 'inbound'
            when cleaned.call_type_text = 'termination' then 'outbound'
            when cleaned.call_type_text ~ '^on.?net$' then 'internal'
        end as direction,
        cleaned.dialled_text ~ '^[+]?1?8(00|33|44|55|66|77|88)[2-9][0-9]{6}$' as is_toll_free
    from cleaned
)

select
    typed.file_id,
    typed.line_no,
    'voice' as usage_type,
    typed.call_id_text || '|' || typed.call_type_text as record_id,
    typed.call_id_text as call_group_id,
    {{ landed_text('typed.time_start') }} as start_raw,
    'UTC' as start_zone,
    typed.answer_text as answer_raw,
    case when typed.answer_text is not null then {{ landed_text('typed.duration') }} else '0' end
        as billable_raw,
    case when typed.direction = 'inbound' then typed.remote_text else typed.btn_text end
        as calling_raw,
    -- Of a toll-free call the remote number is the translated one.
    case
        when typed.is_toll_free then typed.dialled_text
        when typed.direction = 'inbound' then coalesce(typed.btn_text, typed.dialled_text)
        else coalesce(typed.remote_text, typed.dialled_text)
    end as called_raw,
    typed.dialled_text as dialled_raw,
    typed.direction,
    case
        when typed.answer_text is not null then 'answered'
        when typed.release_text ~* 'busy' then 'busy'
        when typed.release_text ~* 'congest' then 'congestion'
        when
            typed.release_text
            ~* 'fail|error|reject|decline|forbidden|not found|not available|unavailable|no route'
            then 'failed'
        else 'no_answer'
    end as disposition_raw,
    typed.release_text as cause_text,
    typed.domain_text as account_key,
    typed.btn_text as service_key_1,
    typed.user_text || '@' || typed.domain_text as service_key_2,
    case when typed.direction = 'internal' then 'leg_without_trunk' end as set_aside_rule,
    {{ record_key_hash(
        'typed', 'netsapiens_advanced', "typed.call_id_text || '|' || typed.call_type_text"
    ) }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'start_zone', 'answer_raw',
        'billable_raw', 'calling_raw', 'called_raw', 'dialled_raw', 'direction',
        'disposition_raw', 'cause_text', 'account_key', 'service_key_1', 'service_key_2',
        'set_aside_rule',
    ]) }}
from typed
