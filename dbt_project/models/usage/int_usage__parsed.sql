-- Grain: one row per landed usage line of the current run: values read one by one from their text.
-- A security barrier, so that each value is worked out once although later steps use it often
-- (OFFSET 0 would do the same but forbid parallel plans).
{{ config(post_hook="{{ evaluate_once() }}") }}

with usage_lines as (
    {{ staged_lines('usage') }}
),

work_files as (
    select * from {{ ref('int_usage__work_files') }}
)

select
    usage_lines.file_id,
    usage_lines.line_no,
    usage_lines.usage_type,
    usage_lines.start_raw,
    usage_lines.calling_raw,
    usage_lines.called_raw,
    usage_lines.duration_raw,
    usage_lines.billable_raw,
    usage_lines.disposition_raw,
    usage_lines.account_key,
    usage_lines.service_key_1,
    usage_lines.service_key_2,
    usage_lines.direction,
    coalesce(
        usage_lines.set_aside_rule,
        case when work_files.rating_mode = 'reconcile' then 'reconciliation_only' end
    ) as set_aside_rule,
    usage_lines.record_key_hash,
    case
        when usage_lines.content_key is not null
            then hashtextextended(usage_lines.content_key, 0)
        when usage_lines.usage_type = 'voice'
            then
                hash_record_extended(
                    row(
                        usage_lines.start_raw,
                        usage_lines.calling_raw,
                        usage_lines.called_raw,
                        case
                            when usage_lines.billable_raw <> '' then usage_lines.billable_raw
                            when {{ has_no_duration('usage_lines') }} then usage_lines.end_raw
                            else usage_lines.billable_raw
                        end,
                        usage_lines.disposition_raw
                    ), 0
                )
        else
            hash_record_extended(
                row(
                    usage_lines.start_raw,
                    usage_lines.calling_raw,
                    usage_lines.called_raw,
                    usage_lines.billable_raw,
                    usage_lines.disposition_raw,
                    usage_lines.quantity_raw,
                    usage_lines.bytes_up_raw,
                    usage_lines.bytes_down_raw
                ), 0
            )
    end as content_hash,
    case
        when usage_lines.usage_type in ('voice', 'data') or btrim(usage_lines.quantity_raw) <> ''
            then {{ counted_number('usage_lines.quantity_raw', 'work_files.decimal_mark') }}
        when usage_lines.usage_type = 'sms' and usage_lines.message_text <> '' then null
        else 1
    end as quantity,
    -- of the text of a message, personal data, nothing but this goes on from here
    case
        when usage_lines.usage_type = 'sms'
            then {{ message_segments('usage_lines.message_text', 'usage_lines.message_encoding') }}
    end as text_segments,
    {{ counted_number('usage_lines.bytes_up_raw', 'work_files.decimal_mark') }} as bytes_up,
    {{ counted_number('usage_lines.bytes_down_raw', 'work_files.decimal_mark') }} as bytes_down,
    {{ volume_error('usage_lines', 'work_files.decimal_mark') }} as volume_error,
    {{ iso_timestamp('usage_lines.start_raw', 'work_files.date_order') }} as start_iso,
    {{ written_offset('usage_lines.start_raw') }} as start_offset,
    {{ plain_digits('usage_lines.calling_raw') }} as calling_digits,
    {{ plain_digits('usage_lines.called_raw') }} as called_digits,
    {{ plain_digits('usage_lines.lrn') }} as lrn_digits,
    nullif(usage_lines.category, '') as stated_class,
    case
        when work_files.rating_mode in ('pre_rated', 'reconcile')
            then {{ amount_value('usage_lines.carrier_amount_raw', 'work_files.decimal_mark') }}
    end as supplier_amount,
    case
        when work_files.rating_mode in ('pre_rated', 'reconcile')
            then
                {{ currency_code('usage_lines.carrier_currency', 'work_files.currency_code') }}
    end as supplier_currency,
    case
        when work_files.rating_mode in ('pre_rated', 'reconcile')
            then btrim(coalesce(usage_lines.carrier_amount_raw, '')) <> ''
    end as has_supplier_amount,
    {{ network_code('usage_lines.visited_network') }} as visited_network,
    case
        when usage_lines.usage_type = 'data' and usage_lines.call_group_id <> ''
            then hashtextextended(usage_lines.call_group_id, 0)
    end as session_hash,
    -- where the record states no duration, its times may
    case
        when {{ has_no_duration('usage_lines') }}
            then jsonb_build_array(
                usage_lines.end_raw,
                {{ iso_timestamp('usage_lines.end_raw', 'work_files.date_order') }},
                usage_lines.answer_raw,
                {{ iso_timestamp('usage_lines.answer_raw', 'work_files.date_order') }}
            )
    end as later_times,
    {{ duration_seconds('usage_lines.duration_raw', 'work_files.decimal_mark') }}
        as duration_seconds,
    {{ duration_seconds('usage_lines.billable_raw', 'work_files.decimal_mark') }}
        as billable_seconds,
    {{ disposition('usage_lines.disposition_raw') }} as disposition,
    left(coalesce(nullif(usage_lines.cause_code, ''), nullif(usage_lines.cause_text, '')), 40)
        as release_cause,
    work_files.source_id,
    work_files.received_at,
    coalesce(usage_lines.start_zone, work_files.time_zone) as time_zone,
    work_files.number_plan,
    work_files.country_code,
    work_files.international_prefix,
    work_files.national_prefix,
    work_files.national_length_min,
    work_files.national_length_max
from usage_lines
inner join work_files on usage_lines.file_id = work_files.file_id
where {{ work_set_predicate('usage_lines') }}
