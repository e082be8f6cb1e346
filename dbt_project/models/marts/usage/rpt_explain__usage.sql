-- Grain: one row per usage leg that counts: the whole decision in words and codes, from the raw
-- line to the rounded amount. Look up by file_id and line_no (indexed); usage_id packs both.
-- The same as a list to read: rpt_explain__record.
{{ config(grants={'select': ['bi_unmasked']}) }}

with rated as (
    select * from {{ ref('int_rating__explained') }}
),

raw_lines as (
    {{ landed_values(usage_layouts()) }}
)

select
    rated.usage_id::bigint as usage_id,
    rated.file_id::bigint as file_id,
    rated.line_no::bigint as line_no,
    rated.leg_no::integer as leg_no,
    rated.file_name::text as file_name,
    rated.file_sha256::text as file_sha256,
    rated.layout_variant::text as layout_variant,
    jsonb_strip_nulls(raw_lines.landed_values)::jsonb as landed_values,
    rated.state::text as state,
    rated.reason::text as reason,
    rated.reason_field::text as reason_field,
    rated.reason_in_words::text as reason_in_words,
    rated.account_code::text as account_code,
    rated.customer_name::text as customer_name,
    rated.service_code::text as service_code,
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
    rated.plan_code::text as plan_code,
    rated.plan_source::text as plan_source,
    rated.retail_deck_code::text as deck_code,
    rated.retail_rate_id::bigint as retail_rate_id,
    rated.retail_destination_name::text as destination_name,
    rated.retail_prefix::text as retail_prefix,
    rated.retail_billed_seconds::bigint as retail_billed_seconds,
    rated.retail_connection_fee::numeric(18, 10) as retail_connection_fee,
    rated.retail_price_per_minute::numeric(18, 10) as retail_price_per_minute,
    rated.retail_unrounded_amount::numeric(28, 14) as retail_unrounded_amount,
    concat_ws(
        ' ', rated.rounding_mode, 'to', rated.rounding_decimals::text, 'decimals per',
        rated.rounding_level
    )::text as rounding,
    rated.retail_amount::numeric(28, 14) as retail_amount,
    rated.currency_code::text as currency_code,
    rated.cost_deck_code::text as cost_deck_code,
    rated.cost_prefix::text as cost_prefix,
    rated.cost_billed_seconds::bigint as cost_billed_seconds,
    rated.cost_amount::numeric(28, 14) as cost_amount,
    rated.cost_currency_code::text as cost_currency_code,
    rated.rating_run_id::bigint as rating_run_id,
    rated.reference_cutoff::timestamptz as reference_cutoff,
    rated.code_commit::text as code_commit
from rated
left join raw_lines
    on
        rated.file_id = raw_lines.file_id
        and rated.line_no = raw_lines.line_no
