-- Grain: one row per usage leg of the current run, with the two tariff rows that hold at the start
-- of the call: retail by the plan's deck, cost by the source's carrier deck.
{{ config(post_hook="{{ evaluate_once() }}") }}

with planned as (
    select * from {{ ref('int_rating__planned') }}
),

-- one import for each use: a CTE used twice is materialized, and then nothing runs in parallel
retail_decks as (
    select * from {{ ref('int_reference__decks') }}
),

cost_decks as (
    select * from {{ ref('int_reference__decks') }}
),

retail_rates as (
    select * from {{ ref('int_reference__rates') }}
),

cost_rates as (
    select * from {{ ref('int_reference__rates') }}
),

scoped as (
    select
        planned.*,
        planned.retail_deck_id * 4 + {{ jurisdiction_scope('planned', 'retail_decks') }}
            as retail_scope,
        retail_decks.currency_code as retail_currency,
        case
            when planned.direction = 'outbound'
                then planned.cost_deck_id * 4 + {{ jurisdiction_scope('planned', 'cost_decks') }}
        end as cost_scope,
        cost_decks.currency_code as cost_currency,
        cost_decks.rounding_decimals as cost_decimals,
        cost_decks.rounding_mode as cost_mode,
        cost_decks.rounding_unit as cost_rounding_unit,
        cost_decks.duration_rounding as cost_duration_rounding,
        cost_decks.increment_base as cost_increment_base
    from planned
    left join retail_decks
        on
            planned.retail_deck_id = retail_decks.deck_id
            and planned.started_at >= retail_decks.valid_from
            and planned.started_at < retail_decks.valid_to
    left join cost_decks
        on
            planned.cost_deck_id = cost_decks.deck_id
            and planned.started_at >= cost_decks.valid_from
            and planned.started_at < cost_decks.valid_to
)

select
    scoped.*,
    retail_rates.rate_id as retail_rate_id,
    retail_rates.prefix as retail_prefix,
    retail_rates.status as retail_status,
    retail_rates.price_per_minute as retail_price_per_minute,
    retail_rates.connection_fee as retail_connection_fee,
    retail_rates.minimum_seconds as retail_minimum,
    retail_rates.increment_seconds as retail_increment,
    retail_rates.terms_id as retail_terms_id,
    cost_rates.rate_id as cost_rate_id,
    cost_rates.prefix as cost_prefix,
    cost_rates.status as cost_rate_status,
    cost_rates.price_per_minute as cost_price_per_minute,
    cost_rates.connection_fee as cost_connection_fee,
    cost_rates.minimum_seconds as cost_minimum,
    cost_rates.increment_seconds as cost_increment,
    cost_rates.terms_id as cost_terms_id,
    {{ whole_seconds('scoped.billable_seconds', 'scoped.duration_rounding') }}
        as retail_whole_seconds,
    {{ whole_seconds('scoped.billable_seconds', 'scoped.cost_duration_rounding') }}
        as cost_whole_seconds
from scoped
left join retail_rates
    on
        {{ interval_of('rate', 'scoped.retail_scope', 'scoped.rated_number') }}
        = retail_rates.interval_no
        and scoped.started_at >= retail_rates.valid_from
        and scoped.started_at < retail_rates.valid_to
        and scoped.rated_number >= retail_rates.from_number
        and scoped.rated_number < retail_rates.to_number
left join cost_rates
    on
        {{ interval_of('rate', 'scoped.cost_scope', 'scoped.rated_number') }}
        = cost_rates.interval_no
        and scoped.started_at >= cost_rates.valid_from
        and scoped.started_at < cost_rates.valid_to
        and scoped.rated_number >= cost_rates.from_number
        and scoped.rated_number < cost_rates.to_number
