-- Grain: one row per record that waits in suspense: a usage leg or a carrier charge. What to do
-- about it stands in rpt_suspense, by reason.
with usage_legs as (
    select * from {{ ref('current_rated_usage') }}
    where state = 'error'
),

charges as (
    select * from {{ ref('current_rated_charge') }}
    where state = 'error'
),

files as (
    select * from {{ source('control', 'file') }}
),

suspended as (
    select
        'usage' as kind,
        usage_legs.usage_id as record_id,
        usage_legs.account_id,
        usage_legs.file_id,
        usage_legs.line_no,
        usage_legs.leg_no::integer as leg_no,
        usage_legs.source_id,
        usage_legs.service_id,
        usage_legs.reason,
        usage_legs.usage_type,
        (usage_legs.started_at at time zone 'UTC')::date as record_date,
        usage_legs.period_month,
        usage_legs.at_risk_amount,
        usage_legs.currency_code,
        usage_legs.cost_amount,
        usage_legs.cost_currency_code,
        usage_legs.rating_run_id
    from usage_legs
    union all
    select
        'charge' as kind,
        charges.charge_id as record_id,
        charges.account_id,
        charges.file_id,
        charges.line_no,
        0 as leg_no,
        charges.source_id,
        charges.service_id,
        charges.reason,
        null as usage_type,
        charges.period_from as record_date,
        charges.period_month,
        charges.cost_amount as at_risk_amount,
        charges.cost_currency_code as currency_code,
        charges.cost_amount,
        charges.cost_currency_code,
        charges.rating_run_id
    from charges
)

select
    suspended.kind::text as kind,
    suspended.record_id::bigint as record_id,
    suspended.account_id::bigint as account_id,
    suspended.file_id::bigint as file_id,
    suspended.line_no::bigint as line_no,
    suspended.leg_no::integer as leg_no,
    suspended.source_id::integer as source_id,
    suspended.service_id::bigint as service_id,
    suspended.reason::text as reason,
    suspended.usage_type::text as usage_type,
    suspended.record_date::date as record_date,
    suspended.period_month::date as period_month,
    files.received_at::timestamptz as received_at,
    suspended.at_risk_amount::numeric(28, 14) as at_risk_amount,
    suspended.currency_code::text as currency_code,
    suspended.cost_amount::numeric(28, 14) as cost_amount,
    suspended.cost_currency_code::text as cost_currency_code,
    suspended.rating_run_id::bigint as rating_run_id
from suspended
inner join files on suspended.file_id = files.file_id
