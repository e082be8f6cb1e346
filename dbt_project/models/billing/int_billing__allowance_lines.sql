-- Grain: one row per account, period, charge class, plan, allowance and currency: what usage would
-- have cost, taken off. A plan that rounds per line rounds usage less allowances once.
{{ config(materialized='work_table') }}

with uses as (
    select * from {{ ref('allowance_use') }}
    where invoice_run_id = {{ run_id('invoice_run_id') }}
),

names as (
    select distinct
        grants.allowance_code,
        grants.allowance_name
    from {{ ref('int_billing__allowance_grants') }} as grants
),

usage_lines as (
    select * from {{ ref('int_billing__usage_lines') }}
),

plans as (
    select * from {{ ref('int_billing__plans') }}
),

used as (
    select
        uses.account_id,
        uses.period_month,
        uses.charge_class,
        uses.plan_id,
        uses.currency_code,
        uses.allowance_code,
        uses.allowance_unit,
        count(distinct uses.usage_id) as record_count,
        sum(uses.consumed_units) as consumed_units,
        sum(uses.waived_sixtieths) / 60 as unrounded_amount,
        sum(uses.waived_amount) as waived_amount,
        jsonb_strip_nulls(jsonb_build_object(
            'usage_units', sum(uses.units_taken),
            'of_plan', sum(uses.consumed_units) filter (where uses.grant_kind = 'plan'),
            'of_packs', sum(uses.consumed_units) filter (where uses.grant_kind = 'pack'),
            'rolled_over', sum(uses.consumed_units) filter (where uses.grant_kind = 'rollover')
        )) as detail
    from uses
    group by
        uses.account_id,
        uses.period_month,
        uses.charge_class,
        uses.plan_id,
        uses.currency_code,
        uses.allowance_code,
        uses.allowance_unit
),

remaining as (
    select
        used.*,
        names.allowance_name,
        plans.rounding_level,
        plans.rounding_decimals,
        plans.rounding_unit,
        plans.rounding_mode,
        usage_lines.unrounded_amount - sum(used.unrounded_amount) over class + used.unrounded_amount
            as amount_before,
        usage_lines.unrounded_amount - sum(used.unrounded_amount) over class as amount_after
    from used
    inner join names on used.allowance_code = names.allowance_code
    inner join plans on used.plan_id = plans.plan_id
    inner join usage_lines
        on
            used.account_id = usage_lines.account_id
            and used.period_month = usage_lines.period_month
            and used.charge_class = usage_lines.charge_class
            and used.plan_id = usage_lines.plan_id
            and used.currency_code = usage_lines.currency_code
    window
        class as (
            partition by
                used.account_id, used.period_month, used.charge_class, used.plan_id,
                used.currency_code
            order by used.allowance_code, used.allowance_unit
        )
)

select
    remaining.account_id,
    remaining.period_month,
    'allowance' as line_kind,
    remaining.charge_class,
    remaining.allowance_code as product_code,
    'Included: ' || remaining.allowance_name as description,
    remaining.plan_id,
    remaining.currency_code,
    remaining.record_count,
    remaining.consumed_units as quantity,
    remaining.allowance_unit as unit,
    -remaining.unrounded_amount as unrounded_amount,
    case remaining.rounding_level
        when 'line'
            then
                {{ round_to(
                    'round(remaining.amount_after, 12)', 'remaining.rounding_decimals',
                    'remaining.rounding_unit', 'remaining.rounding_mode'
                ) }} - {{ round_to(
                    'round(remaining.amount_before, 12)', 'remaining.rounding_decimals',
                    'remaining.rounding_unit', 'remaining.rounding_mode'
                ) }}
        when 'invoice' then -remaining.unrounded_amount
        else -remaining.waived_amount
    end as line_amount,
    remaining.detail
from remaining
