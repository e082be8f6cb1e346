-- Grain: one row per account and surcharge of the invoiced period. Worked out on the lines before
-- surcharges and taxes; only invoices that have such lines bear surcharges.
{{ config(materialized='work_table') }}

with surcharges as (
    select * from {{ ref('int_billing__surcharges') }}
),

shared_lines as (
    select
        lines.*,
        case
            when
                lines.line_kind in ('usage', 'charge', 'allowance', 'volume')
                and shares.account_id is not null
                then coalesce(shares.share, 'NaN'::numeric)
            -- usage and charges that universal service has no rule for are no telecommunications
            when lines.line_kind in ('usage', 'charge') then 0
        end as own_share
    from {{ ref('int_billing__net_lines') }} as lines
    left join {{ ref('int_billing__usf_shares') }} as shares
        on
            lines.account_id = shares.account_id
            and lines.charge_class = shares.charge_class
            and case when lines.line_kind = 'charge' then 'charge' else 'usage' end
            = shares.line_kind
            and (shares.line_kind = 'usage' or lines.product_code = shares.product_code)
),

mean_shares as (
    -- what is taken off or added to the whole is divided as the whole is
    select
        shared_lines.account_id,
        coalesce(
            sum(shared_lines.line_amount * shared_lines.own_share)
            / nullif(sum(shared_lines.line_amount), 0),
            0
        ) as share
    from shared_lines
    where shared_lines.own_share is not null
    group by shared_lines.account_id
),

based as (
    select
        surcharges.account_id,
        surcharges.surcharge_code,
        count(*) filter (where lines.account_id is not null) as line_count,
        coalesce(sum(lines.record_count) filter (
            where lines.line_kind in ('usage', 'charge')
        ), 0) as record_count,
        coalesce(sum((lines.detail ->> 'billed_seconds')::numeric) filter (
            where lines.line_kind = 'usage'
        ), 0) as billed_seconds,
        coalesce(sum(lines.line_amount), 0) as base_amount,
        coalesce(sum(
            lines.line_amount * surcharges.share_used / 100
            * case
                when surcharges.base_rule = 'usf'
                    then coalesce(lines.own_share, mean_shares.share, 0)
                else 1
            end
        ), 0) as counted_amount
    from surcharges
    inner join shared_lines as lines
        on
            surcharges.account_id = lines.account_id
            and surcharges.invoice_currency = lines.currency_code
            and {{ is_listed('lines.line_kind', 'surcharges.line_kinds') }}
            and {{ is_listed('lines.charge_class', 'surcharges.charge_classes') }}
    left join mean_shares on surcharges.account_id = mean_shares.account_id
    group by surcharges.account_id, surcharges.surcharge_code
),

invoiced_accounts as (
    select distinct lines.account_id
    from {{ ref('int_billing__net_lines') }} as lines
),

owned as (
    select
        surcharges.account_id,
        count(distinct service.service_code) as service_count,
        count(distinct identifier.identifier_value) as number_count
    from surcharges
    inner join {{ source('reference', 'service') }} as service
        on
            surcharges.account_code = service.account_code
            and {{ in_force_at_end('service', 'surcharges.period_end_at') }}
    left join {{ source('reference', 'service_identifier') }} as identifier
        on
            service.service_code = identifier.service_code
            and identifier.identifier_kind = 'number'
            and {{ in_force_at_end('identifier', 'surcharges.period_end_at') }}
            and {{ known_to_invoice_run('identifier') }}
    where
        surcharges.charge_rule in ('per_number', 'per_service')
        and {{ known_to_invoice_run('service') }}
    group by surcharges.account_id
),

