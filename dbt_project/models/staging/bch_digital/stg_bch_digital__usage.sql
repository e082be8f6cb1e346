-- Grain: one row per landed BCH Digital row: the inbound call (A leg).
-- The onward call (B leg) of the same row stays in landing: a row is one record here
-- (docs/layouts).
with cdr as (
    select * from {{ source('landing', 'bch_digital') }}
)

select
    cdr.file_id,
    cdr.line_no,
    'voice' as usage_type,
    btrim(cdr.a_date) || ' ' || btrim(cdr.a_time) as start_raw,
    'Europe/London' as start_zone,
    case when btrim(cdr.a_seconds) = '-1' then '0' else cdr.a_seconds end as duration_raw,
    case when btrim(cdr.a_seconds) = '-1' then '0' else cdr.a_seconds end as billable_raw,
    coalesce(nullif(btrim(cdr.a_cli), ''), 'withheld') as calling_raw,
    cdr.a_ddi as called_raw,
    'inbound' as direction,
    case when btrim(cdr.a_seconds) = '-1' then 'no_answer' else 'answered' end as disposition_raw,
    {{ scaled_number('cdr.a_cost', '0.01') }} as carrier_amount_raw,
    'GBP' as carrier_currency,
    nullif(btrim(cdr.a_time_band), '') as carrier_rate_code,
    nullif(btrim(cdr.a_type), '') as category,
    {{ record_key_hash('cdr', 'bch_digital', 'null') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'start_raw', 'start_zone', 'duration_raw', 'billable_raw', 'calling_raw',
        'called_raw', 'direction', 'disposition_raw', 'carrier_amount_raw', 'carrier_currency',
        'carrier_rate_code', 'category'
    ]) }}
from cdr
