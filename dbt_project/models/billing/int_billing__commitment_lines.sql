-- Grain: one row per account and commitment that was not reached: the rest, on the last invoice of
-- its period, or of the account or the commitment.
{{ config(materialized='work_table') }}

with limits as (
    select * from {{ ref('int_billing__limits_held') }}
    where limit_rule = 'minimum'
),

spend_lines as (
    select * from {{ ref('int_billing__spend_lines') }}
),

spent as (
    select
        limits.account_id,
        limits.limit_code,
        limits.period_month,
        sum(spend_lines.line_amount) as amount
    from limits
    inner join spend_lines
        on
            limits.account_id = spend_lines.account_id
            and limits.period_month = spend_lines.period_month
            and limits.currency_code = spend_lines.currency_code
            and spend_lines.line_kind = any(limits.line_kinds)
            and (
                limits.charge_classes is null
                or spend_lines.charge_class = any(limits.charge_classes)
            )
    group by limits.account_id, limits.limit_code, limits.period_month
),

so_far as (
    select
        limits.*,
        coalesce(spent.amount, 0) as spent_now,
        sum(coalesce(spent.amount, 0)) over (
            partition by limits.account_id, limits.limit_code, limits.counted_from
            order by limits.period_month
        ) as spent_so_far
    from limits
    left join spent
        on
            limits.account_id = spent.account_id
            and limits.limit_code = spent.limit_code
            and limits.period_month = spent.period_month
),

due as (
    select
        so_far.*,
        so_far.limit_amount - so_far.spent_so_far as amount
    from so_far
    where so_far.is_last and so_far.limit_amount > so_far.spent_so_far
)

select
    due.account_id,
    due.period_month,
    'commitment' as line_kind,
    'commitment' as charge_class,
    due.limit_code as product_code,
    due.limit_name as description,
    null::integer as plan_id,
    due.currency_code,
    1 as record_count,
    1::numeric as quantity,
    null::text as unit,
    due.amount as unrounded_amount,
    {{ round_money('due.amount', 'due.rounding_decimals', 'due.rounding_mode') }} as line_amount,
    jsonb_build_object(
        'counted_from', due.counted_from,
        'full_amount', trim_scale(due.full_amount),
        'limit_amount', trim_scale(round(due.limit_amount, 10)),
        'spent_now', trim_scale(due.spent_now),
        'spent_so_far', trim_scale(due.spent_so_far)
    ) as detail
from due