counted as (
    select
        surcharges.*,
        coalesce(based.line_count, 0) as line_count,
        coalesce(based.base_amount, 0) as base_amount,
        coalesce(based.counted_amount, 0) as counted_amount,
        case surcharges.charge_rule
            when 'per_record' then coalesce(based.record_count, 0)
            when 'per_minute' then coalesce(based.billed_seconds, 0) / 60
            when 'per_number' then coalesce(owned.number_count, 0)
            when 'per_service' then coalesce(owned.service_count, 0)
            when 'per_invoice' then 1
        end as units,
        rates.end_rate,
        surcharges.unit_amount is not null
        and surcharges.unit_currency <> surcharges.invoice_currency as is_foreign
    from surcharges
    inner join invoiced_accounts on surcharges.account_id = invoiced_accounts.account_id
    left join based
        on
            surcharges.account_id = based.account_id
            and surcharges.surcharge_code = based.surcharge_code
    left join owned on surcharges.account_id = owned.account_id
    left join {{ ref('int_billing__conversion_rates') }} as rates
        on
            surcharges.unit_currency = rates.from_currency
            and surcharges.invoice_currency = rates.to_currency
            and surcharges.exchange_source = rates.exchange_source
            and surcharges.period_start_at = rates.period_start_at
            and surcharges.period_end_at = rates.period_end_at
),

judged as (
    select
        counted.*,
        case
            when counted.certificate is not null then null
            when counted.charge_rule = 'fund' and counted.percent_used is null
                then
                    'no factor of fund ' || counted.fund_code
                    || ' is in force on the first day of the month'
            when counted.share_used is null
                then
                    'no safe harbour ' || counted.harbour_code
                    || ' is in force on the first day of the month'
            when counted.counted_amount = 'NaN'::numeric
                then 'the safe harbour of a charge is not in force on the first day of the month'
            when counted.is_foreign and counted.end_rate is null
                then {{ no_exchange_rate('counted.unit_currency', 'counted.invoice_currency',
                    'counted.exchange_source') }}
        end as problem
    from counted
),

valued as (
    select
        judged.*,
        case
            when judged.certificate is not null then 0
            when judged.unit_amount is null and judged.problem is not null then 0
            when judged.unit_amount is null
                then judged.counted_amount * judged.percent_used / 100
            when judged.is_foreign
                then judged.units * judged.unit_amount * coalesce(judged.end_rate, 1)
            else judged.units * judged.unit_amount
        end as exact_amount
    from judged
    where
        case
            when judged.unit_amount is null then judged.line_count > 0
            else judged.units <> 0
        end
)

select
    valued.account_id,
    '{{ current_invoice_run()['period_month'] }}'::date as period_month,
    'surcharge' as line_kind,
    'surcharge' as charge_class,
    valued.surcharge_code as product_code,
    valued.surcharge_name as description,
    null::integer as plan_id,
    case
        when valued.is_foreign and valued.problem is not null then valued.unit_currency
        else valued.invoice_currency
    end as currency_code,
    valued.line_count as record_count,
    valued.units::numeric(24, 4) as quantity,
    case valued.charge_rule
        when 'per_record' then 'records'
        when 'per_minute' then 'minutes'
        when 'per_number' then 'numbers'
        when 'per_service' then 'services'
    end as unit,
    valued.exact_amount::numeric(28, 14) as unrounded_amount,
    {{ round_money('valued.exact_amount', 'valued.rounding_decimals', 'valued.rounding_mode') }}
    ::numeric(28, 14) as line_amount,
    jsonb_strip_nulls(jsonb_build_object(
        'charge_rule', valued.charge_rule,
        'base_amount', case when valued.unit_amount is null then valued.base_amount end,
        'counted_amount',
        case
            when valued.unit_amount is null and valued.problem is null then valued.counted_amount
        end,
        'share_percent', case when valued.unit_amount is null then valued.share_used end,
        'percent', valued.percent_used,
        'fund', valued.fund_code,
        'unit_amount', valued.unit_amount,
        'unit_currency', case when valued.is_foreign then valued.unit_currency end,
        'exchange_rate', case when valued.is_foreign then valued.end_rate end,
        'exempt', valued.certificate,
        'problem', valued.problem
    )) as detail
from valued
where valued.exact_amount <> 0 or valued.certificate is not null or valued.problem is not null
