-- Grain: one row per kind of usage of a service in a period, as far as allowances tell usage apart.
{{ config(materialized='work_table') }}

select
    row_number() over ()::integer as class_no,
    classes.*
from (
    select distinct
        legs.account_id,
        legs.period_month,
        legs.service_id,
        legs.pool_code,
        legs.plan_id,
        legs.usage_type,
        legs.charge_class,
        legs.direction,
        legs.destination_prefix,
        legs.currency_code
    from {{ ref('int_billing__allowance_legs') }} as legs
) as classes
