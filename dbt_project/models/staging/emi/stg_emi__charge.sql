-- Grain: one row per landed EMI record of category 41 (credit), 42 (charge) and 45 (adjustment).
-- Their positions behind the number are not public: the amount stays unknown and the charge waits
-- as invalid_amount for somebody who has the sender's description.
with records as (
    select * from {{ source('landing', 'emi') }}
),

sliced as (
    select
        records.*,
        substr(records.record_line, 1, 6) as record_identification,
        substr(records.record_line, 7, 6) as day_digits,
        nullif(btrim(substr(records.record_line, 15, 10), ' 0'), '') as number_digits,
        btrim(substr(records.record_line, 15, 10)) as number_text
    from records
    where substr(records.record_line, 1, 2) in ('41', '42', '45')
)

select
    sliced.file_id,
    sliced.line_no,
    case when sliced.number_digits is not null then sliced.number_text end as service_key,
    sliced.record_identification as product_code,
    'EMI ' || case substr(sliced.record_identification, 1, 2)
        when '41' then 'credit'
        when '42' then 'charge'
        else 'adjustment'
    end as description,
    case substr(sliced.record_identification, 1, 2)
        when '41' then 'credit'
        else 'one_off'
    end as charge_type,
    case
        when sliced.day_digits ~ '^[0-9]{6}$'
            then regexp_replace(sliced.day_digits, '^(..)(..)(..)$', '20\1-\2-\3')
    end as event_date_raw,
    {{ record_key_hash('sliced', 'emi') }} as record_key_hash,
    {{ content_hash('sliced', 'emi') }} as content_hash,
    {{ unset_charge_columns(except=[
        'service_key', 'product_code', 'description', 'charge_type', 'event_date_raw'
    ]) }}
from sliced
