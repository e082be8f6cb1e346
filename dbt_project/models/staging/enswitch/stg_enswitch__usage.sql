-- Grain: one row per landed Enswitch record.
-- A call from outside has its numbers in the inbound columns.
with cdr as (
    select * from {{ source('landing', 'enswitch') }}
)

select
    cdr.file_id,
    cdr.line_no,
    'voice' as usage_type,
    cdr.start_epoch as start_raw,
    nullif(nullif(btrim(cdr.end_epoch), ''), '0') as end_raw,
    cdr.total_seconds as duration_raw,
    cdr.billable_seconds as billable_raw,
    case
        when cdr.inbound_calling_type = 'external' then cdr.inbound_calling_number
        else cdr.calling_number
    end as calling_raw,
    case
        when cdr.inbound_calling_type = 'external' then cdr.inbound_called_number
        else cdr.called_number
    end as called_raw,
    cdr.calling_name,
    case
        when cdr.inbound_calling_type = 'external' then 'inbound'
        when btrim(cdr.outbound_called_number) <> '' then 'outbound'
        when btrim(cdr.internal_called_number) <> '' then 'internal'
    end as direction,
    nullif(btrim(cdr.status), '') as disposition_raw,
    nullif(btrim(cdr.billing_customer), '') as account_key,
    nullif(btrim(cdr.calling_customer), '') as service_key_1,
    nullif(btrim(cdr.cost), '') as carrier_amount_raw,
    nullif(btrim(cdr.billing_reference), '') as carrier_rate_code,
    nullif(btrim(cdr.billing_type), '') as category,
    {{ record_key_hash('cdr', 'enswitch', 'null') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'start_raw', 'end_raw', 'duration_raw', 'billable_raw', 'calling_raw',
        'called_raw', 'calling_name', 'direction', 'disposition_raw', 'account_key',
        'service_key_1', 'carrier_amount_raw', 'carrier_rate_code', 'category'
    ]) }}
from cdr
