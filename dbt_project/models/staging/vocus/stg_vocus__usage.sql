-- Grain: one row per landed Vocus record.
with cdr as (
    select * from {{ source('landing', 'vocus') }}
)

select
    cdr.file_id,
    cdr.line_no,
    'voice' as usage_type,
    nullif(btrim(cdr.call_id), '') as record_id,
    btrim(cdr.call_date) || ' ' || btrim(cdr.call_time) as start_raw,
    'UTC' as start_zone,
    cdr.seconds as duration_raw,
    cdr.seconds as billable_raw,
    cdr.calling_number as calling_raw,
    cdr.called_number as called_raw,
    nullif(btrim(cdr.cost), '') as carrier_amount_raw,
    'AUD' as carrier_currency,
    nullif(btrim(cdr.tariff_type), '') as category,
    {{ record_key_hash('cdr', 'vocus', 'btrim(cdr.call_id)') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'start_raw', 'start_zone', 'duration_raw', 'billable_raw',
        'calling_raw', 'called_raw', 'carrier_amount_raw', 'carrier_currency', 'category'
    ]) }}
from cdr
