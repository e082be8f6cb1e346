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
        {{ is_by_supplier('leg') }} as is_by_supplier,
        {{ other_gross_amount('leg') }} as other_gross_amount,
        {%- endif %}
        {{ charged_gross_amount('leg', with_pre_rated) }} as charged_gross_amount
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
    {{ cost_rounded('priced', with_pre_rated) }} as cost_amount
from priced
