-- Grain: as int_usage__numbered, with checked numbers and the errors of start and duration named.
{{ config(post_hook="{{ evaluate_once() }}") }}

with numbered as (
    select * from {{ ref('int_usage__numbered') }}
)

select
    numbered.*,
    {{ e164_number('numbered.calling_candidate', 'numbered.calling_raw', 'numbered.calling_clean') }}
        as calling_e164,
    {{ e164_number('numbered.called_candidate', 'numbered.called_raw', 'numbered.called_clean') }}
        as called_e164,
    case
        when
            numbered.started_at >= '1990-01-01 00:00:00+00'
            and numbered.started_at < numbered.received_at + interval '2 days'
            then null
        when coalesce(btrim(numbered.start_raw), '') in ('', '0') then 'missing_start_time'
        when numbered.started_at is null then 'invalid_start_time'
        else 'implausible_start_time'
    end as start_error,
    coalesce(
        numbered.disposition,
        case when numbered.stated_billable_seconds > 0 then 'answered' else 'no_answer' end
    ) as known_disposition,
    case
        when
            numbered.duration_seconds between 0 and 604800
            and numbered.stated_billable_seconds between 0 and 604800
            then null
        when
            coalesce(numbered.duration_raw, '') = ''
            and coalesce(numbered.billable_raw, '') = ''
            then 'missing_duration'
        when
            numbered.duration_seconds is null or numbered.stated_billable_seconds is null
            then 'invalid_duration'
        when numbered.duration_seconds < 0 or numbered.stated_billable_seconds < 0
            then 'negative_duration'
        else 'implausible_duration'
    end as duration_error
from numbered
