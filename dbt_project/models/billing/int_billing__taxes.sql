-- Grain: one row per account and tax of its jurisdiction and those around it, in force when the
-- invoiced period ends, with the certificate of an exemption.
{{ config(materialized='work_table') }}

with accounts as (
    select * from {{ ref('int_billing__accounts') }}
),

exemptions as (
    select
        accounts.account_id,
        exemption.exempt_code,
        exemption.jurisdiction,
        exemption.certificate
    from accounts
    inner join {{ source('reference', 'exemption') }} as exemption
        on
            accounts.account_code = exemption.account_code
            and {{ in_force_at_end('exemption', 'accounts.period_end_at') }}
    where exemption.exempt_from = 'tax' and {{ known_to_invoice_run('exemption') }}
),

taxes as (
    select
        accounts.account_id,
        tax_rate.tax_code,
        tax_rate.tax_name,
        tax_rate.jurisdiction,
        tax_rate.percent,
        tax_rate.line_kinds,
        tax_rate.charge_classes,
        tax_rate.on_surcharges,
        tax_rate.on_taxes,
        tax_rate.tax_order,
        tax_rate.is_inclusive,
        tax_rate.rounding_level,
        tax_rate.rounding_decimals,
        tax_rate.rounding_mode
    from accounts
    inner join {{ source('reference', 'tax_rate') }} as tax_rate
        on
            {{ is_within('accounts.tax_jurisdiction', 'tax_rate.jurisdiction') }}
            and {{ in_force_at_end('tax_rate', 'accounts.period_end_at') }}
    where {{ known_to_invoice_run('tax_rate') }}
)

select
    taxes.account_id,
    taxes.tax_code,
    taxes.tax_name,
    taxes.jurisdiction,
    taxes.percent,
    taxes.line_kinds,
    taxes.charge_classes,
    taxes.on_surcharges,
    taxes.on_taxes,
    taxes.tax_order,
    taxes.is_inclusive,
    taxes.rounding_level,
    taxes.rounding_decimals,
    taxes.rounding_mode,
    min(exemptions.certificate) as certificate
from taxes
left join exemptions
    on
        taxes.account_id = exemptions.account_id
        and exemptions.exempt_code in ('*', taxes.tax_code)
        and (
            exemptions.jurisdiction = ''
            or {{ is_within('taxes.jurisdiction', 'exemptions.jurisdiction') }}
        )
group by
    taxes.account_id,
    taxes.tax_code,
    taxes.tax_name,
    taxes.jurisdiction,
    taxes.percent,
    taxes.line_kinds,
    taxes.charge_classes,
    taxes.on_surcharges,
    taxes.on_taxes,
    taxes.tax_order,
    taxes.is_inclusive,
    taxes.rounding_level,
    taxes.rounding_decimals,
    taxes.rounding_mode
