-- Grain: one row per landed TelAPI message.
with message as (
    select * from {{ source('landing', 'telapi_sms') }}
)

select
    message.file_id,
    message.line_no,
    case when message.message_type ~* 'mms' then 'mms' else 'sms' end as usage_type,
    message.date_gmt as start_raw,
    'UTC' as start_zone,
    '0' as duration_raw,
    '0' as billable_raw,
    '1' as quantity_raw,
    message.source as calling_raw,
    message.destination as called_raw,
    case
        when lower(message.direction) like 'in%' then 'inbound'
        when lower(message.direction) like 'out%' then 'outbound'
    end as direction,
    nullif(btrim(message.cost), '') as carrier_amount_raw,
    'USD' as carrier_currency,
    nullif(btrim(message.message_type), '') as category,
    {{ record_key_hash('message', 'telapi_sms', 'null') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'start_raw', 'start_zone', 'duration_raw', 'billable_raw', 'quantity_raw',
        'calling_raw', 'called_raw', 'direction', 'carrier_amount_raw', 'carrier_currency',
        'category'
    ]) }}
from message
