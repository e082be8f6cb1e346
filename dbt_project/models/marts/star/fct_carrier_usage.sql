-- Grain: one row per usage leg that a carrier sent or charges for: fct_rated_usage as the carrier
-- sees it, with what it costs us and nothing of what customers pay.
with usage_legs as (
    select * from {{ ref('fct_rated_usage') }}
),

sources as (
    select * from {{ ref('dim_source') }}
),

decks as (
    select * from {{ ref('dim_deck') }}
)

select
    usage_legs.usage_id,
    usage_legs.leg_no,
    coalesce(decks.carrier_code, sources.carrier_code)::text as carrier_code,
    sources.source_code::text as source_code,
    usage_legs.usage_type,
    usage_legs.direction,
    usage_legs.started_at,
    usage_legs.usage_date,
    usage_legs.billable_seconds,
    usage_legs.calling_number_masked,
    usage_legs.called_number_masked,
    usage_legs.disposition,
    usage_legs.state,
    usage_legs.reason,
    usage_legs.cost_status,
    decks.deck_code::text as cost_deck_code,
    usage_legs.cost_prefix,
    usage_legs.cost_jurisdiction,
    usage_legs.cost_billed_seconds,
    usage_legs.cost_price_per_minute,
    usage_legs.cost_amount,
    usage_legs.cost_currency_code,
    usage_legs.supplier_amount,
    usage_legs.supplier_currency_code,
    usage_legs.period_month
from usage_legs
inner join sources on usage_legs.source_id = sources.source_id
left join decks on usage_legs.cost_deck_id = decks.deck_id
