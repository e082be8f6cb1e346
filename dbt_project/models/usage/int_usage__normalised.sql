-- Grain: one row per landed usage line of the current run, narrow and typed.
-- start_error and value_error name what could not be read; the values are then null.
-- A duration that somebody put right (control.duration_correction) stands instead of the line's.
{{ config(materialized='work_table') }}
{%- set with_corrections = has_changes('duration') %}
{%- set new_seconds = 'correction.new_seconds' if with_corrections else 'null::numeric' %}

with valued as (
    select * from {{ ref('int_usage__valued') }}
),

countries as (
    select * from {{ ref('int_reference__countries') }}
)
{%- if with_corrections %},

corrections as (
    {{ durations_in_force() }}
)
{%- endif %}

select
    valued.file_id,
    valued.line_no,
    valued.source_id,
    valued.usage_type,
    case when valued.start_error is null then valued.started_at end as started_at,
    {{ time_quality('valued') }} as time_quality,
    valued.start_error,
    coalesce(
        {{ new_seconds }},
        case when valued.duration_error is null then valued.duration_seconds end
    )::numeric(12, 3) as duration_seconds,
    case
        when {{ new_seconds }} is null and valued.duration_error is not null then null
        when valued.known_disposition = 'answered' or valued.usage_type <> 'voice'
            then coalesce({{ new_seconds }}, valued.stated_billable_seconds)
        else 0
    end::numeric(12, 3) as billable_seconds,
    coalesce(valued.quantity, valued.text_segments) as quantity,
    valued.text_segments,
    valued.supplier_amount,
    valued.supplier_currency,
    case
        when not valued.has_supplier_amount then 'missing_supplier_amount'
        when valued.has_supplier_amount and valued.supplier_amount is null
            then 'invalid_supplier_amount'
    end as supplier_error,
    valued.visited_network,
    valued.session_hash,
    valued.bytes_up,
    valued.bytes_down,
    coalesce(
        valued.volume_error,
        case when {{ new_seconds }} is null then valued.duration_error end
    ) as value_error,
    valued.direction,
    valued.set_aside_rule,
    valued.known_disposition as disposition,
    valued.release_cause,
    countries.country_code as called_country,
    valued.calling_e164 as calling_number,
    {{ number_class(
        'valued.calling_raw', 'valued.calling_clean', 'valued.calling_e164', 'valued'
    ) }}
        as calling_class,
    valued.called_e164 as called_number,
    {{ number_class('valued.called_raw', 'valued.called_clean', 'valued.called_e164', 'valued') }}
        as called_number_class,
    case
        when valued.called_e164 is null and valued.called_clean ~ '^[0-9]{1,6}$'
            then valued.called_clean::bigint
    end as called_short_number,
    valued.dialling,
    valued.carrier_access_code,
    valued.lrn_number,
    valued.stated_class,
    nullif(valued.account_key, '') as account_key,
    nullif(valued.service_key_1, '') as service_key_1,
    nullif(valued.service_key_2, '') as service_key_2,
    valued.service_number_1,
    valued.service_number_2,
    valued.record_key_hash,
    valued.content_hash
from valued
left join countries
    on {{ country_lead('valued.called_e164') }} = countries.lead_digits
{%- if with_corrections %}
left join corrections as correction
    on valued.file_id = correction.file_id and valued.line_no = correction.line_no
{%- endif %}
