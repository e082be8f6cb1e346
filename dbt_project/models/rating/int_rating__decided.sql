-- Grain: one row per usage leg of the current run, with the reason it is not billed (null: billed)
-- and the amounts rounded, once, by plan and cost deck. Of records whose supplier has priced them
-- both prices are worked out: the one that is charged and the other one.
{{ config(post_hook="{{ evaluate_once() }}") }}
{%- set with_pre_rated = has_pre_rated() %}
{%- set by_deck = 'not priced.is_by_supplier and' if with_pre_rated else '' %}

with gross as (
    select
        leg.*,
        {%- if with_pre_rated %}
        coalesce(
            leg.rating_mode = 'pre_rated' and leg.leg_no = 1 and leg.pre_rated_price = 'supplier',
            false
        ) as is_by_supplier,
        {{ marked_up('leg') }} as marked_up_amount,
        case
            when
                leg.rating_mode = 'pre_rated' and leg.leg_no = 1
                and leg.pre_rated_price = 'supplier'
                then {{ marked_up('leg') }}
            else leg.retail_gross_amount
        end as charged_gross_amount,
        case
            when leg.pre_rated_price = 'supplier' then leg.retail_gross_amount
            else {{ marked_up('leg') }}
        end as other_gross_amount
        {%- else %}
        leg.retail_gross_amount as charged_gross_amount
        {%- endif %}
    from {{ ref('int_rating__priced_by_period') }} as leg
),

priced as (
    select
        gross.*,
        {%- if with_pre_rated %}
        {{ discounted('gross', 'gross.other_gross_amount') }} as other_unrounded_amount,
        {%- endif %}
        {{ discounted('gross', 'gross.charged_gross_amount') }} as retail_unrounded_amount
    from gross
)

select
    priced.*,
    case
        when priced.service_id is null then 'service_not_found'
        when priced.is_without_account then 'account_not_found'
        when priced.rating_mode = 'none' and {{ is_rule_enabled('information_only_source') }}
            then 'information_only_source'
        when priced.plan_id is null then 'no_plan'
        when priced.is_undelivered and {{ is_rule_enabled('not_delivered') }} then 'not_delivered'
        when priced.supplier_error is not null then priced.supplier_error
        when priced.is_network_unknown then 'unknown_network'
        when
            {{ by_deck }}
            priced.direction = 'inbound'
            and priced.usage_type = 'voice'
            and priced.retail_deck_id is null
            and priced.is_zone_unpriced is not true
            and {{ is_rule_enabled('inbound_included') }}
            then 'inbound_included'
        when
            {{ by_deck }}
            priced.direction = 'inbound'
            and priced.usage_type = 'sms'
            and priced.retail_deck_id is null
            and priced.has_sms
            and priced.is_zone_unpriced is not true
            and {{ is_rule_enabled('inbound_included') }}
            then 'inbound_included'
        when {{ by_deck }} priced.retail_status is null then 'missing_rate'
        when {{ by_deck }} priced.retail_status = 'blocked' then 'destination_blocked'
    end as reason,
    {%- if with_pre_rated %}
    case
        when priced.supplier_amount is not null
            then {{ rounded_by_plan(
                'priced', 'priced.other_gross_amount', 'priced.other_unrounded_amount'
            ) }}
    end as compared_amount,
    {%- endif %}
    {{ rounded_by_plan(
        'priced', 'priced.charged_gross_amount', 'priced.retail_unrounded_amount'
    ) }} as retail_priced_amount,
    (
        {%- if with_pre_rated %}
        case
            when priced.supplier_amount is not null
                then priced.supplier_amount * priced.cost_multiplier
            else
        {%- endif %}
        {{ round_to(
            'priced.cost_gross_amount', 'priced.cost_decimals', 'priced.cost_rounding_unit',
            'priced.cost_mode'
        ) }}
        {{ 'end' if with_pre_rated }}
    )::numeric(28, 14) as cost_amount
from priced
