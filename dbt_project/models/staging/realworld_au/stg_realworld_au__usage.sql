-- Grain: one row per landed Realworld record.
-- The carrier says: bill by the account code, not by the number, whose digits may be masked.
with cdr as (
    select * from {{ source('landing', 'realworld_au') }}
)

select
    cdr.file_id,
    cdr.line_no,
    'voice' as usage_type,
    cdr.call_date as start_raw,
    cdr.total_duration as duration_raw,
    cdr.billable_duration as billable_raw,
    cdr.call_from as calling_raw,
    cdr.call_to as called_raw,
    cdr.answer_status as disposition_raw,
    nullif(btrim(cdr.rwts_account_code), '') as account_key,
    nullif(btrim(cdr.originating_number), '') as service_key_1,
    nullif(btrim(cdr.customer_account_code), '') as service_key_2,
    nullif(btrim(cdr.network), '') as trunk,
    nullif(btrim(cdr.cost_ex), '') as carrier_amount_raw,
    'AUD' as carrier_currency,
    nullif(btrim(cdr.billing_classification), '') as category,
    {{ record_key_hash('cdr', 'realworld_au', 'null') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'start_raw', 'duration_raw', 'billable_raw', 'calling_raw', 'called_raw',
        'disposition_raw', 'account_key', 'service_key_1', 'service_key_2', 'trunk',
        'carrier_amount_raw', 'carrier_currency', 'category'
    ]) }}
from cdr
