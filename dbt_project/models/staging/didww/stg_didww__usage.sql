-- Grain: one row per landed DIDWW record.
-- Inbound exports have the number of ours in DID and a URI in Destination; outbound ones the
-- number.
with cdr as (
    select * from {{ source('landing', 'didww') }}
)

select
    cdr.file_id,
    cdr.line_no,
    'voice' as usage_type,
    cdr.time_start as start_raw,
    'UTC' as start_zone,
    nullif(btrim(cdr.time_connect), '') as answer_raw,
    nullif(btrim(cdr.time_end), '') as end_raw,
    cdr.duration as duration_raw,
    cdr.duration as billable_raw,
    coalesce(nullif(btrim(cdr.cli), ''), cdr.source) as calling_raw,
    coalesce(cdr.did, cdr.destination) as called_raw,
    nullif(btrim(cdr.source_name), '') as calling_name,
    case when cdr.did is not null then 'inbound' else 'outbound' end as direction,
    case
        when cdr.duration ~ '[1-9]' then 'answered'
        when btrim(cdr.disconnect_code) = '486' then 'busy'
        when btrim(cdr.disconnect_code) = '487' then 'canceled'
        when btrim(cdr.disconnect_code) in ('200', '408', '480') then 'no_answer'
        else 'failed'
    end as disposition_raw,
    nullif(btrim(cdr.disconnect_code), '') as cause_code,
    nullif(btrim(cdr.response), '') as cause_text,
    nullif(btrim(cdr.customer_id), '') as account_key,
    nullif(btrim(cdr.voice_in_trunk), '') as trunk,
    case when cdr.did is not null then nullif(btrim(cdr.destination), '') end as route,
    {{ sum_of_amounts([
        'cdr.toll_free_amount', 'cdr.termination_amount', 'cdr.pstn_amount',
        'cdr.metered_amount', 'cdr.charged_amount'
    ]) }} as carrier_amount_raw,
    'USD' as carrier_currency,
    {{ record_key_hash('cdr', 'didww', 'null') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'start_raw', 'start_zone', 'answer_raw', 'end_raw', 'duration_raw',
        'billable_raw', 'calling_raw', 'called_raw', 'calling_name', 'direction',
        'disposition_raw', 'cause_code', 'cause_text', 'account_key', 'trunk', 'route',
        'carrier_amount_raw', 'carrier_currency'
    ]) }}
from cdr
