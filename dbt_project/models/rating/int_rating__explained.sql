-- Grain: one row per usage leg that counts, with everything that led to its amount, as it was known
-- to the run that rated it. For looking up a record (file_id, line_no), not for counting.
with rated as (
    select * from {{ ref('current_rated_usage') }}
),

runs as (
    select * from {{ source('control', 'rating_run') }}
),

files as (
    select * from {{ source('control', 'file') }}
),

original_files as (
    select * from {{ source('control', 'file') }}
),

accounts as (
    select * from {{ source('reference', 'account') }}
),

services as (
    select * from {{ source('reference', 'service') }}
),

plans as (
    select * from {{ source('reference', 'plan') }}
),

reasons as (
    {{ reasons_in_words() }}
),

{%- for side in ('retail', 'cost') %}

{{ side }}_rates as (
    select * from {{ source('reference', 'rate') }}
),

{{ side }}_decks as (
    select * from {{ source('reference', 'deck') }}
),
{%- endfor %}

carrier_decks as (
    select * from {{ source('reference', 'deck') }}
)

select
    rated.*,
    files.file_name,
    files.sha256 as file_sha256,
    files.layout_variant,
    reasons.field_name as reason_field,
    reasons.description as reason_in_words,
    reasons.what_to_do,
    original_files.file_name as original_file_name,
    {{ line_of_key('rated.original_usage_id') }} as original_line_no,
    accounts.account_code,
    accounts.customer_name,
    services.service_code,
    plans.plan_code,
    plans.plan_name,
    plans.duration_rounding,
    plans.increment_base,
    plans.rounding_level,
    plans.rounding_decimals,
    plans.rounding_mode,
    plans.rounding_unit,
    plans.rounding_place,
    plans.discount_percent,
    case rated.usage_type
        when 'voice'
            then
                case rated.direction
                    when 'outbound' then plans.deck_code
                    else plans.inbound_deck_code
                end
        when 'sms'
            then
                case rated.direction
                    when 'outbound' then plans.sms_deck_code
                    else plans.inbound_sms_deck_code
                end
        when 'mms' then plans.mms_deck_code
        when 'data' then plans.data_deck_code
    end as asked_deck_code,
    {%- for side in ('retail', 'cost') %}
    {%- set rates = side ~ '_rates' %}
    {%- set decks = side ~ '_decks' %}
    {{ rates }}.deck_code as {{ side }}_deck_code,
    {{ rates }}.prefix as {{ side }}_row_prefix,
    {{ rates }}.destination_name as {{ side }}_destination_name,
    {{ rates }}.jurisdiction as {{ side }}_row_jurisdiction,
    {{ rates }}.valid_from as {{ side }}_row_valid_from,
    {{ rates }}.valid_to as {{ side }}_row_valid_to,
    {{ rates }}.recorded_from as {{ side }}_row_recorded_from,
    {{ decks }}.deck_name as {{ side }}_deck_name,
    {{ decks }}.valid_from as {{ side }}_deck_valid_from,
    {{ decks }}.valid_to as {{ side }}_deck_valid_to,
    {{ decks }}.recorded_from as {{ side }}_deck_recorded_from,
    {{ decks }}.unit_bytes as {{ side }}_unit_bytes,
    {{ decks }}.maximum_charge_rule as {{ side }}_maximum_charge_rule,
    {{ decks }}.cap_period_seconds as {{ side }}_cap_period_seconds,
    coalesce({{ rates }}.minimum_seconds, {{ decks }}.minimum_seconds, 0)
        as {{ side }}_minimum_seconds,
    coalesce({{ rates }}.increment_seconds, {{ decks }}.increment_seconds, 1)
        as {{ side }}_increment_seconds,
    {%- for setting in (
        'minute_seconds', 'grace_seconds', 'included_seconds', 'additional_seconds',
        'minimum_charge', 'maximum_charge'
    ) %}
    coalesce({{ rates }}.{{ setting }}, {{ decks }}.{{ setting }}) as {{ side }}_{{ setting }},
    {%- endfor %}
    {{ rates }}.price_per_call is not null as {{ side }}_is_per_call,
    {%- endfor %}
    carrier_decks.duration_rounding as cost_duration_rounding,
    carrier_decks.increment_base as cost_increment_base,
    carrier_decks.rounding_decimals as cost_rounding_decimals,
    carrier_decks.rounding_mode as cost_rounding_mode,
    carrier_decks.rounding_unit as cost_rounding_unit,
    runs.run_kind,
    runs.reason as run_reason,
    runs.requested_by,
    runs.attempt,
    runs.closed_at,
    runs.reference_cutoff,
    runs.code_commit,
    runs.code_is_dirty
from rated
inner join runs on rated.rating_run_id = runs.rating_run_id
inner join files on rated.file_id = files.file_id
left join original_files on {{ file_of_key('rated.original_usage_id') }} = original_files.file_id
left join reasons on rated.reason = reasons.reason_code
left join accounts
    on
        rated.account_id = accounts.account_id
        and {{ held_at('accounts', 'rated.started_at', 'runs') }}
left join services
    on
        rated.service_id = services.service_id
        and {{ held_at('services', 'rated.started_at', 'runs') }}
left join plans
    on
        rated.plan_id = plans.plan_id
        and {{ held_at('plans', 'rated.started_at', 'runs') }}
{%- for side in ('retail', 'cost') %}
left join {{ side }}_rates on rated.{{ side }}_rate_id = {{ side }}_rates.rate_id
left join {{ side }}_decks
    on
        {{ side }}_rates.deck_code = {{ side }}_decks.deck_code
        and {{ held_at(side ~ '_decks', 'rated.started_at', 'runs') }}
{%- endfor %}
left join carrier_decks
    on
        rated.cost_deck_id = carrier_decks.deck_id
        and {{ held_at('carrier_decks', 'rated.started_at', 'runs') }}
