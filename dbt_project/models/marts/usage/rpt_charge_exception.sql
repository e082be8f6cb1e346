-- Grain: one row per charge line that waits to be solved: with its amount, kept until it is.
-- Disputed are those whose number or key had an owner, but not any more on their first day.
with rated as (
    select *
    from {{ ref('current_rated_charge') }}
    where state = 'error'
),

reasons as (
    select * from {{ ref('record_reasons') }}
),

sources as (
    select * from {{ ref('dim_source') }}
),

services as (
    select * from {{ ref('dim_service') }}
)

select
    rated.charge_id::bigint as charge_id,
    rated.file_id::bigint as file_id,
    rated.line_no::bigint as line_no,
    sources.source_code::text as source_code,
    rated.reason::text as reason,
    (rated.ceased_service_id is not null)::boolean as is_disputed,
    services.service_code::text as ceased_service_code,
    rated.product_code::text as product_code,
    rated.description::text as product_name,
    rated.period_from::date as period_from,
    rated.period_to::date as period_to,
    rated.quantity::numeric(18, 4) as quantity,
    rated.carrier_amount::numeric(28, 14) as carrier_amount,
    rated.cost_currency_code::text as cost_currency_code,
    reasons.description::text as description,
    reasons.what_to_do::text as what_to_do
from rated
inner join sources on rated.source_id = sources.source_id
left join reasons on rated.reason = reasons.reason_code
left join services on rated.ceased_service_id = services.service_id
