-- Grain: one row per usage leg of the current run, with the account that owns the service and the
-- plan of the service, else of the account, else the default plan.
-- An unmatched leg gets the default plan: what it would be worth (money at risk).
-- A re-rating may name another deck for its legs (control.deck_choice).
-- Abroad, the zone of the visited network has decks of its own; asked only where there are any.
{{ config(post_hook="{{ evaluate_once() }}") }}
{%- set with_roaming = reference_kinds_present(['visited_network']) %}
{%- set with_pre_rated = has_pre_rated() %}
{%- set with_choices = has_changes('deck') %}

with legs as (
    select * from {{ ref('int_usage__classified') }}
),

services as (
    select * from {{ ref('int_reference__services') }}
),

accounts as (
    select * from {{ ref('int_reference__accounts') }}
),

plans as (
    select * from {{ ref('int_reference__plans') }}
),

default_plans as (
    select * from {{ ref('int_reference__plans') }}
    where is_default
),
{%- if with_roaming %}

networks as (
    select *
    from {{ source('reference', 'visited_network') }} as network
    where {{ known_at_cutoff('network') }}
),

roaming_decks as (
    select * from {{ ref('int_reference__roaming') }}
),
{%- endif %}

owned as (
    select
        legs.*,
        accounts.account_id,
        accounts.account_id is null as is_without_account,
        coalesce(services.plan_code, accounts.plan_code) as own_plan_code,
        case
            when services.plan_code is not null then 'service'
            when accounts.plan_code is not null then 'account'
        end as own_plan_source,
        coalesce(accounts.time_zone, 'UTC') as account_zone,
        coalesce(accounts.anchor_day, 1) as anchor_day,
        case
            when accounts.is_period_by_end
                then
                    legs.started_at
                    + make_interval(secs => coalesce(legs.duration_seconds, 0)::double precision)
            else legs.started_at
        end as period_at
    from legs
    left join services
        on
            legs.service_id = services.service_id
            and legs.started_at >= services.valid_from
            and legs.started_at < services.valid_to
    left join accounts
        on
            services.account_id = accounts.account_id
            and legs.started_at >= accounts.valid_from
            and legs.started_at < accounts.valid_to
)

select
    owned.*,
    coalesce(plans.plan_id, default_plans.plan_id) as plan_id,
    case
        when plans.plan_id is not null then owned.own_plan_source
        when default_plans.plan_id is not null then 'default'
    end as plan_source,
    {%- if with_roaming %}
    nullif(networks.zone_code, 'home') as zone_code,
    owned.visited_network is not null and networks.zone_code is null as is_network_unknown,
    networks.zone_code <> 'home' and roaming_decks.zone_code is null as is_zone_unpriced,
    {%- else %}
    null::text as zone_code,
    false as is_network_unknown,
    false as is_zone_unpriced,
    {%- endif %}
    {%- if with_pre_rated %}
    coalesce(plans.pre_rated_price, default_plans.pre_rated_price) as pre_rated_price,
    coalesce(plans.charge_multiplier, default_plans.charge_multiplier) as charge_multiplier,
    coalesce(plans.markup_percent, default_plans.markup_percent) as markup_percent,
    coalesce(plans.markup_floor, default_plans.markup_floor) as markup_floor,
    coalesce(plans.markup_fee, default_plans.markup_fee) as markup_fee,
    {%- endif %}
    case
        {%- if with_choices %}
        when choice.retail_deck_id is not null then choice.retail_deck_id
        {%- endif %}
        {%- if with_roaming %}
        when networks.zone_code <> 'home' then roaming_decks.deck_id
        {%- endif %}
        when owned.usage_type = 'voice' then coalesce(plans.deck_id, default_plans.deck_id)
        when owned.usage_type = 'sms' then coalesce(plans.sms_deck_id, default_plans.sms_deck_id)
        when owned.usage_type = 'mms' then coalesce(plans.mms_deck_id, default_plans.mms_deck_id)
        when owned.usage_type = 'data' then coalesce(plans.data_deck_id, default_plans.data_deck_id)
    end as retail_deck_id,
    coalesce(plans.has_sms, default_plans.has_sms) as has_sms,
    coalesce(plans.duration_rounding, default_plans.duration_rounding) as duration_rounding,
    coalesce(plans.increment_base, default_plans.increment_base) as increment_base,
    coalesce(plans.rounding_level, default_plans.rounding_level) as rounding_level,
    coalesce(plans.rounding_decimals, default_plans.rounding_decimals) as rounding_decimals,
    coalesce(plans.rounding_mode, default_plans.rounding_mode) as rounding_mode,
    coalesce(plans.rounding_unit, default_plans.rounding_unit) as rounding_unit,
    coalesce(plans.rounding_place, default_plans.rounding_place) as rounding_place,
    coalesce(plans.discount_percent, default_plans.discount_percent) as discount_percent
from owned
left join plans
    on
        owned.own_plan_code = plans.plan_code
        and owned.direction = plans.direction
        and owned.started_at >= plans.valid_from
        and owned.started_at < plans.valid_to
left join default_plans
    on
        owned.own_plan_code is null
        and owned.direction = default_plans.direction
        and owned.started_at >= default_plans.valid_from
        and owned.started_at < default_plans.valid_to
{%- if with_choices %}
{{ join_deck_choice('owned') }}
{%- endif %}
{%- if with_roaming %}
left join networks
    on
        owned.visited_network = networks.network_code
        and owned.started_at >= networks.valid_from
        and owned.started_at < networks.valid_to
left join roaming_decks
    on
        coalesce(plans.plan_code, default_plans.plan_code) = roaming_decks.plan_code
        and networks.zone_code = roaming_decks.zone_code
        and owned.usage_type = roaming_decks.usage_type
        and owned.direction = roaming_decks.direction
        and owned.started_at >= roaming_decks.valid_from
        and owned.started_at < roaming_decks.valid_to
{%- endif %}
