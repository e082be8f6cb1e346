-- Grain: one row per account and surcharge that concerns its invoice, with the percentage and the
-- share in force, and the certificate of an exemption.
{{ config(materialized='work_table') }}

{% set period_month = "'" ~ current_invoice_run()['period_month'] ~ "'::date" %}

with accounts as (
    select * from {{ ref('int_billing__accounts') }}
),

surcharges as (
    select distinct on (accounts.account_id, surcharge.surcharge_code)
        accounts.account_id,
        accounts.account_code,
        accounts.is_reseller,
        accounts.currency_code as invoice_currency,
        accounts.exchange_source,
        accounts.period_start_at,
        accounts.period_end_at,
        surcharge.surcharge_code,
        surcharge.surcharge_name,
        surcharge.charge_rule,
        surcharge.percent,
        surcharge.fund_code,
        surcharge.unit_amount,
        surcharge.currency_code as unit_currency,
        surcharge.base_rule,
        surcharge.share_percent,
        surcharge.harbour_code,
        surcharge.line_kinds,
        surcharge.charge_classes,
        surcharge.rounding_decimals,
        surcharge.rounding_mode
    from accounts
    inner join {{ source('reference', 'surcharge') }} as surcharge
        on {{ in_force_at_end('surcharge', 'accounts.period_end_at') }}
    left join {{ ref('int_billing__account_plans') }} as account_plans
        on
            accounts.account_id = account_plans.account_id
            and surcharge.price_scope = 'plan'
            and surcharge.scope_code = account_plans.plan_code
    where
        {{ known_to_invoice_run('surcharge') }}
        and case surcharge.price_scope
            when 'account' then surcharge.scope_code = accounts.account_code
            when 'plan' then account_plans.plan_code is not null
            when 'jurisdiction'
                then {{ is_within('accounts.tax_jurisdiction', 'surcharge.scope_code') }}
            else true
        end
    order by
        accounts.account_id asc,
        surcharge.surcharge_code asc,
        array_position(array['account', 'plan', 'jurisdiction', 'list'], surcharge.price_scope) asc,
        length(surcharge.scope_code) desc,
        surcharge.scope_code asc
),

exemptions as (
    select distinct on (accounts.account_id, exemption.exempt_code)
        accounts.account_id,
        exemption.exempt_code,
        exemption.certificate
    from accounts
    inner join {{ source('reference', 'exemption') }} as exemption
        on
            accounts.account_code = exemption.account_code
            and {{ in_force_at_end('exemption', 'accounts.period_end_at') }}
            and (
                exemption.jurisdiction = ''
                or {{ is_within('accounts.tax_jurisdiction', 'exemption.jurisdiction') }}
            )
    where exemption.exempt_from = 'surcharge' and {{ known_to_invoice_run('exemption') }}
    order by accounts.account_id asc, exemption.exempt_code asc, exemption.jurisdiction asc
),

harbours as (
    select
        harbour.harbour_code,
        harbour.interstate_percent
    from {{ source('reference', 'usf_safe_harbour') }} as harbour
    where
        {{ known_to_invoice_run('harbour') }}
        and {{ utc_day(period_month) }} >= harbour.valid_from
        and {{ utc_day(period_month) }} < harbour.valid_to
),

factors as (
    select
        factor.fund_code,
        factor.factor_percent
    from {{ source('reference', 'usf_factor') }} as factor
    where
        {{ known_to_invoice_run('factor') }}
        and {{ utc_day(period_month) }} >= factor.valid_from
        and {{ utc_day(period_month) }} < factor.valid_to
)

select
    surcharges.*,
    case
        when surcharges.charge_rule = 'fund' then factors.factor_percent
        else surcharges.percent
    end as percent_used,
    case
        when surcharges.harbour_code is not null then harbours.interstate_percent
        else surcharges.share_percent
    end as share_used,
    coalesce(
        own_exemptions.certificate,
        all_exemptions.certificate,
        -- who sells the service on contributes itself
        case when surcharges.charge_rule = 'fund' and surcharges.is_reseller then 'reseller' end
    ) as certificate
from surcharges
left join factors on surcharges.fund_code = factors.fund_code
left join harbours on surcharges.harbour_code = harbours.harbour_code
left join exemptions as own_exemptions
    on
        surcharges.account_id = own_exemptions.account_id
        and surcharges.surcharge_code = own_exemptions.exempt_code
left join exemptions as all_exemptions
    on
        surcharges.account_id = all_exemptions.account_id
        and all_exemptions.exempt_code = '*'
