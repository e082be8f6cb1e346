-- Grain: one row per usage leg of the current run, with the account that owns the service and the
-- plan of the service, else of the account, else the default plan.
-- An unmatched leg gets the default plan: what it would be worth (money at risk).
{{ config(post_hook="{{ evaluate_once() }}") }}

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
        coalesce(accounts.anchor_day, 1) as anchor_day
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
    case owned.usage_type
        when 'voice' then coalesce(plans.deck_id, default_plans.deck_id)
        when 'sms' then coalesce(plans.sms_deck_id, default_plans.sms_deck_id)
        when 'mms' then coalesce(plans.mms_deck_id, default_plans.mms_deck_id)
        when 'data' then coalesce(plans.data_deck_id, default_plans.data_deck_id)
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
