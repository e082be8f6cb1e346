-- Grain: one row per rate and scope it is considered in. A scope is a deck and a jurisdiction:
-- deck_id * 4 + 0 (any), 1 (intrastate), 2 (interstate), 3 (indeterminate). Rows of
-- jurisdiction `any` stand in every scope of a jurisdictional deck and give way to the
-- jurisdiction's own row at equal prefix.
{{ config(materialized='view') }}

with rates as (
    select * from {{ source('reference', 'rate') }}
),

decks as (
    select
        deck.deck_id,
        deck.deck_code,
        bool_or(deck.is_jurisdictional) as is_jurisdictional
    from {{ ref('int_reference__decks') }} as deck
    group by deck.deck_id, deck.deck_code
),

jurisdictions as (
    select *
    from (
        values (0, 'any'), (1, 'intrastate'), (2, 'interstate'), (3, 'indeterminate')
    ) as j (jurisdiction_no, jurisdiction)
)

select
    decks.deck_id * 4 + jurisdictions.jurisdiction_no as scope,
    rates.prefix,
    (rates.jurisdiction <> 'any')::integer as specificity,
    rates.rate_id as payload_id,
    rates.valid_from,
    rates.valid_to
from rates
inner join decks on rates.deck_code = decks.deck_code
inner join jurisdictions
    on
        (decks.is_jurisdictional and rates.jurisdiction in (jurisdictions.jurisdiction, 'any'))
        or (
            not decks.is_jurisdictional
            and jurisdictions.jurisdiction = 'any'
            and rates.jurisdiction = 'any'
        )
where {{ known_at_cutoff('rates') }}
