-- Grain: one row per landed thinQ origination record. <null> stands for no value.
with cdr as (
    select * from {{ source('landing', 'thinq') }}
)

select
    cdr.file_id,
    cdr.line_no,
    'voice' as usage_type,
    nullif(nullif(btrim(cdr.call_id), ''), '<null>') as record_id,
    btrim(cdr.call_date) || ' ' || btrim(cdr.call_time) as start_raw,
    nullif(nullif(btrim(cdr.billsec), ''), '<null>') as duration_raw,
    nullif(nullif(btrim(cdr.billsec), ''), '<null>') as billable_raw,
    nullif(nullif(btrim(cdr.from_ani), ''), '<null>') as calling_raw,
    nullif(nullif(btrim(cdr.to_did), ''), '<null>') as called_raw,
    'inbound' as direction,
    nullif(nullif(btrim(cdr.account_id), ''), '<null>') as account_key,
    nullif(nullif(btrim(cdr.carrier_id), ''), '<null>') as trunk,
    nullif(nullif(btrim(cdr.dest), ''), '<null>') as route,
    nullif(nullif(btrim(cdr.from_lrn), ''), '<null>') as lrn,
    nullif(nullif(btrim(cdr.total_charge), ''), '<null>') as carrier_amount_raw,
    'USD' as carrier_currency,
    nullif(nullif(btrim(cdr.thinq_tier), ''), '<null>') as carrier_rate_code,
    nullif(nullif(btrim(cdr.dest_type), ''), '<null>') as category,
    {{ record_key_hash('cdr', 'thinq', "nullif(btrim(cdr.call_id), '<null>')") }}
        as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'start_raw', 'duration_raw', 'billable_raw', 'calling_raw',
        'called_raw', 'direction', 'account_key', 'trunk', 'route', 'lrn', 'carrier_amount_raw',
        'carrier_currency', 'carrier_rate_code', 'category'
    ]) }}
from cdr
