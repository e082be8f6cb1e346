-- Grain: one row per prefix interval and period: the price in force, minimum and increment
-- completed from the deck (a rate row knows its deck only by code; the deck's version at the start
-- of the piece is taken). terms_id: null where nothing more is to be known.
with pieces as (
    select * from {{ ref('int_reference__rate_pieces') }}
),

rates as (
    select * from {{ source('reference', 'rate') }}
),

decks as (
    select
        deck.*,
        min(deck.valid_from) over (partition by deck.deck_code) as first_valid_from
    from {{ ref('int_reference__decks') }} as deck
),

rate_terms as (
    select * from {{ ref('int_reference__rate_terms') }}
)

select
    pieces.interval_no,
    pieces.from_number,
    pieces.to_number,
    pieces.valid_from,
    pieces.valid_to,
    rates.rate_id,
    rates.prefix::bigint as prefix_number,
    rates.prefix,
    rates.status,
    coalesce(rates.price_per_minute, rates.price_per_unit) as price_per_minute,
    rates.connection_fee,
    -- data that is rounded over several records is billed exactly first
    case
        when decks.data_rounding <> 'record' then 0
        else coalesce(rates.minimum_seconds, decks.minimum_seconds, 0)
    end as minimum_seconds,
    case
        when decks.data_rounding <> 'record' then 1
        else coalesce(rates.increment_seconds, decks.increment_seconds, 1)
    end as increment_seconds,
    rate_terms.terms_id
from pieces
inner join rates on pieces.payload_id = rates.rate_id
left join decks
    on
        rates.deck_code = decks.deck_code
        and greatest(pieces.valid_from, decks.first_valid_from) >= decks.valid_from
        and greatest(pieces.valid_from, decks.first_valid_from) < decks.valid_to
left join rate_terms
    on
        rates.rate_id = rate_terms.rate_id
        and decks.valid_from = rate_terms.deck_valid_from
