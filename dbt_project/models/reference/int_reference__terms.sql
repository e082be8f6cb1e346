-- Grain: one row per set of charging terms: what a call whose rate has terms_id is charged by,
-- besides price, minimum and increment.
with rate_terms as (
    select * from {{ ref('int_reference__rate_terms') }}
)

select distinct
    rate_terms.terms_id,
    rate_terms.minute_seconds,
    rate_terms.grace_seconds,
    rate_terms.included_seconds,
    rate_terms.additional_seconds,
    rate_terms.minimum_charge,
    rate_terms.maximum_charge,
    rate_terms.cap_period_seconds,
    rate_terms.price_per_call,
    rate_terms.rounding_group,
    rate_terms.increment_decimals,
    rate_terms.increment_mode,
    rate_terms.steps
from rate_terms
