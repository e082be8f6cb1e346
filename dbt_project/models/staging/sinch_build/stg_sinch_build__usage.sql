-- Grain: one row per landed Sinch Build record.
-- Only files of phone-terminated (outbound) calls have the columns AnswerTime and ToCountryId.
with cdr as (
    select * from {{ source('landing', 'sinch_build') }}
)

select
    cdr.file_id,
    cdr.line_no,
    'voice' as usage_type,
    nullif(btrim(cdr.call_id), '') as record_id,
    cdr.call_time as start_raw,
    'UTC' as start_zone,
    nullif(btrim(cdr.answer_time), '') as answer_raw,
    cdr.duration as duration_raw,
    case when upper(btrim(cdr.result)) = 'ANSWERED' then cdr.duration else '0' end as billable_raw,
    cdr.from_number as calling_raw,
    cdr.to_number as called_raw,
    case
        when cdr.answer_time is null and cdr.to_country_id is null then 'inbound'
        else 'outbound'
    end as direction,
    nullif(btrim(cdr.result), '') as disposition_raw,
    nullif(btrim(cdr.reason), '') as cause_text,
    nullif(btrim(cdr.application_key), '') as account_key,
    nullif(btrim(cdr.user_id), '') as service_key_1,
    nullif(btrim(cdr.amount), '') as carrier_amount_raw,
    nullif(btrim(cdr.currency), '') as carrier_currency,
    nullif(btrim(cdr.to_country_id), '') as category,
    {{ record_key_hash('cdr', 'sinch_build', 'btrim(cdr.call_id)') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'start_raw', 'start_zone', 'answer_raw', 'duration_raw',
        'billable_raw', 'calling_raw', 'called_raw', 'direction', 'disposition_raw', 'cause_text',
        'account_key', 'service_key_1', 'carrier_amount_raw', 'carrier_currency', 'category'
    ]) }}
from cdr
