-- Grain: one row per document and usage leg or charge that it bills, as rated. Of an adjustment:
-- what it adds, and what it takes back with a minus sign. Allowances, discounts and rounding per
-- line are lines and no records. Asked for one document, or the documents of a billing run.
{% set facts = [('usage', 'rated_usage', 'usage_supersession', 'usage_id'),
    ('charge', 'rated_charge', 'charge_supersession', 'charge_id')] %}

with steps as (
    select * from {{ ref('int_posting__document_steps') }}
    where is_itemised
),

{%- for word, fact, supersession, key in facts %}

{{ word }}_versions as (
    select
        steps.document_key,
        steps.document_status,
        steps.invoice_run_id,
        steps.invoice_id,
        steps.time_zone,
        steps.number_display,
        rated.*,
        (
            rated.rating_run_id = any(steps.runs_now)
            and not exists (
                select 1
                from {{ ref(supersession) }} as later
                where
                    later.account_id = rated.account_id
                    and later.{{ key }} = rated.{{ key }}
                    and later.superseded_run_id = rated.rating_run_id
                    and later.rating_run_id = any(steps.runs_now)
            )
        )::integer - (
            rated.rating_run_id = any(steps.runs_before)
            and not exists (
                select 1
                from {{ ref(supersession) }} as later
                where
                    later.account_id = rated.account_id
                    and later.{{ key }} = rated.{{ key }}
                    and later.superseded_run_id = rated.rating_run_id
                    and later.rating_run_id = any(steps.runs_before)
            )
        )::integer as amount_sign
    from steps
    inner join {{ ref(fact) }} as rated
        on
            steps.account_id = rated.account_id
            and steps.period_month = rated.period_month
            and rated.rating_run_id = any(steps.runs_now || steps.runs_before)
            and rated.currency_code = any(steps.currencies)
    where rated.state = 'billed'
),
{%- endfor %}

services as (
    select
        service_key.service_id,
        service_key.service_code
    from {{ source('reference', 'service_key') }} as service_key
),

records as (
    select
        usage_versions.document_key,
        usage_versions.document_status,
        usage_versions.account_id,
        usage_versions.invoice_id,
        usage_versions.invoice_run_id,
        case usage_versions.usage_type
            when 'voice' then 1 when 'sms' then 2 when 'mms' then 2 when 'data' then 3 else 4
        end as kind_no,
        case usage_versions.usage_type
            when 'voice' then 'call'
            when 'sms' then 'message'
            when 'mms' then 'message'
            when 'data' then 'data'
            else 'other'
        end as record_kind,
        usage_versions.usage_id as record_id,
        usage_versions.rating_run_id,
        usage_versions.amount_sign,
        usage_versions.period_month,
        usage_versions.started_at,
        usage_versions.time_zone,
        (usage_versions.started_at at time zone usage_versions.time_zone) as local_time,
        null::date as period_from,
        null::date as period_to,
        usage_versions.direction,
        usage_versions.service_id,
        usage_versions.number_display,
        case when usage_versions.calling_class = 'e164' then '+' else '' end
        || usage_versions.calling_number as calling_number,
        case when usage_versions.called_number_class = 'e164' then '+' else '' end
        || usage_versions.called_number as called_number,
        usage_versions.charge_class,
        null as product_code,
        coalesce(rate.destination_name, usage_versions.called_country, '') as description,
        usage_versions.retail_billed_seconds as billed_seconds,
        case
            when usage_versions.usage_type = 'voice' then usage_versions.retail_billed_seconds
            else usage_versions.retail_billed_units
        end as quantity,
        case usage_versions.usage_type
            when 'voice' then 'seconds' when 'data' then 'bytes' else 'messages'
        end as unit,
        usage_versions.retail_amount as amount,
        usage_versions.currency_code
    from usage_versions
    left join {{ source('reference', 'rate') }} as rate
        on usage_versions.retail_rate_id = rate.rate_id
    where usage_versions.amount_sign <> 0
    union all
    select
        charge_versions.document_key,
        charge_versions.document_status,
        charge_versions.account_id,
        charge_versions.invoice_id,
        charge_versions.invoice_run_id,
        5 as kind_no,
        'charge' as record_kind,
        charge_versions.charge_id as record_id,
        charge_versions.rating_run_id,
        charge_versions.amount_sign,
        charge_versions.period_month,
        null as started_at,
        charge_versions.time_zone,
        coalesce(charge_versions.charged_from, charge_versions.period_from)::timestamp
            as local_time,
        coalesce(charge_versions.charged_from, charge_versions.period_from) as period_from,
        coalesce(charge_versions.charged_to, charge_versions.period_to) as period_to,
        null as direction,
        charge_versions.service_id,
        charge_versions.number_display,
        null as calling_number,
        null as called_number,
        charge_versions.charge_class,
        charge_versions.product_code,
        charge_versions.description,
        null as billed_seconds,
        charge_versions.quantity,
        'units' as unit,
        charge_versions.charge_amount as amount,
        charge_versions.currency_code
    from charge_versions
    where charge_versions.amount_sign <> 0
)

select
    records.document_key::text as document_key,
    records.document_status::text as document_status,
    records.account_id::bigint as account_id,
    records.invoice_id::bigint as invoice_id,
    records.invoice_run_id::bigint as invoice_run_id,
    records.kind_no::integer as kind_no,
    records.record_kind::text as record_kind,
    records.record_id::bigint as record_id,
    records.rating_run_id::bigint as rating_run_id,
    case records.amount_sign when 1 then 'billed' else 'taken back' end::text as entry,
    records.period_month::date as period_month,
    records.started_at::timestamptz as started_at,
    records.local_time::timestamp as local_time,
    records.time_zone::text as time_zone,
    records.period_from::date as period_from,
    records.period_to::date as period_to,
    services.service_code::text as service_code,
    records.direction::text as direction,
    {{ document_number('records', 'calling_number') }}::text as calling_number,
    {{ document_number('records', 'called_number') }}::text as called_number,
    records.charge_class::text as charge_class,
    records.product_code::text as product_code,
    records.description::text as description,
    records.billed_seconds::bigint as billed_seconds,
    records.quantity::numeric(24, 4) as quantity,
    records.unit::text as unit,
    (records.amount_sign * records.amount)::numeric(28, 14) as amount,
    round(records.amount_sign * records.amount, 6)::numeric(28, 14) as printed_amount,
    records.currency_code::text as currency_code
from records
left join services on records.service_id = services.service_id
