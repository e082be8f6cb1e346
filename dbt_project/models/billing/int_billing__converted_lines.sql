-- Grain: one row per line of usage, charges, allowances and volume prices as it will stand on the
-- invoice: usage of several plans on one line, everything in the account's currency. A line is
-- converted once, after it was added up, and rounded after the conversion. Without a rate it
-- stays what it is: its invoice is held (draft_invoice.hold_reason).
{{ config(materialized='work_table') }}

{% set stages = [
    'int_billing__usage_lines',
    'int_billing__charge_lines',
    'int_billing__allowance_lines',
    'int_billing__data_rounding_lines',
    'int_billing__free_event_lines',
    'int_billing__volume_lines',
] %}

with stage_lines as (
    {{ lines_of_stages(stages) }}
),

based as (
    select
        stage_lines.*,
        accounts.currency_code as invoice_currency,
        -- Of a plan that rounds its calls the rounded calls are the price; other plans round after
        -- the conversion.
        case
            when coalesce(plans.rounding_level, 'call') = 'call' then stage_lines.line_amount
            else stage_lines.unrounded_amount
        end as base_amount
    from stage_lines
    inner join {{ ref('int_billing__accounts') }} as accounts
        on stage_lines.account_id = accounts.account_id
    left join {{ ref('int_billing__plans') }} as plans on stage_lines.plan_id = plans.plan_id
),

lines as (
    select
        based.account_id,
        based.period_month,
        based.line_kind,
        based.charge_class,
        based.product_code,
        based.description,
        based.currency_code,
        based.invoice_currency,
        based.unit,
        sum(based.record_count) as record_count,
        sum(based.quantity) as quantity,
        sum(based.unrounded_amount) as unrounded_amount,
        sum(based.line_amount) as line_amount,
        sum(based.base_amount) as base_amount,
        jsonb_build_object(
            'billed_seconds', sum((based.detail ->> 'billed_seconds')::numeric)
        ) as detail
    from based
    where based.line_kind = 'usage'
    group by
        based.account_id,
        based.period_month,
        based.line_kind,
        based.charge_class,
        based.product_code,
        based.description,
        based.currency_code,
        based.invoice_currency,
        based.unit
    union all
    select
        based.account_id,
        based.period_month,
        based.line_kind,
        based.charge_class,
        based.product_code,
        based.description,
        based.currency_code,
        based.invoice_currency,
        based.unit,
        based.record_count,
        based.quantity,
        based.unrounded_amount,
        based.line_amount,
        based.base_amount,
        based.detail
    from based
    where based.line_kind <> 'usage'
),

days as (
    select
        conversion_days.account_id,
        conversion_days.period_month,
        conversion_days.line_kind,
        conversion_days.charge_class,
        conversion_days.product_code,
        conversion_days.currency_code,
        case
            when count(*) = count(conversion_days.rate)
                then sum(conversion_days.converted_amount)
        end as converted_amount,
        sum(conversion_days.amount) as amount,
        case
            when count(*) = 1 then max(conversion_days.rate)
            when count(*) = count(conversion_days.rate)
                then
                    round(
                        sum(conversion_days.amount * conversion_days.rate)
                        / nullif(sum(conversion_days.amount), 0), 10
                    )
        end as rate,
        max(conversion_days.rate_from) as rate_from,
        jsonb_agg(
            jsonb_build_object(
                'rate', conversion_days.rate,
                'from', conversion_days.rate_from,
                'amount', conversion_days.amount
            )
            order by conversion_days.rate_from
        ) as rates
    from {{ ref('int_billing__conversion_days') }} as conversion_days
    group by
        conversion_days.account_id,
        conversion_days.period_month,
        conversion_days.line_kind,
        conversion_days.charge_class,
        conversion_days.product_code,
        conversion_days.currency_code
),

