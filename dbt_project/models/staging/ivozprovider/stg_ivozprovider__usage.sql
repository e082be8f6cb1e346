-- Grain: one row per landed IvozProvider record.
-- Cost is what the carrier charges; price is what the platform charged its own customer: not used.
with cdr as (
    select * from {{ source('landing', 'ivozprovider') }}
)

select
    cdr.file_id,
    cdr.line_no,
    'voice' as usage_type,
    nullif(btrim(cdr.callid), '') as record_id,
    nullif(btrim(cdr.callid), '') as call_group_id,
    cdr.start_time as start_raw,
    cdr.duration as duration_raw,
    cdr.duration as billable_raw,
    cdr.caller as calling_raw,
    cdr.callee as called_raw,
    {{ direction('cdr.direction') }} as direction,
    nullif(btrim(cdr.company_id), '') as account_key,
    nullif(btrim(cdr.ddi_id), '') as service_key_1,
    nullif(btrim(cdr.endpoint_id), '') as service_key_2,
    coalesce(nullif(btrim(cdr.carrier_id), ''), nullif(btrim(cdr.ddi_provider_id), '')) as trunk,
    nullif(btrim(cdr.cost), '') as carrier_amount_raw,
    {{ record_key_hash('cdr', 'ivozprovider', 'btrim(cdr.callid)') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'duration_raw', 'billable_raw',
        'calling_raw', 'called_raw', 'direction', 'account_key', 'service_key_1', 'service_key_2',
        'trunk', 'carrier_amount_raw'
    ]) }}
from cdr
