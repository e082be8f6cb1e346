-- Grain: one row per CDR line of the fixed-width file. Slices are 1-based here; the record number
-- starts again in every file, so all of the line is the key.
-- Times are local; the digits behind the seconds of start and duration are hundredths.
with lines as (
    select * from {{ source('landing', 'cgrates_fwv') }}
),

sliced as (
    select
        lines.*,
        substr(lines.record_line, 1, 10) as record_number,
        substr(lines.record_line, 15, 16) as start_digits,
        btrim(substr(lines.record_line, 31, 19)) as account,
        btrim(substr(lines.record_line, 53, 28)) as destination,
        btrim(substr(lines.record_line, 116, 8)) as wholesale_amount,
        substr(lines.record_line, 128, 8) as usage_digits,
        btrim(substr(lines.record_line, 160, 40)) as tariff_text
    from lines
),

prepared as (
    select
        sliced.*,
        case
            when sliced.start_digits ~ '^[0-9]{16}$'
                then regexp_replace(
                    sliced.start_digits,
                    '^(....)(..)(..)(..)(..)(..)(..)$', '\1-\2-\3 \4:\5:\6.\7'
                )
            else nullif(btrim(sliced.start_digits), '')
        end as start_text,
        case
            when sliced.usage_digits ~ '^[0-9]{8}$'
                then regexp_replace(sliced.usage_digits, '^(..)(..)(..)(..)$', '\1:\2:\3.\4')
            else nullif(btrim(sliced.usage_digits), '')
        end as usage_text
    from sliced
)

select
    prepared.file_id,
    prepared.line_no,
    'voice' as usage_type,
    prepared.record_number as record_id,
    prepared.start_text as start_raw,
    prepared.start_text as answer_raw,
    prepared.usage_text as duration_raw,
    prepared.usage_text as billable_raw,
    nullif(prepared.account, '') as calling_raw,
    nullif(prepared.destination, '') as called_raw,
    nullif(prepared.account, '') as account_key,
    -- a whole number has a scale nobody states: read only what shows its decimal mark
    case when prepared.wholesale_amount ~ '[.,]' then prepared.wholesale_amount end
        as carrier_amount_raw,
    nullif(prepared.tariff_text, '') as category,
    {{ record_key_hash('prepared', 'cgrates_fwv') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'start_raw', 'answer_raw', 'duration_raw', 'billable_raw',
        'calling_raw', 'called_raw', 'account_key', 'carrier_amount_raw', 'category'
    ]) }}
from prepared
