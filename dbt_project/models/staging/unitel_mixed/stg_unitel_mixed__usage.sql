-- Grain: one row per landed Unitel/RSLCOM line that is usage (record type 1, or one that is not
-- known).
with cdr as (
    select * from {{ source('landing', 'unitel_mixed') }}
)

select
    cdr.file_id,
    cdr.line_no,
    'voice' as usage_type,
    nullif(btrim(cdr.event_id), '') as record_id,
    cdr.event_time as start_raw,
    cdr.duration as duration_raw,
    cdr.duration as billable_raw,
    {{ unitel_number('cdr.origin') }} as calling_raw,
    {{ unitel_number('cdr.destination') }} as called_raw,
    -- who pays is ours; the last nine digits are the number in every form
    case
        when {{ last_nine_digits('cdr.charged_party') }} = {{ last_nine_digits('cdr.origin') }}
            then 'outbound'
        when {{ last_nine_digits('cdr.charged_party') }} = {{ last_nine_digits('cdr.destination') }}
            then 'inbound'
    end as direction,
    {{ unitel_number('cdr.charged_party') }} as service_key_1,
    nullif(btrim(cdr.carrier_id), '') as trunk,
    nullif(btrim(cdr.price), '') as carrier_amount_raw,
    nullif(btrim(cdr.currency), '') as carrier_currency,
    nullif(btrim(cdr.rate_id), '') as carrier_rate_code,
    nullif(btrim(cdr.call_type), '') as category,
    {{ record_key_hash('cdr', 'unitel_mixed', 'btrim(cdr.event_id)') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'start_raw', 'duration_raw', 'billable_raw', 'calling_raw',
        'called_raw', 'direction', 'service_key_1', 'trunk', 'carrier_amount_raw',
        'carrier_currency', 'carrier_rate_code', 'category'
    ]) }}
from cdr
where coalesce(btrim(cdr.record_type), '') not in ('7', '8')
