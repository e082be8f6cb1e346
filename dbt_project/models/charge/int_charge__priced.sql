-- Grain: one row per charge line of the current run, with its tariff row and unrounded price.
with charges as (
    select * from {{ ref('int_charge__matched') }}
),

services as (
    select * from {{ ref('int_reference__services') }}
),

accounts as (
    select * from {{ ref('int_reference__accounts') }}
),

tariffs as (
    select * from {{ source('reference', 'charge_tariff') }}
),

tariffed as (
    select
        charges.*,
        accounts.account_id,
        coalesce(accounts.time_zone, 'UTC') as account_zone,
        coalesce(accounts.anchor_day, 1) as anchor_day,
        tariffs.product_name,
        tariffs.charge_class,
        tariffs.price_mode,
        tariffs.unit_price,
        tariffs.markup_percent,
        tariffs.proration,
        tariffs.currency_code as tariff_currency,
        tariffs.rounding_decimals,
        tariffs.rounding_mode,
        tariffs.usf_category,
        tariffs.usf_jurisdiction,
        tariffs.usf_safe_harbour,
        extract(
            day from date_trunc('month', charges.period_from) + interval '1 month - 1 day'
        )::integer as month_days
    from charges
    left join services
        on
            charges.service_id = services.service_id
            and charges.charged_at >= services.valid_from
            and charges.charged_at < services.valid_to
    left join accounts
        on
            services.account_id = accounts.account_id
            and charges.charged_at >= accounts.valid_from
            and charges.charged_at < accounts.valid_to
    left join tariffs
        on
            charges.charge_tariff_code = tariffs.charge_tariff_code
            and charges.product_code = tariffs.product_code
            and charges.charged_at >= tariffs.valid_from
            and charges.charged_at < tariffs.valid_to
            and {{ known_at_cutoff('tariffs') }}
)

select
    tariffed.*,
    (case tariffed.price_mode
        when 'list'
            then
                case when tariffed.net_amount < 0 then -1 else 1 end
                * tariffed.unit_price
                * tariffed.quantity
                * case
                    when tariffed.proration = 'actual_days' and tariffed.is_for_period
                        then
                            least(
                                tariffed.period_to - tariffed.period_from + 1,
                                tariffed.month_days
                            )
                    else tariffed.month_days
                end
                / tariffed.month_days
        when 'pass_through' then tariffed.net_amount
        when 'markup' then tariffed.net_amount * (1 + tariffed.markup_percent / 100)
    end)::numeric(28, 14) as unrounded_amount
from tariffed
