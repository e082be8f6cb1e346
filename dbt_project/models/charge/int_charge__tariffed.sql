-- Grain: one row per charge line of the current run, with its account and the one price that holds:
-- that of the service, else of the account, of its bill group, of everybody; a row of the product
-- before a markup rule (product *). Of the price's own scope the database admits one row at a time.
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
    select *
    from {{ source('reference', 'charge_tariff') }} as tariff
    where {{ known_at_cutoff('tariff') }}
),

starts as (
    select
        services.service_id,
        min(services.valid_from) as started_at
    from services
    group by services.service_id
),

owned as (
    select
        charges.*,
        accounts.account_id,
        accounts.account_code,
        accounts.bill_group,
        services.service_code,
        coalesce(accounts.time_zone, 'UTC') as account_zone,
        coalesce(accounts.anchor_day, 1) as anchor_day,
        starts.started_at
    from charges
    left join services
        on
            charges.service_id = services.service_id
            and charges.charged_at >= services.valid_from
            and charges.charged_at < services.valid_to
    left join starts on services.service_id = starts.service_id
    left join accounts
        on
            services.account_id = accounts.account_id
            and charges.charged_at >= accounts.valid_from
            and charges.charged_at < accounts.valid_to
)

select distinct on (owned.file_id, owned.line_no)
    owned.*,
    tariffs.product_name,
    tariffs.charge_class,
    tariffs.price_mode,
    tariffs.price_scope,
    tariffs.unit_price,
    tariffs.markup_percent,
    tariffs.markup_floor,
    tariffs.margin_percent,
    tariffs.add_on_amount,
    tariffs.percentage,
    tariffs.event_fee,
    tariffs.free_events,
    tariffs.free_total,
    tariffs.minimum_price,
    tariffs.maximum_price,
    tariffs.price_point,
    tariffs.proration,
    tariffs.fee_period,
    tariffs.fee_period_days,
    tariffs.fee_period_count,
    tariffs.days_in_month,
    tariffs.full_month_rule,
    tariffs.end_rule,
    tariffs.trial_days,
    tariffs.invoice_timing,
    tariffs.currency_code as tariff_currency,
    tariffs.rounding_level,
    tariffs.rounding_decimals,
    tariffs.rounding_mode,
    tariffs.usf_category,
    tariffs.usf_jurisdiction,
    tariffs.usf_safe_harbour
from owned
left join tariffs
    on
        owned.charge_tariff_code = tariffs.charge_tariff_code
        and tariffs.product_code in (owned.product_code, '*')
        and owned.charged_at >= tariffs.valid_from
        and owned.charged_at < tariffs.valid_to
        and (
            tariffs.price_scope = 'list'
            or (tariffs.price_scope = 'service' and owned.service_code = tariffs.scope_code)
            or (tariffs.price_scope = 'account' and owned.account_code = tariffs.scope_code)
            or (tariffs.price_scope = 'group' and owned.bill_group = tariffs.scope_code)
        )
order by
    owned.file_id asc,
    owned.line_no asc,
    tariffs.product_code = '*' asc,
    array_position(array['service', 'account', 'group', 'list'], tariffs.price_scope) asc
