-- Grain: as int_rating__tariffed, with the charge of calls that go by the time of day, or whose
-- price changes while they last, cut into parts: {seconds, amount, connection_fee,
-- price_per_minute, price_per_call, parts}. Null for all other legs, which only meet the index of
-- int_reference__cut_terms; where no rate has such terms, this view is not asked at all.
-- Cuts are band edges on each local day, clock changes and price changes, as whole seconds from the
-- start. A superset does no harm: parts of the same band and price are put together again.
-- Band edges are looked up with the offsets at both ends of the call; between the two, a local time
-- has at most these two instants.
{{ config(post_hook="{{ evaluate_once() }}") }}

with tariffed as (
    select * from {{ ref('int_rating__tariffed') }}
)

select
    tariffed.*,
    retail_cuts.cut as retail_cut,
    cost_cuts.cut as cost_cut
from tariffed
left join lateral (
    {{ cut_charge('retail') }}
) as retail_cuts on true
left join lateral (
    {{ cut_charge('cost') }}
) as cost_cuts on true
