-- Grain: one row per usage leg that counts: the whole decision in words and codes, from the raw
-- line to the rounded amount. Look up by file_id and line_no (indexed); usage_id packs both.
with rated as (
    select * from {{ ref('current_rated_usage') }}
),

runs as (
    select * from {{ source('control', 'rating_run') }}
),

files as (
    select * from {{ source('control', 'file') }}
),

accounts as (
    select * from {{ ref('dim_account') }}
),

services as (
    select * from {{ ref('dim_service') }}
),

plans as (
    select distinct on (plan.plan_id)
        plan.plan_id,
        plan.plan_code,
        plan.rounding_level,
        plan.rounding_decimals,
        plan.rounding_mode,
        plan.increment_base
    from {{ source('reference', 'plan') }} as plan
    where plan.recorded_to = 'infinity'
    order by plan.plan_id asc, plan.valid_from desc
),

rates as (
    select * from {{ source('reference', 'rate') }}
),

reasons as (
    select
        record_reasons.reason_code,
        record_reasons.field_name,
        record_reasons.description
    from {{ ref('record_reasons') }} as record_reasons
    union all
    select
        not_billable_rules.rule_code as reason_code,
        null as field_name,
        not_billable_rules.description
    from {{ ref('not_billable_rules') }} as not_billable_rules
),

raw_lines as (
    {{ landed_values(usage_layouts()) }}
)

select
    rated.usage_id::bigint as usage_id,
    rated.file_id::bigint as file_id,
    rated.line_no::bigint as line_no,
    rated.leg_no::integer as leg_no,
    files.file_name::text as file_name,
    files.sha256::text as file_sha256,
    files.layout_variant::text as layout_variant,
    jsonb_strip_nulls(raw_lines.landed_values)::jsonb as landed_values,
    rated.state::text as state,
    rated.reason::text as reason,
    reasons.field_name::text as reason_field,
    reasons.description::text as reason_in_words,
    accounts.account_code::text as account_code,
    accounts.customer_name::text as customer_name,
    services.service_code::text as service_code,
    rated.match_method::text as match_method,
    rated.direction::text as direction,
    rated.started_at::timestamptz as started_at,
    rated.time_quality::text as time_quality,
    rated.billable_seconds::numeric(12, 3) as billable_seconds,
    rated.calling_number::bigint as calling_number,
    rated.called_number::bigint as called_number,
    rated.called_class::text as called_class,
    rated.calling_state::text as calling_state,
    rated.called_state::text as called_state,
    rated.jurisdiction::text as jurisdiction,
    plans.plan_code::text as plan_code,
    rated.plan_source::text as plan_source,
    rates.deck_code::text as deck_code,
    rated.retail_rate_id::bigint as retail_rate_id,
    rates.destination_name::text as destination_name,
    rated.retail_prefix::text as retail_prefix,
    rated.retail_billed_seconds::bigint as retail_billed_seconds,
    rated.retail_connection_fee::numeric(18, 10) as retail_connection_fee,
    rated.retail_price_per_minute::numeric(18, 10) as retail_price_per_minute,
    rated.retail_unrounded_amount::numeric(28, 14) as retail_unrounded_amount,
    concat_ws(
        ' ', plans.rounding_mode, 'to', plans.rounding_decimals::text, 'decimals per',
        plans.rounding_level
    )::text as rounding,
    rated.retail_amount::numeric(28, 14) as retail_amount,
    rated.currency_code::text as currency_code,
    cost_rates.deck_code::text as cost_deck_code,
    rated.cost_prefix::text as cost_prefix,
    rated.cost_billed_seconds::bigint as cost_billed_seconds,
    rated.cost_amount::numeric(28, 14) as cost_amount,
    rated.cost_currency_code::text as cost_currency_code,
    rated.rating_run_id::bigint as rating_run_id,
    runs.reference_cutoff::timestamptz as reference_cutoff,
    runs.code_commit::text as code_commit
from rated
inner join runs on rated.rating_run_id = runs.rating_run_id
inner join files on rated.file_id = files.file_id
left join raw_lines
    on
        rated.file_id = raw_lines.file_id
        and rated.line_no = raw_lines.line_no
left join accounts on rated.account_id = accounts.account_id
left join services on rated.service_id = services.service_id
left join plans on rated.plan_id = plans.plan_id
left join rates on rated.retail_rate_id = rates.rate_id
left join rates as cost_rates on rated.cost_rate_id = cost_rates.rate_id
left join reasons on rated.reason = reasons.reason_code
