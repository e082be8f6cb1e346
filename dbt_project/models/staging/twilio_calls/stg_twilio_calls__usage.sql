-- Grain: one row per landed Twilio call.
-- The price is negative where Twilio charges and empty until it is known: empty is no cost, not
-- zero.
with cdr as (
    select * from {{ source('landing', 'twilio_calls') }}
)

select
    cdr.file_id,
    cdr.line_no,
    'voice' as usage_type,
    nullif(btrim(cdr.call_sid), '') as record_id,
    coalesce(nullif(btrim(cdr.parent_call_sid), ''), nullif(btrim(cdr.call_sid), ''))
        as call_group_id,
    {{ rfc2822_to_iso('cdr.start_time') }} as start_raw,
    'UTC' as start_zone,
    {{ rfc2822_to_iso('cdr.end_time') }} as end_raw,
    {{ twilio_duration('cdr') }} as duration_raw,
    {{ twilio_duration('cdr') }} as billable_raw,
    {{ twilio_party('cdr.from_number') }} as calling_raw,
    {{ twilio_party('cdr.to_number') }} as called_raw,
    nullif(btrim(cdr.caller_name), '') as calling_name,
    case lower(btrim(cdr.direction))
        when 'inbound' then 'inbound'
        when 'trunking-originating' then 'inbound'
        when 'outbound-api' then 'outbound'
        when 'outbound-dial' then 'outbound'
        when 'trunking-terminating' then 'outbound'
    end as direction,
    nullif(btrim(cdr.status), '') as disposition_raw,
    nullif(btrim(cdr.account_sid), '') as account_key,
    nullif(btrim(cdr.forwarded_from), '') as service_key_1,
    nullif(btrim(cdr.trunk_sid), '') as trunk,
    nullif(ltrim(btrim(cdr.price), '-'), '') as carrier_amount_raw,
    upper(nullif(btrim(cdr.price_unit), '')) as carrier_currency,
    case
        when lower(btrim(cdr.status)) in ('queued', 'initiated', 'ringing', 'in-progress')
            then 'in_progress'
    end as set_aside_rule,
    {{ record_key_hash('cdr', 'twilio_calls', 'btrim(cdr.call_sid)') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'start_zone', 'end_raw',
        'duration_raw', 'billable_raw', 'calling_raw', 'called_raw', 'calling_name', 'direction',
        'disposition_raw', 'account_key', 'service_key_1', 'trunk', 'carrier_amount_raw',
        'carrier_currency', 'set_aside_rule'
    ]) }}
from cdr
