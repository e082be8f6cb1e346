-- Grain: one row per call of a reconciliation that was kept: both sides of a pair in one row.
with calls as (
    select * from {{ source('control', 'reconciliation_call') }}
)

select
    calls.reconciliation_id::bigint as reconciliation_id,
    calls.call_no::bigint as call_no,
    calls.call_class::text as call_class,
    calls.call_date::date as call_date,
    calls.prefix::text as prefix,
    calls.destination_name::text as destination_name,
    calls.called_country::text as called_country,
    calls.usage_type::text as usage_type,
    calls.our_usage_id::bigint as our_usage_id,
    calls.their_usage_id::bigint as their_usage_id,
    calls.our_started_at::timestamptz as our_started_at,
    calls.their_started_at::timestamptz as their_started_at,
    calls.shift_seconds::integer as shift_seconds,
    calls.our_seconds::numeric(12, 3) as our_seconds,
    calls.our_billed_seconds::bigint as our_billed_seconds,
    calls.their_seconds::numeric(12, 3) as their_seconds,
    calls.seconds_difference::numeric(12, 3) as seconds_difference,
    case
        when (select pg_has_role(current_user, 'bi_unmasked', 'member')) then calls.calling_number
    end::bigint as calling_number,
    case
        when (select pg_has_role(current_user, 'bi_unmasked', 'member')) then calls.called_number
    end::bigint as called_number,
    ({{ masked_number('calls.calling_number') }})::text as calling_number_masked,
    ({{ masked_number('calls.called_number') }})::text as called_number_masked,
    calls.expected_amount::numeric(28, 14) as expected_amount,
    calls.expected_currency_code::text as expected_currency_code,
    calls.their_amount::numeric(28, 14) as their_amount,
    calls.their_currency_code::text as their_currency_code,
    calls.difference_amount::numeric(28, 14) as difference_amount,
    calls.claimed_amount::numeric(28, 14) as claimed_amount,
    calls.reason::text as reason
from calls
