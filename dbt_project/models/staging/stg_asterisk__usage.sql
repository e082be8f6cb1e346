-- Grain: one row per landed Asterisk CDR line.
-- A channel's uniqueid repeats on each leg of its call; only with sequence it names a record.
with cdr as (
    select * from {{ source('landing', 'asterisk_cdr') }}
)

select
    cdr.file_id,
    cdr.line_no,
    'voice' as usage_type,
    cdr.start_time as start_raw,
    cdr.src as calling_raw,
    cdr.dst as called_raw,
    cdr.duration as duration_raw,
    cdr.billsec as billable_raw,
    cdr.disposition as disposition_raw,
    cdr.accountcode as account_key_1,
    null::text as account_key_2,
    case
        when cdr.uniqueid <> '' and cdr.sequence <> ''
            then hashtextextended(cdr.uniqueid || '|' || cdr.sequence, 0)
        else {{ row_hash('cdr', asterisk_value_columns()) }}
    end as record_key_hash
from cdr
