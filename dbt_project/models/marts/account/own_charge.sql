-- Grain: one row per fixed fee of the reader's accounts: rows of fct_charge. Nothing of cost.
{{ config(tags=['rating']) }}

with charges as (
    select * from {{ ref('fct_charge') }}
    where state = 'billed'
)

select
    charges.account_id,
    charges.charge_id,
    charges.service_id,
    charges.description,
    charges.charge_class,
    charges.period_from,
    charges.period_to,
    charges.quantity,
    charges.unit_price,
    charges.charge_amount,
    charges.currency_code,
    charges.period_month
from charges
where {{ own_rows('charges') }}
