-- Grain: one row per reconciliation that was kept, day, code, class and currencies. Additive within
-- a reconciliation; the same calls may be part of several.
with reconciliations as (
    select * from {{ source('control', 'reconciliation') }}
),

calls as (
    select * from {{ source('control', 'reconciliation_call') }}
)

select
    calls.reconciliation_id::bigint as reconciliation_id,
    reconciliations.made_at::timestamptz as made_at,
    array_to_string(reconciliations.our_sources, ', ')::text as our_sources,
    array_to_string(reconciliations.their_sources, ', ')::text as their_sources,
    reconciliations.period_from::timestamptz as period_from,
    reconciliations.period_to::timestamptz as period_to,
    calls.call_date::date as call_date,
    calls.prefix::text as prefix,
    max(calls.destination_name)::text as destination_name,
    calls.call_class::text as call_class,
    calls.expected_currency_code::text as expected_currency_code,
    calls.their_currency_code::text as their_currency_code,
    count(*)::bigint as call_count,
    count(calls.our_usage_id)::bigint as our_count,
    count(calls.their_usage_id)::bigint as their_count,
    coalesce(sum(calls.our_seconds), 0)::numeric(20, 3) as our_seconds,
    coalesce(sum(calls.our_billed_seconds), 0)::bigint as our_billed_seconds,
    coalesce(sum(calls.their_seconds), 0)::numeric(20, 3) as their_seconds,
    coalesce(sum(calls.expected_amount), 0)::numeric(28, 14) as expected_amount,
    coalesce(sum(calls.their_amount), 0)::numeric(28, 14) as their_amount,
    coalesce(sum(calls.difference_amount), 0)::numeric(28, 14) as difference_amount,
    coalesce(sum(calls.claimed_amount), 0)::numeric(28, 14) as claimed_amount
from calls
inner join reconciliations on calls.reconciliation_id = reconciliations.reconciliation_id
group by
    calls.reconciliation_id,
    reconciliations.made_at,
    reconciliations.our_sources,
    reconciliations.their_sources,
    reconciliations.period_from,
    reconciliations.period_to,
    calls.call_date,
    calls.prefix,
    calls.call_class,
    calls.expected_currency_code,
    calls.their_currency_code
