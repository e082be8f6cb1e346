-- Grain: one row per plan version and direction it prices, as known at the cut-off.
-- deck_id is null where the plan does not charge that direction.
with plans as (
    select * from {{ source('reference', 'plan') }}
),

decks as (
    select distinct
        deck.deck_id,
        deck.deck_code
    from {{ source('reference', 'deck') }} as deck
),

directions as (
    select *
    from (values ('outbound'), ('inbound')) as d (direction)
)

select
    plans.plan_id,
    plans.plan_code,
    plans.is_default,
    directions.direction,
    decks.deck_id,
    plans.duration_rounding,
    plans.increment_base,
    plans.rounding_level,
    plans.rounding_decimals,
    plans.rounding_mode,
    plans.rounding_unit,
    plans.rounding_place,
    plans.discount_percent,
    plans.valid_from,
    plans.valid_to
from plans
cross join directions
left join decks
    on
        decks.deck_code
        = case directions.direction
            when 'outbound' then plans.deck_code
            else plans.inbound_deck_code
        end
where {{ known_at_cutoff('plans') }}
