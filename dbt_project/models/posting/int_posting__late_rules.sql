-- Grain: one row per open billing run and account with a posted invoice of the period: how a
-- difference to it is billed. The account's own policy, else that of the sources (then carriers)
-- whose records made the difference, if all of them have one and it is the same, else everybody's.
-- An account that has ended has no next invoice.
with runs as (
    select * from {{ ref('int_posting__runs') }}
),

posted as (
    select * from {{ source('ledger', 'invoice') }}
    where invoice_kind = 'invoice'
),

postings as (
    select * from {{ source('ledger', 'posting') }}
),

policies as (
    select
        runs.invoice_run_id,
        late_policy.late_scope,
        late_policy.scope_code,
        late_policy.late_rule
    from runs
    inner join {{ source('reference', 'late_policy') }} as late_policy
        on
            runs.reference_cutoff >= late_policy.recorded_from
            and runs.reference_cutoff < late_policy.recorded_to
            and runs.reference_cutoff >= late_policy.valid_from
            and runs.reference_cutoff < late_policy.valid_to
),

-- Rating runs since the last posting of the period.
new_runs as (
    select
        runs.invoice_run_id,
        runs.period_month,
        rating.rating_run_id
    from runs
    cross join lateral unnest(runs.rating_runs) as rating (rating_run_id)
    where
        exists (
            select 1
            from policies
            where
                policies.invoice_run_id = runs.invoice_run_id
                and policies.late_scope in ('source', 'carrier')
        )
        and not exists (
            select 1
            from postings
            where
                postings.period_month = runs.period_month
                and postings.bill_group = runs.bill_group
                and rating.rating_run_id = any(postings.rating_runs)
        )
),

late_records as (
    select
        new_runs.invoice_run_id,
        total.account_id,
        total.source_id
    from new_runs
    inner join {{ ref('usage_total') }} as total
        on
            new_runs.rating_run_id = total.rating_run_id
            and new_runs.period_month = total.period_month
    where total.state = 'billed'
    union
    select
        new_runs.invoice_run_id,
        total.account_id,
        total.source_id
    from new_runs
    inner join {{ ref('charge_total') }} as total
        on
            new_runs.rating_run_id = total.rating_run_id
            and new_runs.period_month = total.period_month
    where total.state = 'billed'
),

source_rules as (
    select
        late_records.invoice_run_id,
        late_records.account_id,
        case
            when
                count(*) = count(coalesce(of_source.late_rule, of_carrier.late_rule))
                and min(coalesce(of_source.late_rule, of_carrier.late_rule))
                = max(coalesce(of_source.late_rule, of_carrier.late_rule))
                then min(coalesce(of_source.late_rule, of_carrier.late_rule))
        end as late_rule
    from late_records
    inner join {{ ref('dim_source') }} as sources on late_records.source_id = sources.source_id
    left join policies as of_source
        on
            late_records.invoice_run_id = of_source.invoice_run_id
            and of_source.late_scope = 'source'
            and sources.source_code = of_source.scope_code
    left join policies as of_carrier
        on
            late_records.invoice_run_id = of_carrier.invoice_run_id
            and of_carrier.late_scope = 'carrier'
            and sources.carrier_code = of_carrier.scope_code
    group by late_records.invoice_run_id, late_records.account_id
),

invoiced as (
    select distinct
        runs.invoice_run_id,
        posted.account_id,
        account_key.account_code,
        not exists (
            select 1
            from {{ source('reference', 'account') }} as account
            where
                account.account_id = posted.account_id
                and account.recorded_from <= runs.reference_cutoff
                and account.recorded_to > runs.reference_cutoff
                and account.valid_to > posted.period_end_at
        ) as is_ended
    from runs
    inner join posted on runs.period_month = posted.period_month
    inner join {{ source('reference', 'account_key') }} as account_key
        on posted.account_id = account_key.account_id
)

select
    invoiced.invoice_run_id,
    invoiced.account_id,
    case
        when bool_or(invoiced.is_ended) then 'own_period'
        else coalesce(
            min(of_account.late_rule), min(source_rules.late_rule), min(of_all.late_rule),
            'own_period'
        )
    end as late_rule
from invoiced
left join policies as of_account
    on
        invoiced.invoice_run_id = of_account.invoice_run_id
        and of_account.late_scope = 'account'
        and invoiced.account_code = of_account.scope_code
left join source_rules
    on
        invoiced.invoice_run_id = source_rules.invoice_run_id
        and invoiced.account_id = source_rules.account_id
left join policies as of_all
    on
        invoiced.invoice_run_id = of_all.invoice_run_id
        and of_all.late_scope = 'list'
group by invoiced.invoice_run_id, invoiced.account_id
