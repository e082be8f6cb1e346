-- Grain: one row per usage leg of the current run, with the reason it is not billed (null: billed)
-- and the amounts rounded, once, by plan and cost deck.
{{ config(post_hook="{{ evaluate_once() }}") }}

with priced as (
    select * from {{ ref('int_rating__priced') }}
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
        when priced.retail_status is null then 'missing_rate'
        when priced.retail_status = 'blocked' then 'destination_blocked'
    end as reason,
    (
        case
            when priced.rounding_level = 'call'
                then
                    {{ round_money(
                        'priced.retail_unrounded_amount', 'priced.rounding_decimals',
                        'priced.rounding_mode'
                    ) }}
            else priced.retail_unrounded_amount
        end
    )::numeric(28, 14) as retail_priced_amount,
    (
        {{ round_money(
            'priced.cost_unrounded_amount', 'priced.cost_decimals', 'priced.cost_mode'
        ) }}
    )::numeric(28, 14) as cost_amount
from priced
