-- Grain: as int_usage__parsed, with the local start; plain NANP numbers are done, other
-- number texts are freed of their wrapping.
{{ config(post_hook="{{ evaluate_once() }}") }}

with parsed as (
    select * from {{ ref('int_usage__parsed') }}
)

select
    parsed.file_id,
    parsed.line_no,
    parsed.source_id,
    parsed.usage_type,
    parsed.received_at,
    parsed.time_zone,
    parsed.start_raw,
    {{ local_timestamp('parsed.start_iso') }} as local_start,
    parsed.start_offset,
    {{ local_timestamp("(parsed.later_times ->> 1)") }} as local_end,
    {{ written_offset("(parsed.later_times ->> 0)") }} as end_offset,
    {{ local_timestamp("(parsed.later_times ->> 3)") }} as local_answer,
    {{ written_offset("(parsed.later_times ->> 2)") }} as answer_offset,
    btrim(parsed.later_times ->> 2) = '' as is_unanswered,
    parsed.duration_raw,
    parsed.billable_raw,
    coalesce(
        parsed.duration_seconds,
        case when coalesce(parsed.duration_raw, '') = '' then parsed.billable_seconds end
    ) as duration_seconds,
    coalesce(
        parsed.billable_seconds,
        case when coalesce(parsed.billable_raw, '') = '' then parsed.duration_seconds end
    ) as stated_billable_seconds,
    parsed.disposition,
    parsed.release_cause,
    parsed.calling_raw,
    {{ plain_nanp_number('parsed.calling_digits', 'parsed') }} as calling_plain,
    case
        when {{ plain_nanp_number('parsed.calling_digits', 'parsed') }} is null
            then {{ clean_number('parsed.calling_raw') }}
    end as calling_clean,
    parsed.called_raw,
    {{ plain_nanp_number('parsed.called_digits', 'parsed') }} as called_plain,
    case
        when {{ plain_nanp_number('parsed.called_digits', 'parsed') }} is null
            then {{ without_carrier_code(clean_number('parsed.called_raw'), 'parsed') }}
    end as called_clean,
    case
        when {{ plain_nanp_number('parsed.called_digits', 'parsed') }} is null
            then
                {{ carrier_access_code(
                    'parsed.called_raw', clean_number('parsed.called_raw'), 'parsed'
                ) }}
    end as carrier_access_code,
    {{ plain_nanp_number('parsed.lrn_digits', 'parsed') }} as lrn_number,
    parsed.stated_class,
    parsed.number_plan,
    parsed.country_code,
    parsed.international_prefix,
    parsed.national_prefix,
    parsed.national_length_min,
    parsed.national_length_max,
    parsed.account_key,
    parsed.service_key_1,
    case
        when parsed.service_key_1 <> '' then {{ clean_number('parsed.service_key_1') }}
    end as service_clean_1,
    parsed.service_key_2,
    case
        when parsed.service_key_2 <> '' then {{ clean_number('parsed.service_key_2') }}
    end as service_clean_2,
    parsed.direction,
    parsed.set_aside_rule,
    parsed.quantity,
    parsed.bytes_up,
    parsed.bytes_down,
    parsed.volume_error,
    parsed.text_segments,
    parsed.supplier_amount,
    parsed.supplier_currency,
    parsed.has_supplier_amount,
    parsed.visited_network,
    parsed.session_hash,
    parsed.record_key_hash,
    parsed.content_hash
from parsed
