-- Grain: one row per landed row of a Telnyx call report.
-- Billed seconds are rounded by Telnyx; they stand for the real ones where the report lacks these.
with cdr as (
    select * from {{ source('landing', 'telnyx_cdr') }}
)

select
    cdr.file_id,
    cdr.line_no,
    'voice' as usage_type,
    nullif(btrim(cdr.record_id), '') as record_id,
    nullif(btrim(cdr.call_session_id), '') as call_group_id,
    cdr.started_at as start_raw,
    'UTC' as start_zone,
    nullif(btrim(cdr.answered_at), '') as answer_raw,
    nullif(btrim(cdr.finished_at), '') as end_raw,
    coalesce(nullif(btrim(cdr.call_sec), ''), cdr.billed_sec) as duration_raw,
    coalesce(nullif(btrim(cdr.call_sec), ''), cdr.billed_sec) as billable_raw,
    cdr.billed_sec as carrier_billed_raw,
    cdr.cli as calling_raw,
    cdr.cld as called_raw,
    {{ direction('cdr.direction') }} as direction,
    nullif(btrim(cdr.hangup_code), '') as cause_code,
    nullif(btrim(cdr.hangup_details), '') as cause_text,
    nullif(btrim(cdr.billing_group_id), '') as account_key,
    nullif(btrim(cdr.connection_name), '') as service_key_1,
    nullif(btrim(cdr.connection_id), '') as trunk,
    nullif(btrim(cdr.cost), '') as carrier_amount_raw,
    nullif(btrim(cdr.currency), '') as carrier_currency,
    nullif(btrim(cdr.rate), '') as carrier_rate_code,
    {{ record_key_hash('cdr', 'telnyx_cdr', 'btrim(cdr.record_id)') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'start_zone', 'answer_raw',
        'end_raw', 'duration_raw', 'billable_raw', 'carrier_billed_raw', 'calling_raw',
        'called_raw', 'direction', 'cause_code', 'cause_text', 'account_key', 'service_key_1',
        'trunk', 'carrier_amount_raw', 'carrier_currency', 'carrier_rate_code'
    ]) }}
from cdr
