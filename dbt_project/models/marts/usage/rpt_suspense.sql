-- Grain: one row per kind, reason, source and currency of suspended records: what waits to be
-- fixed, what it would be worth and what to do. Unreadable lines count here too.
with runs as (
    select *
    from {{ source('control', 'rating_run') }}
    where status = 'closed'
),

sources as (
    select
        source.source_id,
        source.source_code
    from {{ ref('dim_source') }} as source
),

reasons as (
    select * from {{ ref('record_reasons') }}
),

usage_errors as (
    select
        'usage' as kind,
        total.reason,
        sources.source_code,
        total.currency_code,
        sum(total.record_count) as record_count,
        count(distinct total.file_id) as file_count,
        sum(total.at_risk_amount) as at_risk_amount
    from {{ ref('usage_total') }} as total
    inner join runs on total.rating_run_id = runs.rating_run_id
    inner join sources on total.source_id = sources.source_id
    where total.state = 'error'
    group by total.reason, sources.source_code, total.currency_code
    having sum(total.record_count) <> 0
),

charge_errors as (
    select
        'charge' as kind,
        total.reason,
        sources.source_code,
        total.cost_currency_code as currency_code,
        sum(total.record_count) as record_count,
        count(distinct total.file_id) as file_count,
        sum(total.cost_amount) as at_risk_amount
    from {{ ref('charge_total') }} as total
    inner join runs on total.rating_run_id = runs.rating_run_id
    inner join sources on total.source_id = sources.source_id
    where total.state = 'error'
    group by total.reason, sources.source_code, total.cost_currency_code
    having sum(total.record_count) <> 0
),

unreadable_lines as (
    select
        'line' as kind,
        quarantine.reason_code as reason,
        files.source_code,
        null::text as currency_code,
        count(*) as record_count,
        count(distinct quarantine.file_id) as file_count,
        null::numeric as at_risk_amount
    from {{ source('landing', 'quarantine') }} as quarantine
    inner join {{ source('control', 'file') }} as files
        on quarantine.file_id = files.file_id
    where files.status <> 'withdrawn'
    group by quarantine.reason_code, files.source_code
),

suspended as (
    select * from usage_errors
    union all
    select * from charge_errors
    union all
    select * from unreadable_lines
)

select
    suspended.kind::text as kind,
    suspended.reason::text as reason,
    suspended.source_code::text as source_code,
    reasons.field_name::text as field_name,
    suspended.record_count::bigint as record_count,
    suspended.file_count::bigint as file_count,
    suspended.at_risk_amount::numeric(28, 14) as at_risk_amount,
    suspended.currency_code::text as currency_code,
    reasons.description::text as description,
    reasons.what_to_do::text as what_to_do
from suspended
left join reasons on suspended.reason = reasons.reason_code