rated as (
    select
        lines.*,
        accounts.exchange_source,
        accounts.exchange_date,
        accounts.exchange_decimals,
        accounts.exchange_rounding_mode,
        case
            when days.account_id is not null then days.rate
            when accounts.exchange_date = 'period_average' then rates.average_rate
            else rates.end_rate
        end as rate,
        case
            when days.account_id is not null then days.rate_from
            when accounts.exchange_date = 'period_average' then months.period_start_at
            else rates.end_rate_from
        end as rate_from,
        case
            when abs(days.amount - lines.base_amount) < 0.000000001 then days.converted_amount
            else lines.base_amount * days.converted_amount / nullif(days.amount, 0)
        end as amount_of_days,
        days.rates
    from lines
    inner join {{ ref('int_billing__accounts') }} as accounts
        on lines.account_id = accounts.account_id
    inner join {{ ref('int_billing__months') }} as months
        on
            lines.account_id = months.account_id
            and lines.period_month = months.period_month
    left join {{ ref('int_billing__conversion_rates') }} as rates
        on
            lines.currency_code = rates.from_currency
            and accounts.currency_code = rates.to_currency
            and accounts.exchange_source = rates.exchange_source
            and months.period_start_at = rates.period_start_at
            and months.period_end_at = rates.period_end_at
    left join days
        on
            lines.account_id = days.account_id
            and lines.period_month = days.period_month
            and lines.charge_class = days.charge_class
            and lines.currency_code = days.currency_code
            and (days.line_kind = 'usage' or lines.product_code = days.product_code)
            -- what allowances and volume prices take off has the mean rate of the usage
            and case
                when lines.line_kind in ('allowance', 'volume') then 'usage'
                else lines.line_kind
            end = days.line_kind
    where lines.currency_code <> lines.invoice_currency
),

converted as (
    select
        rated.*,
        coalesce(rated.amount_of_days, rated.base_amount * rated.rate) as converted_amount
    from rated
)

select
    lines.account_id,
    lines.period_month,
    lines.line_kind,
    lines.charge_class,
    lines.product_code,
    lines.description,
    null::integer as plan_id,
    lines.currency_code,
    lines.record_count,
    lines.quantity,
    lines.unit,
    lines.unrounded_amount::numeric(28, 14) as unrounded_amount,
    lines.line_amount::numeric(28, 14) as line_amount,
    lines.detail
from lines
where lines.currency_code = lines.invoice_currency
union all
select
    converted.account_id,
    converted.period_month,
    converted.line_kind,
    converted.charge_class,
    converted.product_code,
    converted.description,
    null::integer as plan_id,
    converted.invoice_currency as currency_code,
    converted.record_count,
    converted.quantity,
    converted.unit,
    converted.converted_amount::numeric(28, 14) as unrounded_amount,
    {{ round_money(
        'converted.converted_amount', 'converted.exchange_decimals',
        'converted.exchange_rounding_mode'
    ) }}::numeric(28, 14) as line_amount,
    coalesce(converted.detail, '{}'::jsonb) || jsonb_strip_nulls(
        jsonb_build_object(
            'source_currency', converted.currency_code,
            'source_amount', converted.base_amount,
            'exchange_rate', converted.rate,
            'exchange_source', converted.exchange_source,
            'exchange_rate_from', converted.rate_from,
            'exchange_date', converted.exchange_date,
            'rates', case when jsonb_array_length(converted.rates) > 1 then converted.rates end
        )
    ) as detail
from converted
where converted.converted_amount is not null
union all
select
    converted.account_id,
    converted.period_month,
    converted.line_kind,
    converted.charge_class,
    converted.product_code,
    converted.description,
    null::integer as plan_id,
    converted.currency_code,
    converted.record_count,
    converted.quantity,
    converted.unit,
    converted.unrounded_amount::numeric(28, 14) as unrounded_amount,
    converted.line_amount::numeric(28, 14) as line_amount,
    coalesce(converted.detail, '{}'::jsonb) || jsonb_build_object(
        'problem',
        {{ no_exchange_rate('converted.currency_code', 'converted.invoice_currency',
            'converted.exchange_source') }}
    ) as detail
from converted
where converted.converted_amount is null
