-- Grain: one row per landed line of a file whose columns a user assigned to meanings.
with usage_lines as (
    select * from {{ source('landing', 'mapped_usage') }}
),

work_files as (
    select * from {{ ref('int_usage__work_files') }}
)

select
    usage_lines.file_id,
    usage_lines.line_no,
    case
        when
            usage_lines.usage_type is null
            and work_files.layout_options ->> 'usage_type' is not null
            then work_files.layout_options ->> 'usage_type'
        else {{ usage_type('usage_lines.usage_type') }}
    end as usage_type,
    nullif(usage_lines.record_id, '') as record_id,
    usage_lines.call_group as call_group_id,
    coalesce(
        usage_lines.start_time,
        usage_lines.start_date || coalesce(' ' || usage_lines.start_clock, '')
    ) as start_raw,
    usage_lines.answer_time as answer_raw,
    usage_lines.end_time as end_raw,
    coalesce(usage_lines.duration, usage_lines.billable_duration) as duration_raw,
    coalesce(usage_lines.billable_duration, usage_lines.duration) as billable_raw,
    usage_lines.quantity as quantity_raw,
    usage_lines.bytes_up as bytes_up_raw,
    usage_lines.bytes_down as bytes_down_raw,
    usage_lines.calling_number as calling_raw,
    usage_lines.called_number as called_raw,
    usage_lines.calling_name,
    {{ direction('usage_lines.direction') }} as direction,
    usage_lines.disposition as disposition_raw,
    usage_lines.cause_code,
    usage_lines.account_key,
    usage_lines.service_key as service_key_1,
    usage_lines.trunk,
    usage_lines.lrn,
    usage_lines.carrier_amount as carrier_amount_raw,
    usage_lines.currency_code as carrier_currency,
    usage_lines.category,
    usage_lines.message_text,
    usage_lines.message_encoding,
    usage_lines.visited_network,
    {{ record_key_hash('usage_lines', 'mapped_usage', 'usage_lines.record_id') }}
        as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'answer_raw', 'end_raw',
        'duration_raw', 'billable_raw', 'quantity_raw', 'bytes_up_raw', 'bytes_down_raw',
        'calling_raw', 'called_raw', 'calling_name', 'direction', 'disposition_raw', 'cause_code',
        'account_key', 'service_key_1', 'trunk', 'lrn', 'carrier_amount_raw', 'carrier_currency',
        'category', 'message_text', 'message_encoding', 'visited_network'
    ]) }}
from usage_lines
left join work_files on usage_lines.file_id = work_files.file_id
