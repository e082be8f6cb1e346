-- Grain: one row per usage leg of the current run, with the reason it is not billed (null: billed)
-- and the amounts rounded, once, by plan and cost deck.
{{ config(post_hook="{{ evaluate_once() }}") }}

with priced as (
    select
        gross.*,
        case
            when gross.discount_percent > 0
                then
                    (gross.retail_gross_amount * (1 - gross.discount_percent / 100))
                    ::numeric(28, 14)
            else gross.retail_gross_amount
        end as retail_unrounded_amount
    from {{ ref('int_rating__priced') }} as gross
)

select
    priced.*,
    case
        when priced.service_id is null then 'service_not_found'
        when priced.is_without_account then 'account_not_found'
        when priced.rating_mode = 'none' and {{ is_rule_enabled('information_only_source') }}
            then 'information_only_source'
        when priced.plan_id is null then 'no_plan'
        when
            priced.direction = 'inbound'
            and priced.usage_type = 'voice'
            and priced.retail_deck_id is null
            and {{ is_rule_enabled('inbound_included') }}
            then 'inbound_included'
        when
            priced.direction = 'inbound'
            and priced.usage_type = 'sms'
            and priced.retail_deck_id is null
            and priced.has_sms
            and {{ is_rule_enabled('inbound_included') }}
            then 'inbound_included'
        when priced.retail_status is null then 'missing_rate'
        when priced.retail_status = 'blocked' then 'destination_blocked'
    end as reason,
    (
        case
            when
                priced.rounding_level = 'call'
                and priced.discount_percent > 0
                and priced.rounding_place = 'before_discount'
                then
                    (1 - priced.discount_percent / 100)
                    * {{ round_to(
                        'priced.retail_gross_amount', 'priced.rounding_decimals',
                        'priced.rounding_unit', 'priced.rounding_mode'
                    ) }}
            when priced.rounding_level = 'call'
                then
                    {{ round_to(
                        'priced.retail_unrounded_amount', 'priced.rounding_decimals',
                        'priced.rounding_unit', 'priced.rounding_mode'
                    ) }}
            else priced.retail_unrounded_amount
        end
    )::numeric(28, 14) as retail_priced_amount,
    (
        {{ round_to(
            'priced.cost_gross_amount', 'priced.cost_decimals', 'priced.cost_rounding_unit',
            'priced.cost_mode'
        ) }}
    )::numeric(28, 14) as cost_amount
from priced
