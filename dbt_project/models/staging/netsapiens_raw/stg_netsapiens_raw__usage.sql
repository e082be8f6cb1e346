-- Grain: one row per landed line of a NetSapiens raw CDR (v1 and API v2 names).
-- Direction comes from which side is a local user; the numeric type codes are described
-- differently by every public source and are not used.
with cdr_lines as (
    select * from {{ source('landing', 'netsapiens_raw') }}
),

cleaned as (
    select
        cdr_lines.*,
        {{ landed_text('cdr_lines.orig_sub') }} as orig_sub_text,
        {{ landed_text('cdr_lines.term_sub') }} as term_sub_text,
        {{ landed_text('cdr_lines.by_sub') }} as by_sub_text,
        {{ landed_text('cdr_lines.orig_from_user') }} as from_text,
        {{ landed_text('cdr_lines.orig_to_user') }} as to_text,
        {{ landed_text('cdr_lines.orig_req_user') }} as requested_text,
        nullif(nullif({{ landed_text('cdr_lines.time_answer') }}, '0'), '0000-00-00 00:00:00')
            as answer_text,
        {{ landed_text('cdr_lines.duration') }} as duration_text,
        {{ landed_text('cdr_lines.release_text') }} as release_text_clean,
        coalesce(
            {{ landed_text('cdr_lines.domain') }},
            {{ landed_text('cdr_lines.orig_domain') }},
            {{ landed_text('cdr_lines.term_domain') }}
        ) as domain_text
    from cdr_lines
),

directed as (
    select
        cleaned.*,
        case
            when cleaned.orig_sub_text is not null and cleaned.term_sub_text is not null
                then 'internal'
            when cleaned.orig_sub_text is not null then 'outbound'
            when cleaned.term_sub_text is not null then 'inbound'
            when cleaned.by_sub_text is not null then 'transit'
        end as direction
    from cleaned
)

select
    directed.file_id,
    directed.line_no,
    'voice' as usage_type,
    {{ landed_text('directed.cdr_id') }} as record_id,
    coalesce(
        {{ landed_text('directed.orig_callid') }},
        {{ landed_text('directed.parent_call_id') }},
        {{ landed_text('directed.by_callid') }},
        {{ landed_text('directed.term_callid') }}
    ) as call_group_id,
    {{ landed_text('directed.time_start') }} as start_raw,
    'UTC' as start_zone,
    directed.answer_text as answer_raw,
    nullif(nullif({{ landed_text('directed.time_release') }}, '0'), '0000-00-00 00:00:00')
        as end_raw,
    directed.duration_text as duration_raw,
    case
        when directed.answer_text is not null
            then coalesce({{ landed_text('directed.time_talking') }}, directed.duration_text)
        else '0'
    end as billable_raw,
    directed.from_text as calling_raw,
    coalesce(directed.to_text, directed.requested_text) as called_raw,
    directed.requested_text as dialled_raw,
    {{ landed_text('directed.orig_from_name') }} as calling_name,
    directed.direction,
    case
        when directed.answer_text is not null then 'answered'
        when directed.release_text_clean ~* 'busy' or directed.release_code ~ '^ *(486|600)'
            then 'busy'
        when directed.release_text_clean ~* 'congest' then 'congestion'
        when
            directed.release_text_clean
            ~* 'fail|error|reject|decline|forbidden|not found|not available|unavailable|no route'
            or (
                directed.release_code ~ '^ *[3-6][0-9][0-9]'
                and directed.release_code !~ '^ *(408|480|487)'
            )
            then 'failed'
        else 'no_answer'
    end as disposition_raw,
    {{ landed_text('directed.release_code') }} as cause_code,
    directed.release_text_clean as cause_text,
    directed.domain_text as account_key,
    case
        when directed.direction in ('outbound', 'internal') then directed.from_text
        when directed.direction = 'inbound'
            then coalesce(directed.to_text, directed.requested_text)
    end as service_key_1,
    coalesce(directed.orig_sub_text, directed.term_sub_text, directed.by_sub_text)
    || '@' || directed.domain_text as service_key_2,
    case when directed.direction = 'internal' then 'leg_without_trunk' end as set_aside_rule,
    {{ record_key_hash('directed', 'netsapiens_raw', landed_text('directed.cdr_id')) }}
        as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'start_zone', 'answer_raw',
        'end_raw', 'duration_raw', 'billable_raw', 'calling_raw', 'called_raw', 'dialled_raw',
        'calling_name', 'direction', 'disposition_raw', 'cause_code', 'cause_text', 'account_key',
        'service_key_1', 'service_key_2', 'set_aside_rule',
    ]) }}
from directed
