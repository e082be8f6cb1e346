-- Grain: one row per plan version and direction it prices, as known at the cut-off.
-- deck_id, and the decks of other usage types, are null where the plan does not charge that.
with plans as (
    select * from {{ source('reference', 'plan') }}
),

decks as (
    select distinct
        deck.deck_id,
        deck.deck_code
    from {{ source('reference', 'deck') }} as deck
),

sms_decks as (
    select * from decks
),

mms_decks as (
    select * from decks
),

data_decks as (
    select * from decks
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
    sms_decks.deck_id as sms_deck_id,
    mms_decks.deck_id as mms_deck_id,
    data_decks.deck_id as data_deck_id,
    plans.sms_deck_code is not null as has_sms,
    plans.duration_rounding,
    plans.increment_base,
    plans.rounding_level,
    plans.rounding_decimals,
    plans.rounding_mode,
    plans.rounding_unit,
    plans.rounding_place,
    plans.discount_percent,
    plans.pre_rated_price,
    plans.charge_multiplier,
    plans.markup_percent,
    plans.markup_floor,
    plans.markup_fee,
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
left join sms_decks
    on
        sms_decks.deck_code
        = case directions.direction
            when 'outbound' then plans.sms_deck_code
            else plans.inbound_sms_deck_code
        end
left join mms_decks
    on directions.direction = 'outbound' and plans.mms_deck_code = mms_decks.deck_code
left join data_decks on plans.data_deck_code = data_decks.deck_code
where {{ known_at_cutoff('plans') }}
