-- Grain: as int_usage__numbered, with the start as an instant and country codes added by
-- the number plan of the source.
{{ config(post_hook="{{ evaluate_once() }}") }}

with numbered as (
    select * from {{ ref('int_usage__numbered') }}
)

select
    numbered.file_id,
    numbered.line_no,
    numbered.source_id,
    numbered.usage_type,
    numbered.received_at,
    numbered.time_zone,
    numbered.start_raw,
    numbered.local_start,
    numbered.start_offset,
    {{ placed_instant('numbered.local_start', 'numbered.start_offset', 'numbered') }} as started_at,
    numbered.duration_raw,
    numbered.billable_raw,
    numbered.local_end is not null as is_timed_by_end,
    case
        when numbered.local_end is null then numbered.duration_seconds
        else
            {{ seconds_to_end(
                placed_instant('numbered.local_start', 'numbered.start_offset', 'numbered')
            ) }}
    end as duration_seconds,
    case
        when numbered.local_end is null then numbered.stated_billable_seconds
        when numbered.is_unanswered then 0
        else
            {{ seconds_to_end(
                'coalesce(' ~ placed_instant(
                    'numbered.local_answer', 'numbered.answer_offset', 'numbered'
                ) ~ ', ' ~ placed_instant('numbered.local_start', 'numbered.start_offset', 'numbered')
                ~ ')'
            ) }}
    end as stated_billable_seconds,
    numbered.disposition,
    numbered.release_cause,
    numbered.number_plan,
    numbered.calling_raw,
    numbered.calling_plain,
    numbered.calling_clean,
    case
        when numbered.calling_plain is null
            then {{ e164_candidate('numbered.calling_clean', 'numbered') }}
    end as calling_candidate,
    numbered.called_raw,
    numbered.called_plain,
    numbered.called_clean,
    case
        when numbered.called_plain is null
            then {{ e164_candidate('numbered.called_clean', 'numbered') }}
    end as called_candidate,
    case
        when numbered.called_plain is null
            then {{ dialling('numbered.called_clean', 'numbered') }}
    end as dialling,
    numbered.carrier_access_code,
    numbered.lrn_number,
    numbered.stated_class,
    numbered.account_key,
    numbered.service_key_1,
    numbered.service_clean_1,
    case
        when numbered.service_clean_1 is not null
            then {{ e164_candidate('numbered.service_clean_1', 'numbered') }}
    end as service_candidate_1,
    numbered.service_key_2,
    numbered.service_clean_2,
    case
        when numbered.service_clean_2 is not null
            then {{ e164_candidate('numbered.service_clean_2', 'numbered') }}
    end as service_candidate_2,
    numbered.direction,
    numbered.set_aside_rule,
    numbered.quantity,
    numbered.bytes_up,
    numbered.bytes_down,
    numbered.volume_error,
    numbered.text_segments,
    numbered.supplier_amount,
    numbered.supplier_currency,
    numbered.has_supplier_amount,
    numbered.visited_network,
    numbered.session_hash,
    numbered.record_key_hash,
    numbered.content_hash
from numbered
