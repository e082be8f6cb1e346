-- Grain: one row per usage leg of the current run, with the two tariff rows that hold at the start
-- of the call: retail by the plan's deck, cost by the source's carrier deck.
-- Local calling areas and location routing numbers are looked at only where there are any.
{{ config(post_hook="{{ evaluate_once() }}") }}
{%- set with_pairs = reference_kinds_present(['local_calling_area']) %}
{%- set with_lrn = has_lrn() %}
{%- set local_pair = 'local_pairs' if with_pairs else none %}

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

{%- if with_pairs %}

local_pairs as (
    select * from {{ ref('int_reference__local_pairs') }}
),
{%- endif %}

scoped as (
    select
        planned.*,
        {{ deck_scope('planned', 'retail_decks', 'planned.retail_deck_id', local_pair) }}
            as retail_scope,
        retail_decks.is_jurisdictional as retail_is_jurisdictional,
        {{ 'local_pairs.calling_area_code is not null' if with_pairs else 'false' }} as is_local,
        {{ number_for_deck('planned', 'retail_decks', with_lrn) }} as retail_number,
        {{ number_for_deck('planned', 'cost_decks', with_lrn) }} as cost_number,
        {{ quantity_for_deck('planned', 'retail_decks') }} as retail_quantity,
        {{ quantity_for_deck('planned', 'cost_decks') }} as cost_quantity,
        {{ is_undelivered('planned', 'retail_decks') }} as is_undelivered,
        retail_decks.calling_area_code is not null
        and planned.calling_centre_no is not null
        and planned.called_centre_no is not null as is_local_known,
        retail_decks.currency_code as retail_currency,
        case
            when
                planned.direction = 'outbound'
                and planned.usage_type = cost_decks.usage_type
                and {{ is_undelivered('planned', 'cost_decks') }} is null
                then {{ deck_scope('planned', 'cost_decks', 'planned.cost_deck_id', none) }}
        end as cost_scope,
        cost_decks.is_jurisdictional as cost_is_jurisdictional,
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
    {%- if with_pairs %}
    left join local_pairs
        on
            retail_decks.calling_area_code = local_pairs.calling_area_code
            and planned.calling_centre_no = local_pairs.from_centre_no
            and planned.called_centre_no = local_pairs.to_centre_no
            and planned.direction = 'outbound'
            and planned.started_at >= local_pairs.valid_from
            and planned.started_at < local_pairs.valid_to
    {%- endif %}
)

select
    scoped.*,
    scoped.retail_number as retail_rated_number,
    scoped.cost_number as cost_rated_number,
    {{ read_jurisdiction('scoped.retail') }} as retail_jurisdiction,
    {{ read_jurisdiction('scoped.cost') }} as cost_jurisdiction,
    retail_rates.interval_no as retail_interval_no,
    retail_rates.rate_id as retail_rate_id,
    retail_rates.prefix as retail_prefix,
    retail_rates.status as retail_status,
    retail_rates.price_per_minute as retail_price_per_minute,
    retail_rates.connection_fee as retail_connection_fee,
    retail_rates.minimum_seconds as retail_minimum,
    retail_rates.increment_seconds as retail_increment,
    retail_rates.terms_id as retail_terms_id,
    cost_rates.interval_no as cost_interval_no,
    cost_rates.rate_id as cost_rate_id,
    cost_rates.prefix as cost_prefix,
    cost_rates.status as cost_rate_status,
    cost_rates.price_per_minute as cost_price_per_minute,
    cost_rates.connection_fee as cost_connection_fee,
    cost_rates.minimum_seconds as cost_minimum,
    cost_rates.increment_seconds as cost_increment,
    cost_rates.terms_id as cost_terms_id,
    {{ whole_seconds('scoped.retail_quantity', 'scoped.duration_rounding') }}
        as retail_whole_seconds,
    {{ fraction_left('scoped.retail_quantity', 'scoped.duration_rounding') }} as retail_fraction,
    {{ whole_seconds('scoped.cost_quantity', 'scoped.cost_duration_rounding') }}
        as cost_whole_seconds,
    {{ fraction_left('scoped.cost_quantity', 'scoped.cost_duration_rounding') }} as cost_fraction
from scoped
left join retail_rates
    on
        {{ interval_of('rate', 'scoped.retail_scope', 'scoped.retail_number') }}
        = retail_rates.interval_no
        and scoped.started_at >= retail_rates.valid_from
        and scoped.started_at < retail_rates.valid_to
        and scoped.retail_number >= retail_rates.from_number
        and scoped.retail_number < retail_rates.to_number
left join cost_rates
    on
        {{ interval_of('rate', 'scoped.cost_scope', 'scoped.cost_number') }}
        = cost_rates.interval_no
        and scoped.started_at >= cost_rates.valid_from
        and scoped.started_at < cost_rates.valid_to
        and scoped.cost_number >= cost_rates.from_number
        and scoped.cost_number < cost_rates.to_number
