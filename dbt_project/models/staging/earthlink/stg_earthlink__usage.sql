-- Grain: one row per landed Earthlink record. Minutes are decimals.
with cdr as (
    select * from {{ source('landing', 'earthlink') }}
)

select
    cdr.file_id,
    cdr.line_no,
    'voice' as usage_type,
    btrim(cdr.call_date) || ' ' || btrim(cdr.call_time) as start_raw,
    {{ scaled_number('cdr.minutes', 60) }} as duration_raw,
    {{ scaled_number('cdr.minutes', 60) }} as billable_raw,
    cdr.orig_number as calling_raw,
    coalesce(nullif(btrim(cdr.toll_free_number), ''), cdr.term_number) as called_raw,
    case when btrim(cdr.toll_free_number) <> '' then 'inbound' else 'outbound' end as direction,
    nullif(btrim(cdr.account_number), '') as account_key,
    nullif(btrim(cdr.bill_number), '') as service_key_1,
    nullif(btrim(cdr.account_code), '') as service_key_2,
    nullif(btrim(cdr.amount), '') as carrier_amount_raw,
    'USD' as carrier_currency,
    nullif(btrim(cdr.call_type), '') as category,
    {{ record_key_hash('cdr', 'earthlink', 'null') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'start_raw', 'duration_raw', 'billable_raw', 'calling_raw', 'called_raw',
        'direction', 'account_key', 'service_key_1', 'service_key_2', 'carrier_amount_raw',
        'carrier_currency', 'category'
    ]) }}
from cdr
