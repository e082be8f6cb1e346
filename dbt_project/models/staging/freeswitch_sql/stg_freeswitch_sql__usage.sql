-- Grain: one row per landed INSERT statement of FreeSWITCH mod_cdr_csv: one leg of a call. The
-- values are those of the default template; in their double quotes they are a JSON array.
with cdr_lines as (
    select * from {{ source('landing', 'freeswitch_sql') }}
),

unwrapped as (
    select
        cdr_lines.*,
        '['
        || regexp_replace(
            cdr_lines.record_line, '^[^(]*[(](.*)[)]\s*;?\s*$', '\1'
        )
        || ']' as values_text
    from cdr_lines
),

-- A statement that is no such list gives a record without a start.
parsed as (
    select
        unwrapped.*,
        case
            when pg_input_is_valid(unwrapped.values_text, 'jsonb')
                then unwrapped.values_text::jsonb
        end as leg
    from unwrapped
),

cleaned as (
    select
        parsed.*,
        {{ landed_text('parsed.leg ->> 0') }} as name_text,
        {{ landed_text('parsed.leg ->> 1') }} as calling_text,
        {{ landed_text('parsed.leg ->> 2') }} as called_text,
        {{ landed_text('parsed.leg ->> 3') }} as context_text,
        {{ landed_text('parsed.leg ->> 4') }} as start_text,
        {{ landed_text('parsed.leg ->> 5') }} as answer_text,
        {{ landed_text('parsed.leg ->> 6') }} as end_text,
        {{ landed_text('parsed.leg ->> 7') }} as duration_text,
        {{ landed_text('parsed.leg ->> 8') }} as billsec_text,
        upper({{ landed_text('parsed.leg ->> 9') }}) as cause,
        {{ landed_text('parsed.leg ->> 10') }} as uuid_text,
        {{ landed_text('parsed.leg ->> 11') }} as other_uuid,
        {{ landed_text('parsed.leg ->> 12') }} as account_text
    from parsed
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
    cleaned.name_text as calling_name,
    {{ freeswitch_direction(
        'cleaned.context_text', 'cleaned.calling_text', 'cleaned.called_text'
    ) }} as direction,
    {{ freeswitch_disposition('cleaned.answer_text is not null', 'cleaned.cause') }}
        as disposition_raw,
    cleaned.cause as cause_text,
    cleaned.account_text as account_key,
    {{ record_key_hash('cleaned', 'freeswitch_sql', 'cleaned.uuid_text') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'answer_raw', 'end_raw',
        'duration_raw', 'billable_raw', 'calling_raw', 'called_raw', 'dialled_raw',
        'calling_name', 'direction', 'disposition_raw', 'cause_text', 'account_key',
    ]) }}
from cleaned
