-- Grain: one row per landed Windstream record.
-- Units are minutes. Per-use features, and assistance without minutes, are events of quantity 1.
with landed as (
    select * from {{ source('landing', 'windstream') }}
),

cdr as (
    select
        landed.*,
        landed.service_type ~* 'per use|per access|feature|call trace|three way|busy (connect|line)'
        or (landed.service_type ~* 'assistance|operator' and coalesce(landed.units, '') !~ '[1-9]')
            as is_event
    from landed
)

select
    cdr.file_id,
    cdr.line_no,
    case when cdr.is_event then 'feature' else 'voice' end as usage_type,
    nullif(btrim(cdr.reference_number), '') as record_id,
    cdr.answer_date as start_raw,
    case when cdr.is_event then '0' else {{ scaled_number('cdr.units', 60) }} end as duration_raw,
    case when cdr.is_event then '0' else {{ scaled_number('cdr.units', 60) }} end as billable_raw,
    case when cdr.is_event then '1' end as quantity_raw,
    cdr.from_number as calling_raw,
    coalesce(nullif(btrim(cdr.tf_service_number), ''), cdr.to_number) as called_raw,
    case when cdr.service_type ~* 'toll free' then 'inbound' else 'outbound' end as direction,
    nullif(btrim(cdr.account_number), '') as account_key,
    nullif(btrim(cdr.account_code), '') as service_key_1,
    nullif(btrim(cdr.amount), '') as carrier_amount_raw,
    'USD' as carrier_currency,
    nullif(btrim(cdr.call_type), '') as carrier_rate_code,
    nullif(btrim(cdr.service_type), '') as category,
    {{ record_key_hash('cdr', 'windstream', 'btrim(cdr.reference_number)') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'start_raw', 'duration_raw', 'billable_raw', 'quantity_raw',
        'calling_raw', 'called_raw', 'direction', 'account_key', 'service_key_1',
        'carrier_amount_raw', 'carrier_currency', 'carrier_rate_code', 'category'
    ]) }}
from cdr
