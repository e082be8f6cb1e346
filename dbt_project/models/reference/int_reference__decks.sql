-- Grain: one row per deck version, as known at the cut-off.
with decks as (
    select * from {{ source('reference', 'deck') }}
),

operator_decks as (
    select distinct
        deck.deck_id,
        deck.deck_code
    from {{ source('reference', 'deck') }} as deck
),

local_decks as (
    select distinct
        deck.deck_id,
        deck.deck_code
    from {{ source('reference', 'deck') }} as deck
),

-- decks with a price of their own for directory assistance of an area code
directory_decks as (
    select distinct rate.deck_code
    from {{ source('reference', 'rate') }} as rate
    where
        rate.prefix = '1411'
        and {{ known_at_cutoff('rate') }}
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
    decks.usage_type,
    decks.unit_bytes,
    decks.grace_seconds,
    decks.included_seconds,
    decks.additional_seconds,
    decks.minimum_charge,
    decks.maximum_charge,
    decks.maximum_charge_rule,
    decks.cap_period_seconds,
    decks.calendar_code,
    decks.straddle_policy,
    decks.part_rounding,
    decks.price_change_policy,
    decks.increment_amount_decimals,
    decks.increment_amount_mode,
    decks.data_rounding,
    nullif(decks.message_count, 'stated') as message_count,
    case when decks.message_billing = 'delivered' then true end as is_delivered_only,
    directory_decks.deck_code is not null as has_directory_rows,
    decks.indeterminate_policy,
    -- scopes of int_reference__rate_rows: 0 any, 1 intrastate, 2 interstate, 3 indeterminate
    case decks.indeterminate_policy when 'intrastate' then 1 when 'interstate' then 2 else 3 end
        as indeterminate_scope,
    {{ policy_scope('decks.canada_policy') }} as canada_scope,
    {{ policy_scope('decks.foreign_origin_policy') }} as foreign_origin_scope,
    case decks.territory_policy
        when 'indeterminate'
            then
                case decks.indeterminate_policy
                    when 'intrastate' then 1
                    when 'interstate' then 2
                    else 3
                end
    end as territory_scope,
    decks.lrn_policy in ('rate', 'both') as is_rated_by_lrn,
    decks.lrn_policy in ('jurisdiction', 'both') as is_placed_by_lrn,
    operator_decks.deck_id as operator_deck_id,
    local_decks.deck_id as local_deck_id,
    decks.calling_area_code,
    decks.valid_from,
    decks.valid_to
from decks
left join operator_decks on decks.operator_deck_code = operator_decks.deck_code
left join local_decks on decks.local_deck_code = local_decks.deck_code
left join directory_decks on decks.deck_code = directory_decks.deck_code
where {{ known_at_cutoff('decks') }}
