-- Grain: one row per landed EMI record of category 01 (rated), 10 (unrated) and 11 (access);
-- credits, charges and adjustments are stg_emi__charge. Positions as in docs/layouts/emi.md.
-- Connect time is the answer: records are cut for completed calls.
with records as (
    select * from {{ source('landing', 'emi') }}
),

work_files as (
    select * from {{ ref('int_usage__work_files') }}
),

sliced as (
    select
        records.*,
        substr(records.record_line, 1, 2) as category_code,
        substr(records.record_line, 7, 6) as day_digits,
        substr(records.record_line, 13, 2) as from_length,
        substr(records.record_line, 15, 10) as from_digits,
        substr(records.record_line, 25, 3) as overflow_digits,
        substr(records.record_line, 28, 2) as to_length,
        substr(records.record_line, 30, 10) as to_digits,
        substr(records.record_line, 40, 7) as amount_digits,
        substr(records.record_line, 55, 6) as clock_digits,
        substr(records.record_line, 61, 7) as conversation_digits,
        nullif(btrim(substr(records.record_line, 79, 1)), '') as rate_class,
        nullif(btrim(substr(records.record_line, 113, 10), ' 0'), '') as billing_digits,
        btrim(substr(records.record_line, 113, 10)) as billing_number,
        nullif(btrim(substr(records.record_line, 149, 1)), '') as settlement_code,
        -- modules follow the base record of 210 or, in older files, 175 characters
        case
            when substr(records.record_line, 211, 7) ~ '^[0-9]{3}[A-Z][0-9]{3}$'
                then nullif(btrim(substr(records.record_line, 219, 10)), '')
            when
                length(records.record_line) < 210
                and substr(records.record_line, 176, 7) ~ '^[0-9]{3}[A-Z][0-9]{3}$'
                then nullif(btrim(substr(records.record_line, 184, 10)), '')
        end as account_code
    from records
    where substr(records.record_line, 1, 2) in ('01', '10', '11')
),

read as (
    select
        sliced.*,
        {{ emi_number('sliced.from_length', 'sliced.from_digits', 'sliced.overflow_digits') }}
            as from_number,
        {{ emi_number('sliced.to_length', 'sliced.to_digits', 'sliced.overflow_digits') }}
            as to_number,
        case
            when sliced.day_digits ~ '^[0-9]{6}$' and sliced.clock_digits ~ '^[0-9]{6}$'
                then regexp_replace(
                    sliced.day_digits || sliced.clock_digits,
                    '^(..)(..)(..)(..)(..)(..)$', '20\1-\2-\3 \4:\5:\6'
                )
            else nullif(btrim(sliced.day_digits || ' ' || sliced.clock_digits), '')
        end as connected,
        case
            when sliced.conversation_digits !~ '^[0-9]{7}$'
                then nullif(btrim(sliced.conversation_digits), '')
            when work_files.layout_options ->> 'conversation_time' = 'whole_seconds'
                then (sliced.conversation_digits::numeric / 10)::numeric(20, 1)::text
            -- minutes, seconds, tenths
            else (
                substr(sliced.conversation_digits, 1, 4)::integer * 60
                + substr(sliced.conversation_digits, 5, 3)::numeric / 10
            )::numeric(20, 1)::text
        end as talk_seconds
    from sliced
    left join work_files on sliced.file_id = work_files.file_id
)

select
    read.file_id,
    read.line_no,
    'voice' as usage_type,
    read.connected as start_raw,
    read.connected as answer_raw,
    read.talk_seconds as duration_raw,
    read.talk_seconds as billable_raw,
    read.from_number as calling_raw,
    read.to_number as called_raw,
    case
        when read.billing_digits is null then null
        when read.billing_number = read.from_digits then 'outbound'
        when read.billing_number = read.to_digits then 'inbound'
    end as direction,
    'answered' as disposition_raw,
    read.account_code as account_key,
    case when read.billing_digits is not null then read.billing_number end as service_key_1,
    -- three implied decimals, as the public importer reads them
    case
        when read.category_code = '01' and read.amount_digits ~ '^[0-9]{7}$'
            then (read.amount_digits::numeric / 1000)::numeric(18, 3)::text
    end as carrier_amount_raw,
    read.rate_class as carrier_rate_code,
    -- the jurisdiction class, as the sender codes it
    read.settlement_code as category,
    case when read.category_code = '11' then 'access_record' end as set_aside_rule,
    {{ record_key_hash('read', 'emi') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'start_raw', 'answer_raw', 'duration_raw', 'billable_raw', 'calling_raw',
        'called_raw', 'direction', 'disposition_raw', 'account_key', 'service_key_1',
        'carrier_amount_raw', 'carrier_rate_code', 'category', 'set_aside_rule'
    ]) }}
from read
