-- Grain: as int_usage__dialled, with checked numbers and the errors of start and duration named.
{{ config(post_hook="{{ evaluate_once() }}") }}

with dialled as (
    select * from {{ ref('int_usage__dialled') }}
)

select
    dialled.*,
    coalesce(
        dialled.calling_plain,
        {{ e164_number(
            'dialled.calling_candidate', 'dialled.calling_raw', 'dialled.calling_clean'
        ) }}
    ) as calling_e164,
    coalesce(
        dialled.called_plain,
        {{ e164_number(
            'dialled.called_candidate', 'dialled.called_raw', 'dialled.called_clean'
        ) }},
        {{ local_number(
            'dialled.called_clean',
            'coalesce(dialled.calling_plain, ' ~ e164_number(
                'dialled.calling_candidate', 'dialled.calling_raw', 'dialled.calling_clean'
            ) ~ ')',
            'dialled'
        ) }}
    ) as called_e164,
    case
        when
            dialled.started_at >= '1990-01-01 00:00:00+00'
            and dialled.started_at < dialled.received_at + interval '2 days'
            then null
        when coalesce(btrim(dialled.start_raw), '') in ('', '0') then 'missing_start_time'
        when dialled.started_at is null then 'invalid_start_time'
        else 'implausible_start_time'
    end as start_error,
    coalesce(
        dialled.disposition,
        case
            when dialled.usage_type <> 'voice' then 'unknown'
            when dialled.stated_billable_seconds > 0 then 'answered'
            else 'no_answer'
        end
    ) as known_disposition,
    case
        when
            dialled.usage_type = 'voice'
            and dialled.duration_seconds between 0 and 604800
            and dialled.stated_billable_seconds between 0 and 604800
            then null
        when
            coalesce(dialled.duration_raw, '') = ''
            and coalesce(dialled.billable_raw, '') = ''
            and dialled.is_timed_by_end is not true
            then case when dialled.usage_type = 'voice' then 'missing_duration' end
        when
            dialled.duration_seconds is null or dialled.stated_billable_seconds is null
            then 'invalid_duration'
        when dialled.duration_seconds < 0 or dialled.stated_billable_seconds < 0
            then 'negative_duration'
        -- a data session may be open for weeks
        when dialled.usage_type = 'voice' then 'implausible_duration'
    end as duration_error,
    case
        when dialled.service_candidate_1 is not null
            then
                {{ e164_number(
                    'dialled.service_candidate_1', 'dialled.service_key_1',
                    'dialled.service_clean_1'
                ) }}
    end as service_number_1,
    case
        when dialled.service_candidate_2 is not null
            then
                {{ e164_number(
                    'dialled.service_candidate_2', 'dialled.service_key_2',
                    'dialled.service_clean_2'
                ) }}
    end as service_number_2
from dialled
