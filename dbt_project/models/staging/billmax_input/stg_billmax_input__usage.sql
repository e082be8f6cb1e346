-- Grain: one row per landed line in BillMax's CDR input format. All times are UTC.
-- Search keys name the paying service: those of the source pay an outbound call, those of the
-- destination an inbound one.
with cdr_lines as (
    select * from {{ source('landing', 'billmax_input') }}
),

cleaned as (
    select
        cdr_lines.*,
        {{ landed_text('cdr_lines.call_start') }} as start_text,
        {{ landed_text('cdr_lines.call_end') }} as end_text,
        {{ landed_text('cdr_lines.status') }} as status_text,
        {{ landed_text('cdr_lines.call_destination') }} as called_text,
        {{ landed_text('cdr_lines.destination_rate_deck_key') }} as deck_key,
        {{ landed_text('cdr_lines.billable_seconds') }} as billable_text,
        case
            when {{ landed_text('cdr_lines.flags') }} ~ '^[0-9]{1,9}$'
                then btrim(cdr_lines.flags)::integer
            else 0
        end as flag_bits,
        case {{ landed_text('cdr_lines.direction_of_call') }}
            when '1' then 'outbound'
            when '2' then 'inbound'
        end as direction,
        {{ landed_text('cdr_lines.unique_id') }}
        || '|' || {{ landed_text('cdr_lines.call_start') }} as unique_call
    from cdr_lines
)

select
    cleaned.file_id,
    cleaned.line_no,
    'voice' as usage_type,
    cleaned.unique_call as record_id,
    cleaned.start_text as start_raw,
    'UTC' as start_zone,
    {{ landed_text('cleaned.time_call_answered') }} as answer_raw,
    cleaned.end_text as end_raw,
    coalesce(
        {{ seconds_between('cleaned.start_text', 'cleaned.end_text') }}, cleaned.billable_text
    ) as duration_raw,
    case when cleaned.status_text = '0' then '0' else cleaned.billable_text end as billable_raw,
    {{ landed_text('cleaned.call_source') }} as calling_raw,
    cleaned.called_text as called_raw,
    cleaned.called_text as dialled_raw,
    cleaned.direction,
    case cleaned.status_text when '1' then 'answered' when '0' then 'unknown' end
        as disposition_raw,
    case
        when cleaned.direction = 'inbound'
            then {{ landed_text('cleaned.destination_search_key_1') }}
        else {{ landed_text('cleaned.source_search_key_1') }}
    end as service_key_1,
    case
        when cleaned.direction = 'inbound'
            then {{ landed_text('cleaned.destination_search_key_2') }}
        else {{ landed_text('cleaned.source_search_key_2') }}
    end as service_key_2,
    case
        when cleaned.direction = 'inbound' then {{ landed_text('cleaned.source_channel') }}
        else {{ landed_text('cleaned.destination_channel') }}
    end as trunk,
    nullif(cleaned.deck_key, cleaned.called_text) as lrn,
    {{ landed_text('cleaned.rated_amount') }} as carrier_amount_raw,
    case
        when cleaned.flag_bits & 1024 > 0 then 'premium'
        when cleaned.flag_bits & 16 > 0 then 'toll free'
        when cleaned.flag_bits & 8 > 0 then 'n11'
        when cleaned.flag_bits & 2 > 0 then 'operator'
        when cleaned.flag_bits & 4 > 0 then 'international'
        when cleaned.flag_bits & 32 > 0 then 'local'
    end as category,
    case when cleaned.status_text = '0' then 'in_progress' end as set_aside_rule,
    {{ record_key_hash('cleaned', 'billmax_input', 'cleaned.unique_call') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'start_raw', 'start_zone', 'answer_raw', 'end_raw',
        'duration_raw', 'billable_raw', 'calling_raw', 'called_raw', 'dialled_raw', 'direction',
        'disposition_raw', 'service_key_1', 'service_key_2', 'trunk', 'lrn',
        'carrier_amount_raw', 'category', 'set_aside_rule',
    ]) }}
from cleaned
