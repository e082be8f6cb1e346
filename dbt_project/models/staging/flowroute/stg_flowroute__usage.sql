-- Grain: one row per landed row of a Flowroute export. Failed attempts are included: their
-- duration is 0.
with cdr as (
    select * from {{ source('landing', 'flowroute') }}
)

select
    cdr.file_id,
    cdr.line_no,
    'voice' as usage_type,
    nullif(btrim(cdr.call_id), '') as record_id,
    cdr.start_time as start_raw,
    'UTC' as start_zone,
    nullif(btrim(cdr.end_time), '') as end_raw,
    cdr.duration as duration_raw,
    cdr.duration as billable_raw,
    nullif(btrim(cdr.billed_duration), '') as carrier_billed_raw,
    cdr.caller_id as calling_raw,
    cdr.destination as called_raw,
    {{ direction('cdr.direction') }} as direction,
    nullif(btrim(cdr.status), '') as disposition_raw,
    nullif(btrim(cdr.sip_code), '') as cause_code,
    nullif(btrim(cdr.number_alias), '') as account_key,
    nullif(btrim(cdr.custom_tag), '') as service_key_1,
    nullif(btrim(cdr.caller_ip), '') as trunk,
    nullif(btrim(cdr.cost), '') as carrier_amount_raw,
    'USD' as carrier_currency,
    nullif(btrim(cdr.country), '') as category,
    {{ record_key_hash('cdr', 'flowroute', 'btrim(cdr.call_id)') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'start_raw', 'start_zone', 'end_raw', 'duration_raw',
        'billable_raw', 'carrier_billed_raw', 'calling_raw', 'called_raw', 'direction',
        'disposition_raw', 'cause_code', 'account_key', 'service_key_1', 'trunk',
        'carrier_amount_raw', 'carrier_currency', 'category'
    ]) }}
from cdr
