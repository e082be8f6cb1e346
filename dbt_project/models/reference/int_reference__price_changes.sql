-- Grain: one row per prefix interval and period with a price, of the decks that split a call where
-- its price changes.
{{ config(indexes=[{'columns': ['interval_no']}]) }}

with rates as (
    select * from {{ ref('int_reference__rates') }}
),

rate_decks as (
    select
        rate.rate_id,
        rate.deck_code
    from {{ source('reference', 'rate') }} as rate
),

decks as (
    select distinct deck.deck_code
    from {{ ref('int_reference__decks') }} as deck
    where deck.price_change_policy = 'split'
)

select
    rates.interval_no,
    rates.from_number,
    rates.to_number,
    rates.rate_id,
    rates.price_per_minute,
    rates.minimum_seconds,
    rates.increment_seconds,
    rates.valid_from
from rates
inner join rate_decks on rates.rate_id = rate_decks.rate_id
inner join decks on rate_decks.deck_code = decks.deck_code
where
    rates.status = 'open'
    and rates.price_per_minute is not null
