-- Grain: one row per landed VoIP Innovations record.
-- Messages stand among the calls as call types of their own.
with cdr as (
    select * from {{ source('landing', 'voip_innovations') }}
)

select
    cdr.file_id,
    cdr.line_no,
    case
        when cdr.call_type ~* 'mms' then 'mms'
        when cdr.call_type ~* 'sms' then 'sms'
        else 'voice'
    end as usage_type,
    nullif(btrim(cdr.transaction_id), '') as record_id,
    cdr.start_time as start_raw,
    'UTC' as start_zone,
    cdr.stop_time as end_raw,
    cdr.call_duration as duration_raw,
    case when cdr.call_type ~* 'sms|mms' then '0' else cdr.call_duration end as billable_raw,
    case when cdr.call_type !~* 'sms|mms' then cdr.bill_duration end as carrier_billed_raw,
    case when cdr.call_type ~* 'sms|mms' then '1' end as quantity_raw,
    cdr.ani as calling_raw,
    cdr.dnis as called_raw,
    case
        when cdr.call_type ~* 'sms|mms' then null
        when cdr.call_type ~* 'orig|^800' then 'inbound'
        when btrim(cdr.call_type) <> '' then 'outbound'
    end as direction,
    nullif(btrim(cdr.customer_ip), '') as trunk,
    nullif(btrim(cdr.lrn), '') as lrn,
    nullif(btrim(cdr.call_price), '') as carrier_amount_raw,
    'USD' as carrier_currency,
    coalesce(nullif(btrim(cdr.term_rate_deck), ''), nullif(btrim(cdr.orig_tier), ''))
        as carrier_rate_code,
    nullif(btrim(cdr.call_type), '') as category,
    {{ record_key_hash('cdr', 'voip_innovations', 'btrim(cdr.transaction_id)') }}
        as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'start_raw', 'start_zone', 'end_raw', 'duration_raw',
        'billable_raw', 'carrier_billed_raw', 'quantity_raw', 'calling_raw', 'called_raw',
        'direction', 'trunk', 'lrn', 'carrier_amount_raw', 'carrier_currency',
        'carrier_rate_code', 'category'
    ]) }}
from cdr
