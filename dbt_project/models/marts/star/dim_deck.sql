-- Grain: one row per rate deck: its latest version known now. Retail and cost decks stand side by
-- side: join retail_deck_id or cost_deck_id.
with decks as (
    select * from {{ source('reference', 'deck') }}
)

select distinct on (decks.deck_id)
    decks.deck_id::integer as deck_id,
    decks.deck_code::text as deck_code,
    decks.deck_name::text as deck_name,
    decks.side::text as side,
    decks.carrier_code::text as carrier_code,
    decks.currency_code::text as currency_code,
    decks.is_jurisdictional::boolean as is_jurisdictional,
    decks.minimum_seconds::integer as minimum_seconds,
    decks.increment_seconds::integer as increment_seconds,
    decks.valid_from::timestamptz as valid_from,
    decks.valid_to::timestamptz as valid_to
from decks
where decks.recorded_to = 'infinity'
order by decks.deck_id asc, decks.valid_from desc
