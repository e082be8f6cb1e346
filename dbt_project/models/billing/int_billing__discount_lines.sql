-- Grain: one row per account, billing period and discount: what it takes off the converted lines.
-- All discounts of an invoice are worked out on the same lines.
{{ config(materialized='work_table') }}

with periods as (
    select
        months.account_id,
        months.period_month,
        months.period_start_at,
        months.period_end_at,
        accounts.account_code,
        accounts.currency_code,
        accounts.exchange_source
    from {{ ref('int_billing__months') }} as months
    inner join {{ ref('int_billing__accounts') }} as accounts
        on months.account_id = accounts.account_id
),

discounts as (
    select distinct on (periods.account_id, periods.period_month, discount.discount_code)
        periods.*,
        discount.discount_code,
        discount.discount_name,
        discount.percent,
        discount.amount,
        discount.currency_code as discount_currency,
        discount.line_kinds,
        discount.charge_classes,
        discount.rounding_decimals,
        discount.rounding_mode
    from periods
    inner join {{ source('reference', 'discount') }} as discount
        on {{ in_force_at_end('discount', 'periods.period_end_at') }}
    left join {{ ref('int_billing__account_plans') }} as account_plans
        on
            periods.account_id = account_plans.account_id
            and discount.price_scope = 'plan'
            and discount.scope_code = account_plans.plan_code
    where
        {{ known_to_invoice_run('discount') }}
        and case discount.price_scope
            when 'account' then discount.scope_code = periods.account_code
            when 'plan' then account_plans.plan_code is not null
            else true
        end
    order by
        periods.account_id asc,
        periods.period_month asc,
        discount.discount_code asc,
        array_position(array['account', 'plan', 'list'], discount.price_scope) asc,
        discount.scope_code asc
),

based as (
    select
        discounts.account_id,
        discounts.period_month,
        discounts.discount_code,
        count(*) as line_count,
        sum(lines.record_count) as record_count,
        sum(lines.line_amount) as base_amount
    from discounts
    inner join {{ ref('int_billing__converted_lines') }} as lines
        on
            discounts.account_id = lines.account_id
            and discounts.period_month = lines.period_month
            and discounts.currency_code = lines.currency_code
            and {{ is_listed('lines.line_kind', 'discounts.line_kinds') }}
            and {{ is_listed('lines.charge_class', 'discounts.charge_classes') }}
    group by discounts.account_id, discounts.period_month, discounts.discount_code
),

valued as (
    select
        discounts.*,
        based.record_count,
        based.base_amount,
        rates.end_rate,
        case
            when discounts.percent is not null
                then based.base_amount * discounts.percent / 100
            -- without an exchange rate it stays in its currency, and the invoice is held
            when discounts.discount_currency <> discounts.currency_code and rates.end_rate is null
                then discounts.amount
            else
                least(
                    discounts.amount
                    * case
                        when discounts.discount_currency = discounts.currency_code then 1
                        else rates.end_rate
                    end,
                    greatest(based.base_amount, 0)
                )
        end as exact_amount,
        case
            when
                discounts.percent is null
                and discounts.discount_currency <> discounts.currency_code
                and rates.end_rate is null
                then discounts.discount_currency
            else discounts.currency_code
        end as line_currency
    from discounts
    inner join based
        on
            discounts.account_id = based.account_id
            and discounts.period_month = based.period_month
            and discounts.discount_code = based.discount_code
    left join {{ ref('int_billing__conversion_rates') }} as rates
        on
            discounts.discount_currency = rates.from_currency
            and discounts.currency_code = rates.to_currency
            and discounts.exchange_source = rates.exchange_source
            and discounts.period_start_at = rates.period_start_at
            and discounts.period_end_at = rates.period_end_at
)

select
    valued.account_id,
    valued.period_month,
    'discount' as line_kind,
    case
        when valued.charge_classes ~ '^[^ ]+$' then valued.charge_classes
        else 'discount'
    end as charge_class,
    valued.discount_code as product_code,
    valued.discount_name as description,
    null::integer as plan_id,
    valued.line_currency as currency_code,
    valued.record_count,
    null::numeric as quantity,
    null::text as unit,
    -valued.exact_amount::numeric(28, 14) as unrounded_amount,
    {{ round_money('-valued.exact_amount', 'valued.rounding_decimals', 'valued.rounding_mode') }}
    ::numeric(28, 14) as line_amount,
    jsonb_strip_nulls(jsonb_build_object(
        'base_amount', valued.base_amount,
        'percent', valued.percent,
        'amount', valued.amount,
        'amount_currency', case when valued.percent is null then valued.discount_currency end,
        'exchange_rate', case when valued.percent is null then valued.end_rate end,
        'problem',
        case
            when valued.line_currency <> valued.currency_code
                then {{ no_exchange_rate('valued.line_currency', 'valued.currency_code',
                    'valued.exchange_source') }}
        end
    )) as detail
from valued
where valued.exact_amount <> 0
