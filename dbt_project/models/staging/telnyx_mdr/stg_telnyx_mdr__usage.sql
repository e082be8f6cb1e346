-- Grain: one row per landed Telnyx message. Failed messages are usage too: the carrier charged
-- them.
with message as (
    select * from {{ source('landing', 'telnyx_mdr') }}
)

select
    message.file_id,
    message.line_no,
    {{ usage_type('message.message_type') }} as usage_type,
    nullif(btrim(message.message_id), '') as record_id,
    message.created_at as start_raw,
    'UTC' as start_zone,
    '0' as duration_raw,
    '0' as billable_raw,
    nullif(btrim(message.parts), '') as quantity_raw,
    message.cli as calling_raw,
    message.cld as called_raw,
    {{ direction('message.direction') }} as direction,
    {{ message_disposition('message.status') }} as disposition_raw,
    nullif(btrim(message.status), '') as cause_text,
    nullif(btrim(message.profile_name), '') as service_key_1,
    nullif(btrim(message.cost), '') as carrier_amount_raw,
    nullif(btrim(message.currency), '') as carrier_currency,
    nullif(btrim(message.rate), '') as carrier_rate_code,
    {{ record_key_hash('message', 'telnyx_mdr', 'btrim(message.message_id)') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'start_raw', 'start_zone', 'duration_raw', 'billable_raw',
        'quantity_raw', 'calling_raw', 'called_raw', 'direction', 'disposition_raw', 'cause_text',
        'service_key_1', 'carrier_amount_raw', 'carrier_currency', 'carrier_rate_code'
    ]) }}
from message
