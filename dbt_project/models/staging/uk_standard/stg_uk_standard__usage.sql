-- Grain: one row per landed line of the UK Standard CDR (FCS) as Gamma writes it.
-- The customer identifier is the billed party in both directions: the caller of V, the called
-- number of I. A price of zero is bundle usage, not a missing price. A diverted call is two rows,
-- tied by the grouping id, or by the record id behind its prefix.
with cdr_lines as (
    select * from {{ source('landing', 'uk_standard') }}
),

cleaned as (
    select
        cdr_lines.*,
        upper({{ landed_text('cdr_lines.call_type') }}) as type_text,
        {{ landed_text('cdr_lines.call_date') }} as date_text,
        {{ landed_text('cdr_lines.call_time') }} as time_text,
        {{ landed_text('cdr_lines.duration') }} as duration_text,
        {{ landed_text('cdr_lines.ring_time') }} as ring_text,
        {{ landed_text('cdr_lines.customer_identifier') }} as customer_text,
        {{ landed_text('cdr_lines.presentation_number') }} as presentation_text,
        {{ landed_text('cdr_lines.number_dialled') }} as other_text,
        {{ landed_text('cdr_lines.ddi') }} as ddi_text,
        {{ landed_text('cdr_lines.record_id') }} as record_text,
        nullif({{ landed_text('cdr_lines.bytes_transmitted') }}, '0') as sent_text,
        nullif({{ landed_text('cdr_lines.bytes_received') }}, '0') as received_text,
        nullif({{ landed_text('cdr_lines.total_bytes') }}, '0') as total_text
    from cdr_lines
),

typed as (
    select
        cleaned.*,
        case
            when cleaned.type_text in ('S', 'SMS', 'TXT') then 'sms'
            when cleaned.type_text = 'MMS' then 'mms'
            when
                cleaned.type_text in ('D', 'DATA', 'GPRS')
                or coalesce(cleaned.sent_text, cleaned.received_text, cleaned.total_text)
                is not null
                then 'data'
            else 'voice'
        end as usage_type,
        case
            when cleaned.type_text = 'V' then 'outbound'
            when cleaned.type_text = 'I' then 'inbound'
            when cleaned.record_text like 'DIVERTED_OUTBOUND_%' then 'outbound'
            when cleaned.record_text like 'DIVERTED_INBOUND_%' then 'inbound'
        end as direction,
        -- The customer's number: the identifier may be an account instead.
        case
            when cleaned.customer_text ~ '^[+]?[0-9 ]{7,}$' then cleaned.customer_text
        end as customer_number,
        regexp_replace(
            cleaned.date_text, '^([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})$', '\3-\2-\1'
        ) || ' ' || cleaned.time_text as iso_start
    from cleaned
)

select
    typed.file_id,
    typed.line_no,
    typed.usage_type,
    typed.record_text as record_id,
    coalesce(
        {{ landed_text('typed.grouping_id') }},
        substring(typed.record_text from '^DIVERTED_(?:INBOUND|OUTBOUND)_(.+)$')
    ) as call_group_id,
    typed.date_text || ' ' || typed.time_text as start_raw,
    case
        when typed.usage_type = 'voice' and typed.duration_text ~ '[1-9]'
            then {{ shifted_time('typed.iso_start', "coalesce(typed.ring_text, '0')") }}
    end as answer_raw,
    typed.duration_text as duration_raw,
    typed.duration_text as billable_raw,
    case when typed.usage_type in ('sms', 'mms') then '1' end as quantity_raw,
    typed.sent_text as bytes_up_raw,
    coalesce(
        typed.received_text, case when typed.sent_text is null then typed.total_text end
    ) as bytes_down_raw,
    case
        when typed.direction = 'inbound' then typed.other_text
        else coalesce(typed.customer_number, typed.presentation_text, typed.customer_text)
    end as calling_raw,
    case
        when typed.direction = 'inbound'
            then coalesce(typed.customer_number, typed.ddi_text, typed.customer_text)
        else typed.other_text
    end as called_raw,
    typed.direction,
    {{ landed_text('typed.call_cause') }} as cause_code,
    typed.customer_text as account_key,
    typed.customer_text as service_key_1,
    {{ landed_text('typed.contract_name') }} as service_key_2,
    {{ landed_text('typed.carrier') }} as trunk,
    {{ landed_text('typed.routing_code') }} as route,
    {{ landed_text('typed.salesprice') }} as carrier_amount_raw,
    {{ landed_text('typed.currency') }} as carrier_currency,
    {{ landed_text('typed.chargecode') }} as carrier_rate_code,
    {{ landed_text('typed.description') }} as category,
    {{ record_key_hash('typed', 'uk_standard', 'typed.record_text') }} as record_key_hash,
    {{ unset_usage_columns(except=[
        'usage_type', 'record_id', 'call_group_id', 'start_raw', 'answer_raw', 'duration_raw',
        'billable_raw', 'quantity_raw', 'bytes_up_raw', 'bytes_down_raw', 'calling_raw',
        'called_raw', 'direction', 'cause_code', 'account_key', 'service_key_1',
        'service_key_2', 'trunk', 'route', 'carrier_amount_raw', 'carrier_currency',
        'carrier_rate_code', 'category',
    ]) }}
from typed
