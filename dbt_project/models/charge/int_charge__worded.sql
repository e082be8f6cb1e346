-- Grain: one row per charge line (SDR) that counts, with its explanation in sentences that a person
-- who is asked about the charge can read out.
with charges as (
    select * from {{ ref('int_charge__explained') }}
)

select
    charges.*,
    concat(
        upper(left(charges.charge_type, 1)), replace(substr(charges.charge_type, 2), '_', ' '),
        ' charge of the carrier: ' || {{ plain('charges.cost_amount') }},
        ' ' || charges.cost_currency_code,
        ' for ' || {{ plain('nullif(charges.quantity, 1)') }},
        ' ' || coalesce(charges.description, charges.product_code),
        ', ' || charges.period_from,
        ' to ' || nullif(charges.period_to, charges.period_from)
    ) as record_words,
    {{ outcome_in_words('charges', 'charge_amount') }}
    || coalesce('; the last owner was service ' || charges.ceased_service_code, '')
        as outcome_words,
    'Service ' || charges.service_code || concat(
        case when charges.account_id <> 0 then ' of ' || charges.customer_name end,
        ': found by ' || replace(charges.match_method, '_', ' ')
    ) as service_words,
    case
        when charges.price_mode is not null
            then concat(
                'Tariff ', charges.charge_tariff_code, ', ',
                case charges.tariff_product_code
                    when '*' then 'the rule for products without a price'
                    else 'product ' || charges.tariff_product_code
                end,
                case charges.price_scope
                    when 'list' then ', for everybody'
                    else ', for the ' || charges.price_scope
                end,
                case charges.price_mode
                    when 'list' then ': ' || {{ plain('charges.list_price') }} || ' each'
                    when 'pass_through' then ': the cost as it is'
                    when 'markup'
                        then ': the cost and ' || {{ plain('charges.markup_percent') }} || ' %'
                    when 'margin'
                        then
                            ': the cost is all but ' || {{ plain('charges.margin_percent') }}
                            || ' % of the price'
                    when 'percentage'
                        then concat(
                            ': ', charges.event_terms ->> 'percentage', ' % of it',
                            ' and ' || nullif(charges.event_terms ->> 'event_fee', '0')
                        )
                    when 'add_on' then ': the cost and ' || {{ plain('charges.add_on_amount') }}
                    else ': ' || charges.price_mode
                end
            )
    end as price_words,
    case
        when charges.charge_amount is not null
            then concat(
                case when charges.cost_amount < 0 then 'Back: ' end,
                {{ plain('charges.quantity') }}, ' x ', {{ plain('charges.unit_price') }},
                case
                    when charges.charged_part <> 1
                        then concat(
                            ' x ', {{ plain('round(charges.charged_part, 10)') }},
                            ' (the part from ', charges.charged_from, ' to ', charges.charged_to,
                            ', by ' || replace(charges.proration, '_', ' '), ')'
                        )
                end,
                ' = ', {{ plain('abs(charges.unrounded_amount)') }}, '; ',
                {{ rounding_in_words(
                    'charges.rounding_decimals', 'null::numeric', 'charges.rounding_mode'
                ) }},
                case when charges.rounding_level = 'unit' then ' for each unit' end,
                ': ', {{ plain('charges.charge_amount') }}, ' ', charges.currency_code
            )
    end as charge_words,
    {{ plain('charges.margin_amount') }} || ' ' || charges.cost_currency_code as margin_words
from charges
