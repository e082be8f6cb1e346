-- Grain: one row per deck version, as known at the cut-off.
with decks as (
    select * from {{ source('reference', 'deck') }}
)

select
    decks.deck_id,
    decks.deck_code,
    decks.side,
    decks.currency_code,
    decks.is_jurisdictional,
    decks.minimum_seconds,
    decks.increment_seconds,
    decks.rounding_decimals,
    decks.rounding_mode,
    decks.rounding_unit,
    decks.duration_rounding,
    decks.increment_base,
    decks.minute_seconds,
    decks.grace_seconds,
    decks.included_seconds,
    decks.additional_seconds,
    decks.minimum_charge,
    decks.maximum_charge,
    decks.maximum_charge_rule,
    decks.cap_period_seconds,
    decks.valid_from,
    decks.valid_to
from decks
where {{ known_at_cutoff('decks') }}
