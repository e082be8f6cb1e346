-- Grain: one row per landed BroadWorks record. A call between two users of the platform has two
-- records, an Originating and a Terminating one; they share network_call_id.
-- Times are GMT with milliseconds. Records of a call still going on (long duration, failover) have
-- no release time: the record written at its end carries the whole call.
with records as (
    select * from {{ source('landing', 'broadworks') }}
),

files as (
    select * from {{ source('control', 'file') }}
),

prepared as (
    select
        records.*,
        files.source_code,
        {{ digits_time('records.start_time') }} as start_text,
        {{ digits_time('records.answer_time') }} as answer_text,
        {{ digits_time('records.release_time') }} as release_text,
        records.answer_indicator ilike 'yes%' as is_answered,
        case when records.direction = 'Originating' then nullif(records.dialed_digits, '') end
            as dialled
    from records
    left join files on records.file_id = files.file_id
)

select
    prepared.file_id,
    prepared.line_no,
    'voice' as usage_type,
    prepared.record_id,
    prepared.network_call_id as call_group_id,
    prepared.start_text as start_raw,
    'UTC' as start_zone,
    prepared.answer_text as answer_raw,
    prepared.release_text as end_raw,
    {{ seconds_between('prepared.start_text', 'prepared.release_text') }} as duration_raw,
    case
        when prepared.is_answered
            then {{ seconds_between('prepared.answer_text', 'prepared.release_text') }}
        else '0'
    end as billable_raw,
    prepared.calling_number as calling_raw,
    -- a feature code in front of the number is not the number that was called
    case
        when prepared.dialled ~ '^[*#]' and prepared.network_translated_number ~ '^[+]?[0-9]{7,15}$'
            then prepared.network_translated_number
        else coalesce(prepared.dialled, prepared.called_number)
    end as called_raw,
    prepared.dialled as dialled_raw,
    case when prepared.direction = 'Terminating' then prepared.other_party_name end
        as calling_name,
    case prepared.direction
        when 'Originating' then 'outbound'
        when 'Terminating' then 'inbound'
    end as direction,
    case
        when prepared.is_answered then 'answered'
        -- released normally without an answer: the caller gave up
        when prepared.termination_cause ~ '^0*16$' then 'canceled'
        else coalesce(
            {{ q850_disposition("ltrim(prepared.termination_cause, '0')") }}, 'no_answer'
        )
    end as disposition_raw,
    prepared.termination_cause as cause_code,
    concat_ws('|', prepared.service_provider, prepared.group_name) as account_key,
    prepared.user_number as service_key_1,
    -- the position of the user id changes between releases; an id looks like one
    case when prepared.user_id like '%_@_%' then prepared.user_id end as service_key_2,
    prepared.route,
    prepared.call_category as category,
    case
        when prepared.record_type <> 'Normal' and prepared.release_text is null then 'in_progress'
        when prepared.failover_correlation_id <> '' and prepared.record_type ilike 'failover%'
            then case
                when {{ broadworks_twin_exists('prepared', "twin.record_type = 'Normal'") }}
                    then 'paired_event'
                else 'open_session'
            end
        when
            prepared.failover_correlation_id <> ''
            and {{ broadworks_twin_exists(
                'prepared',
                'twin.record_type = prepared.record_type'
                ' and (twin.file_id, twin.line_no) < (prepared.file_id, prepared.line_no)'
            ) }}
            then 'paired_event'
    end as set_aside_rule,
    {{ record_key_hash('prepared', 'broadworks', 'prepared.record_id') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'start_zone', 'answer_raw',
        'end_raw', 'duration_raw', 'billable_raw', 'calling_raw', 'called_raw', 'dialled_raw',
        'calling_name', 'direction', 'disposition_raw', 'cause_code', 'account_key',
        'service_key_1', 'service_key_2', 'route', 'category', 'set_aside_rule'
    ]) }}
from prepared
