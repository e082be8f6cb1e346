-- Grain: one row per usage leg that counts, with its explanation in sentences that a person who is
-- asked about the charge can read out.
with legs as (
    select * from {{ ref('int_rating__explained') }}
)

select
    legs.*,
    concat(
        case legs.usage_type
            when 'voice' then 'Call'
            when 'sms' then 'Text message'
            when 'mms' then 'Picture message'
            when 'data' then 'Data session'
            else 'Usage'
        end,
        ' from ' || coalesce(legs.calling_number::text, 'an unknown number'),
        ' to ' || coalesce(legs.called_number::text, replace(legs.number_class, '_', ' ')),
        ' at ' || {{ instant_in_words('legs.started_at') }},
        case when legs.usage_type = 'voice' then ', ' || replace(legs.disposition, '_', ' ') end,
        case
            when legs.usage_type = 'voice'
                then ', ' || {{ plain('legs.billable_seconds') }} || ' s'
        end
    ) as record_words,
    {{ outcome_in_words('legs', 'retail_amount') }} as outcome_words,
    'Service ' || legs.service_code || concat(
        case when legs.account_id <> 0 then ' of ' || legs.customer_name end,
        case legs.match_method
            when 'number' then ': it owns the number'
            when 'pattern' then ': the number falls under its pattern'
            when 'account_key' then ': the record names it by an account key'
            else ': found by ' || replace(legs.match_method, '_', ' ')
        end
    ) as service_words,
    'Plan ' || legs.plan_code || concat(
        ' (' || legs.plan_name || ')',
        case legs.plan_source
            when 'service' then ', chosen for the service'
            when 'account' then ', that of the account'
            when 'default' then ', the one of everybody who has none'
        end
    ) as plan_words,
    case
        when legs.retail_rate_id is not null
            then concat(
                'Deck ', legs.retail_deck_code, ' prices ', legs.rated_number, ' by prefix ',
                legs.retail_prefix, ' (' || nullif(legs.retail_destination_name, '') || ')',
                ', row in force ',
                {{ span_in_words('legs.retail_row_valid_from', 'legs.retail_row_valid_to') }}
            )
        when legs.price_basis = 'supplier' and legs.state = 'billed'
            then 'The plan charges by the price that the supplier gave'
        when legs.reason = 'missing_rate'
            then concat(
                'Deck ' || legs.asked_deck_code, ' has no price for '
                || coalesce(legs.rated_number::text, 'what was dialled')
            )
        when legs.reason = 'destination_blocked'
            then 'Deck ' || legs.asked_deck_code || ' blocks ' || legs.rated_number
    end as price_words,
    {{ charge_in_words('legs', 'retail') }} as charge_words,
    case legs.cost_status
        when 'missing_rate'
            then 'The carrier''s deck has no price for it: what it costs is not known'
        when 'destination_blocked'
            then 'The carrier''s deck blocks it: what it costs is not known'
        when 'pre_rated'
            then concat(
                'The supplier''s price of ', {{ plain('legs.supplier_amount') }},
                ' x ' || nullif(legs.supplier_terms ->> 'cost_multiplier', '1'),
                ' = ', {{ plain('legs.cost_amount') }}, ' ', legs.cost_currency_code
            )
        else
            'Deck ' || legs.cost_deck_code || ', prefix ' || legs.cost_prefix || ': '
            || {{ charge_in_words('legs', 'cost') }}
    end as cost_words,
    case legs.price_basis
        when 'supplier' then 'By our own deck it would be '
        when 'deck' then 'By the supplier''s price it would be '
    end || {{ plain('legs.compared_amount') }} || ' ' || legs.compared_currency_code
        as compared_words,
    case
        when legs.currency_code = legs.cost_currency_code
            then {{ plain('legs.retail_amount - legs.cost_amount') }} || ' ' || legs.currency_code
    end as margin_words
from legs
