-- Grain: one row per rate and scope it is considered in. A scope is a deck and a jurisdiction:
-- deck_id * 4 + 0 (any), 1 (intrastate), 2 (interstate), 3 (indeterminate). Rows of
-- jurisdiction `any` stand in every scope of a jurisdictional deck and give way to the
-- jurisdiction's own row at equal prefix. In a deck whose indeterminate calls cost the dearer of
-- two prices, scope 3 holds every pair of an intrastate and an interstate row that some number
-- meets: the longer prefix of the two with the dearer row; of the pairs at one prefix the longest
-- two win.
{{ config(materialized='view') }}

with rates as (
    select * from {{ source('reference', 'rate') }}
),

decks as (
    select
        deck.deck_id,
        deck.deck_code,
        bool_or(deck.is_jurisdictional) as is_jurisdictional,
        coalesce(
            bool_or(deck.is_jurisdictional and deck.indeterminate_policy = 'highest'), false
        ) as is_dearest
    from {{ ref('int_reference__decks') }} as deck
    group by deck.deck_id, deck.deck_code
),

jurisdictions as (
    select *
    from (
        values (0, 'any'), (1, 'intrastate'), (2, 'interstate'), (3, 'indeterminate')
    ) as j (jurisdiction_no, jurisdiction)
),

known as (
    select
        rates.rate_id,
        rates.prefix,
        rates.jurisdiction,
        rates.status,
        rates.price_per_minute,
        rates.connection_fee,
        rates.valid_from,
        rates.valid_to,
        decks.deck_id,
        decks.is_jurisdictional,
        decks.is_dearest,
        length(rates.prefix) * 2 + (rates.jurisdiction <> 'any')::integer as closeness
    from rates
    inner join decks on rates.deck_code = decks.deck_code
    where {{ known_at_cutoff('rates') }}
),

dearest as (
    select
        known.*,
        known.jurisdiction in ('intrastate', 'any') as is_intrastate,
        known.jurisdiction in ('interstate', 'any') as is_interstate
    from known
    where known.is_dearest and known.jurisdiction <> 'indeterminate'
),

-- a row and every row of a prefix that it starts with, itself included
nested as (
    select
        longer.rate_id as longer_id,
        shorter.rate_id as shorter_id
    from dearest as longer
    cross join lateral generate_series(1, length(longer.prefix)) as digits (digit_count)
    inner join dearest as shorter
        on
            longer.deck_id = shorter.deck_id
            and left(longer.prefix, digits.digit_count) = shorter.prefix
            and (
                (longer.is_intrastate and shorter.is_interstate)
                or (longer.is_interstate and shorter.is_intrastate)
            )
            and longer.valid_from < shorter.valid_to
            and longer.valid_to > shorter.valid_from
),

pairs as (
    select
        longer.deck_id,
        longer.prefix,
        longer.closeness + shorter.closeness as specificity,
        case
            when {{ dearness('longer') }} > {{ dearness('shorter') }} then longer.rate_id
            when {{ dearness('longer') }} < {{ dearness('shorter') }} then shorter.rate_id
            when length(longer.prefix) > length(shorter.prefix) then longer.rate_id
            else least(longer.rate_id, shorter.rate_id)
        end as payload_id,
        greatest(longer.valid_from, shorter.valid_from) as valid_from,
        least(longer.valid_to, shorter.valid_to) as valid_to
    from nested
    inner join dearest as longer on nested.longer_id = longer.rate_id
    inner join dearest as shorter on nested.shorter_id = shorter.rate_id
)

select
    known.deck_id * 4 + jurisdictions.jurisdiction_no as scope,
    known.prefix,
    (known.jurisdiction <> 'any')::integer as specificity,
    known.rate_id as payload_id,
    known.valid_from,
    known.valid_to
from known
inner join jurisdictions
    on
        (known.is_jurisdictional and known.jurisdiction in (jurisdictions.jurisdiction, 'any'))
        or (
            not known.is_jurisdictional
            and jurisdictions.jurisdiction = 'any'
            and known.jurisdiction = 'any'
        )
where not (known.is_dearest and jurisdictions.jurisdiction = 'indeterminate')
union all
select
    pairs.deck_id * 4 + 3 as scope,
    pairs.prefix,
    pairs.specificity,
    pairs.payload_id,
    pairs.valid_from,
    pairs.valid_to
from pairs
union all
-- where the other of the two has no price at all
select
    dearest.deck_id * 4 + 3 as scope,
    dearest.prefix,
    0 as specificity,
    dearest.rate_id as payload_id,
    dearest.valid_from,
    dearest.valid_to
from dearest
where dearest.jurisdiction <> 'any'
