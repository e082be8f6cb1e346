-- Grain: one row per usage leg of the reader's accounts: rows of fct_rated_usage, so that what a
-- customer sees and what we see cannot differ. Nothing of cost, margin, carriers or suspense.
{{ config(tags=['rating']) }}

with usage_legs as (
    select * from {{ ref('fct_rated_usage') }}
)

select
    usage_legs.account_id,
    usage_legs.usage_id,
    usage_legs.leg_no,
    usage_legs.service_id,
    usage_legs.usage_type,
    usage_legs.direction,
    usage_legs.started_at,
    usage_legs.usage_date,
    usage_legs.billable_seconds,
    usage_legs.calling_number,
    usage_legs.called_number,
    usage_legs.calling_number_masked,
    usage_legs.called_number_masked,
    usage_legs.disposition,
    usage_legs.state,
    usage_legs.charge_class,
    usage_legs.retail_prefix,
    usage_legs.retail_billed_seconds,
    usage_legs.retail_billed_units,
    usage_legs.retail_price_per_minute,
    usage_legs.retail_connection_fee,
    usage_legs.retail_amount,
    usage_legs.currency_code,
    usage_legs.period_month
from usage_legs
where
    usage_legs.state in ('billed', 'not_billable')
    and {{ own_rows('usage_legs') }}
