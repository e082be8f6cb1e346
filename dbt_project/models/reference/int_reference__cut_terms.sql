-- Grain: one row per set of charging terms by which the time of day, or a price change during the
-- call, matters. Few rates have such terms; of the others nothing is looked up.
{{ config(indexes=[{'columns': ['terms_id'], 'unique': true}]) }}

with rate_terms as (
    select * from {{ ref('int_reference__rate_terms') }}
)

select distinct
    rate_terms.terms_id,
    rate_terms.cut_deck_id as deck_id,
    rate_terms.calendar_code,
    rate_terms.straddle_policy,
    rate_terms.part_rounding,
    rate_terms.is_split_at_changes,
    rate_terms.minute_seconds,
    rate_terms.grace_seconds,
    rate_terms.included_seconds,
    rate_terms.additional_seconds,
    rate_terms.price_per_call,
    rate_terms.increment_decimals,
    rate_terms.increment_mode
from rate_terms
where rate_terms.cut_deck_id is not null
