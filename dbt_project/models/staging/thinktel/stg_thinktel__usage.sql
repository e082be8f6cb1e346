-- Grain: one row per landed Thinktel record.
with cdr as (
    select * from {{ source('landing', 'thinktel') }}
)

select
    cdr.file_id,
    cdr.line_no,
    'voice' as usage_type,
    cdr.start_time as start_raw,
    cdr.raw_seconds as duration_raw,
    cdr.raw_seconds as billable_raw,
    cdr.rounded_seconds as carrier_billed_raw,
    cdr.from_number as calling_raw,
    cdr.to_number as called_raw,
    case when lower(btrim(cdr.usage_type)) like 'incoming%' then 'inbound' else 'outbound' end
        as direction,
    nullif(btrim(cdr.charged_party), '') as service_key_1,
    nullif(btrim(cdr.price), '') as carrier_amount_raw,
    nullif(btrim(cdr.usage_type), '') as category,
    {{ record_key_hash('cdr', 'thinktel', 'null') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'start_raw', 'duration_raw', 'billable_raw', 'carrier_billed_raw',
        'calling_raw', 'called_raw', 'direction', 'service_key_1', 'carrier_amount_raw',
        'category'
    ]) }}
from cdr
