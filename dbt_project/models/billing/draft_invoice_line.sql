-- Grain: one row per line of a draft invoice. Rebuilt in place for its invoice run until approval.
-- Usage stands per charge class, charges per product; one rounding line per invoice brings the
-- exact sum to the currency's two decimals. Plans that round per line round their share of it.
{{ config(
    materialized='run_fact',
    run_key='invoice_run_id',
    on_schema_change='fail',
    full_refresh=false,
    indexes=[{'columns': ['invoice_run_id', 'account_id', 'line_no']}]
) }}

with accounts as (
    select * from {{ ref('int_billing__accounts') }}
),

closed_runs as (
    select run.rating_run_id
    from {{ source('control', 'rating_run') }} as run
    where run.status = 'closed'
),

plans as (
    select distinct on (plan.plan_id)
        plan.plan_id,
        plan.rounding_level,
        plan.rounding_decimals,
        plan.rounding_mode,
        plan.rounding_unit
    from {{ source('reference', 'plan') }} as plan
    where
        plan.recorded_from <= '{{ current_invoice_run()['cutoff'] }}'::timestamptz
        and plan.recorded_to > '{{ current_invoice_run()['cutoff'] }}'::timestamptz
    order by plan.plan_id asc, plan.valid_from desc
),

charge_classes as (
    select * from {{ ref('charge_classes') }}
),

usage_sums as (
    select
        total.account_id,
        total.charge_class,
        total.plan_id,
        total.currency_code,
        sum(total.leg_count) as record_count,
        sum(total.billed_seconds) as billed_seconds,
        sum(total.unrounded_sixtieths) / 60 as unrounded_amount,
        sum(total.retail_amount) as retail_amount
    from {{ ref('usage_total') }} as total
    inner join closed_runs on total.rating_run_id = closed_runs.rating_run_id
    where
        total.period_month = '{{ current_invoice_run()['period_month'] }}'
        and total.state = 'billed'
    group by total.account_id, total.charge_class, total.plan_id, total.currency_code
    having sum(total.leg_count) <> 0
),

charge_sums as (
    select
        total.account_id,
        total.product_code,
        total.description,
        total.charge_class,
        total.currency_code,
        sum(total.record_count) as record_count,
        sum(total.quantity) as quantity,
        sum(total.unrounded_amount) as unrounded_amount,
        sum(total.charge_amount) as charge_amount
    from {{ ref('charge_total') }} as total
    inner join closed_runs on total.rating_run_id = closed_runs.rating_run_id
    where
        total.period_month = '{{ current_invoice_run()['period_month'] }}'
        and total.state = 'billed'
    group by
        total.account_id,
        total.product_code,
        total.description,
        total.charge_class,
        total.currency_code
    having sum(total.record_count) <> 0
),

usage_shares as (
    select
        usage_sums.*,
        case
            when plans.rounding_level = 'line'
                then
                    {{ round_to(
                        'usage_sums.unrounded_amount', 'plans.rounding_decimals',
                        'plans.rounding_unit', 'plans.rounding_mode'
                    ) }}
            when plans.rounding_level = 'invoice' then usage_sums.unrounded_amount
            else usage_sums.retail_amount
        end as share_amount
    from usage_sums
    inner join plans on usage_sums.plan_id = plans.plan_id
),

usage_lines as (
    select
        usage_shares.account_id,
        1 as section,
        'usage' as line_kind,
        usage_shares.charge_class,
        coalesce(charge_classes.description, usage_shares.charge_class) as description,
        lpad(coalesce(charge_classes.sort_order, 999)::text, 5, '0') as sort_key,
        sum(usage_shares.record_count) as record_count,
        sum(usage_shares.billed_seconds) as billed_seconds,
        sum(usage_shares.record_count)::numeric as quantity,
        sum(usage_shares.unrounded_amount) as unrounded_amount,
        sum(usage_shares.share_amount)::numeric(28, 14) as line_amount,
        usage_shares.currency_code
    from usage_shares
    left join charge_classes on usage_shares.charge_class = charge_classes.charge_class
    group by
        usage_shares.account_id,
        usage_shares.charge_class,
        charge_classes.description,
        charge_classes.sort_order,
        usage_shares.currency_code
),

charge_lines as (
    select
        charge_sums.account_id,
        2 as section,
        'charge' as line_kind,
        charge_sums.charge_class,
        charge_sums.description,
        charge_sums.product_code as sort_key,
        charge_sums.record_count,
        null::numeric as billed_seconds,
        charge_sums.quantity,
        charge_sums.unrounded_amount,
        charge_sums.charge_amount as line_amount,
        charge_sums.currency_code
    from charge_sums
),

priced_lines as (
    select * from usage_lines
    union all
    select * from charge_lines
),

invoice_sums as (
    -- Lines of plans that round per invoice are cut at fourteen decimals; twelve restore an exact
    -- half cent (see macros/call_amount.sql).
    select
        priced_lines.account_id,
        priced_lines.currency_code,
        sum(priced_lines.line_amount) as line_sum,
        {{ round_money('round(sum(priced_lines.line_amount), 12)', 2, "'half_up'") }}
            as invoice_total
    from priced_lines
    group by priced_lines.account_id, priced_lines.currency_code
),

rounding_lines as (
    select
        invoice_sums.account_id,
        3 as section,
        'rounding' as line_kind,
        'rounding' as charge_class,
        'Rounding' as description,
        '' as sort_key,
        1 as record_count,
        null::numeric as billed_seconds,
        1::numeric as quantity,
        invoice_sums.invoice_total - invoice_sums.line_sum as unrounded_amount,
        invoice_sums.invoice_total - invoice_sums.line_sum as line_amount,
        invoice_sums.currency_code
    from invoice_sums
    where invoice_sums.invoice_total <> invoice_sums.line_sum
),

all_lines as (
    select * from priced_lines
    union all
    select * from rounding_lines
)

select
    {{ run_id('invoice_run_id') }}::bigint as invoice_run_id,
    all_lines.account_id::bigint as account_id,
    row_number() over (
        partition by all_lines.account_id
        order by
            all_lines.currency_code,
            all_lines.section,
            all_lines.sort_key,
            all_lines.description
    )::integer as line_no,
    all_lines.line_kind::text as line_kind,
    all_lines.charge_class::text as charge_class,
    all_lines.description::text as description,
    all_lines.record_count::bigint as record_count,
    all_lines.billed_seconds::bigint as billed_seconds,
    all_lines.quantity::numeric(24, 4) as quantity,
    all_lines.unrounded_amount::numeric(28, 14) as unrounded_amount,
    all_lines.line_amount::numeric(28, 14) as line_amount,
    all_lines.currency_code::text as currency_code
from all_lines
inner join accounts on all_lines.account_id = accounts.account_id
