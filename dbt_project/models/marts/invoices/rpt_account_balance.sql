-- Grain: one row per account and currency: what it owes for usage and charges so far. Posted comes
-- from the ledger; drafted is what the current drafts add to it; unbilled is rated for periods
-- that nobody has drafted yet, before allowances, discounts and taxes. Payments are not kept here.
with posted as (
    select
        billed_line.account_id,
        billed_line.period_month,
        billed_line.currency_code,
        sum(billed_line.line_amount) as amount
    from {{ source('ledger', 'billed_line') }} as billed_line
    group by billed_line.account_id, billed_line.period_month, billed_line.currency_code
),

drafted as (
    select
        invoices.account_id,
        invoices.period_month,
        invoices.currency_code,
        invoices.invoice_total as amount
    from {{ ref('fct_invoice') }} as invoices
    where invoices.invoice_status <> 'posted'
),

periods as (
    select distinct
        invoices.account_id,
        invoices.period_month
    from {{ ref('fct_invoice') }} as invoices
),

totals as (
    select
        usage_total.rating_run_id,
        usage_total.account_id,
        usage_total.period_month,
        usage_total.currency_code,
        usage_total.retail_amount as amount
    from {{ ref('usage_total') }} as usage_total
    where usage_total.state = 'billed'
    union all
    select
        charge_total.rating_run_id,
        charge_total.account_id,
        charge_total.period_month,
        charge_total.currency_code,
        charge_total.charge_amount as amount
    from {{ ref('charge_total') }} as charge_total
    where charge_total.state = 'billed'
),

parts as (
    select
        posted.account_id,
        posted.currency_code,
        posted.amount as posted_amount,
        0 as drafted_amount,
        0 as unbilled_amount
    from posted
    union all
    select
        drafted.account_id,
        drafted.currency_code,
        0 as posted_amount,
        drafted.amount - coalesce(posted.amount, 0) as drafted_amount,
        0 as unbilled_amount
    from drafted
    left join posted
        on
            drafted.account_id = posted.account_id
            and drafted.period_month = posted.period_month
            and drafted.currency_code = posted.currency_code
    union all
    select
        totals.account_id,
        totals.currency_code,
        0 as posted_amount,
        0 as drafted_amount,
        totals.amount as unbilled_amount
    from totals
    inner join {{ source('control', 'rating_run') }} as runs
        on totals.rating_run_id = runs.rating_run_id
    where
        runs.status = 'closed'
        and not exists (
            select 1
            from periods
            where
                periods.account_id = totals.account_id
                and periods.period_month = totals.period_month
        )
)

select
    parts.account_id::bigint as account_id,
    parts.currency_code::text as currency_code,
    sum(parts.posted_amount)::numeric(28, 10) as posted_amount,
    sum(parts.drafted_amount)::numeric(28, 10) as drafted_amount,
    sum(parts.unbilled_amount)::numeric(28, 14) as unbilled_amount,
    sum(parts.posted_amount + parts.drafted_amount + parts.unbilled_amount)::numeric(28, 14)
        as balance_amount
from parts
group by parts.account_id, parts.currency_code
