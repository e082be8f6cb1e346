-- Grain: one row per plan, roaming zone, usage type and direction: the deck that prices usage there
-- in place of the plan's own (null: not priced), as known at the cut-off.
with roaming_decks as (
    select * from {{ source('reference', 'roaming_deck') }}
),

decks as (
    select distinct
        deck.deck_id,
        deck.deck_code
    from {{ source('reference', 'deck') }} as deck
)

select
    roaming_decks.plan_code,
    roaming_decks.zone_code,
    roaming_decks.usage_type,
    directions.direction,
    decks.deck_id,
    roaming_decks.valid_from,
    roaming_decks.valid_to
from roaming_decks
cross join (values ('outbound'), ('inbound')) as directions (direction)
left join decks
    on
        decks.deck_code
        = case
            when directions.direction = 'outbound' then roaming_decks.deck_code
            -- a data session has no direction
            when roaming_decks.usage_type = 'data'
                then coalesce(roaming_decks.inbound_deck_code, roaming_decks.deck_code)
            else roaming_decks.inbound_deck_code
        end
where {{ known_at_cutoff('roaming_decks') }}
