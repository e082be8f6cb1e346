-- Grain: one row per landed Twilio message. Failed messages are usage too: the carrier charged
-- them.
with message as (
    select * from {{ source('landing', 'twilio_messages') }}
)

select
    message.file_id,
    message.line_no,
    case
        when message.num_media ~ '[1-9]' or message.message_sid ~ '^MM' then 'mms'
        else 'sms'
    end as usage_type,
    nullif(btrim(message.message_sid), '') as record_id,
    {{ rfc2822_to_iso(
        "coalesce(nullif(btrim(message.date_sent), ''), message.date_created)"
    ) }} as start_raw,
    'UTC' as start_zone,
    '0' as duration_raw,
    '0' as billable_raw,
    nullif(btrim(message.num_segments), '') as quantity_raw,
    {{ twilio_party('message.from_number') }} as calling_raw,
    {{ twilio_party('message.to_number') }} as called_raw,
    case
        when lower(btrim(message.direction)) = 'inbound' then 'inbound'
        when lower(message.direction) like 'outbound%' then 'outbound'
    end as direction,
    {{ message_disposition('message.status') }} as disposition_raw,
    nullif(btrim(message.error_code), '') as cause_code,
    nullif(btrim(message.error_message), '') as cause_text,
    nullif(btrim(message.account_sid), '') as account_key,
    nullif(btrim(message.messaging_service_sid), '') as trunk,
    nullif(ltrim(btrim(message.price), '-'), '') as carrier_amount_raw,
    upper(nullif(btrim(message.price_unit), '')) as carrier_currency,
    {{ record_key_hash('message', 'twilio_messages', 'btrim(message.message_sid)') }}
        as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'start_raw', 'start_zone', 'duration_raw', 'billable_raw',
        'quantity_raw', 'calling_raw', 'called_raw', 'direction', 'disposition_raw', 'cause_code',
        'cause_text', 'account_key', 'trunk', 'carrier_amount_raw', 'carrier_currency'
    ]) }}
from message
