-- Grain: one row per billing run that is drafted and not posted, and gate: what speaks against
-- posting it. A gate has one or more measures with thresholds (seed billing_gates, or billing_gate
-- of the bill group); the worst counts. Money is compared by currency, never added across them.
-- Read at the moment of the question.
with runs as (
    select * from {{ ref('int_posting__runs') }}
),

members as (
    select distinct
        runs.invoice_run_id,
        runs.period_month,
        account.account_id
    from runs
    inner join {{ source('reference', 'account') }} as account
        on runs.bill_group = account.bill_group
    where account.recorded_to = 'infinity'
),

rating_runs as (
    select * from {{ source('control', 'rating_run') }}
    where build_schema = '{{ build_schema() }}'
),

new_ratings as (
    select
        runs.invoice_run_id,
        runs.period_month,
        rating_runs.rating_run_id
    from runs
    inner join rating_runs
        on
            (
                rating_runs.status = 'closed'
                and rating_runs.rating_run_id <> all(runs.rating_runs)
            )
            or (
                rating_runs.status = 'undone'
                and rating_runs.rating_run_id = any(runs.rating_runs)
            )
),

new_money as (
    select
        new_ratings.invoice_run_id,
        new_ratings.rating_run_id,
        total.account_id
    from new_ratings
    inner join {{ ref('usage_total') }} as total
        on
            new_ratings.rating_run_id = total.rating_run_id
            and new_ratings.period_month = total.period_month
    where total.state = 'billed'
    union
    select
        new_ratings.invoice_run_id,
        new_ratings.rating_run_id,
        total.account_id
    from new_ratings
    inner join {{ ref('charge_total') }} as total
        on
            new_ratings.rating_run_id = total.rating_run_id
            and new_ratings.period_month = total.period_month
    where total.state = 'billed'
),

-- A suspended record has no account yet: it counts for every bill group. One without a time may be
-- of any period.
records as (
    select
        runs.invoice_run_id,
        total.state,
        total.currency_code,
        total.record_count,
        total.at_risk_amount
    from runs
    inner join {{ ref('usage_total') }} as total
        on
            runs.period_month = total.period_month
            or (total.state = 'error' and total.period_month is null)
    inner join rating_runs on total.rating_run_id = rating_runs.rating_run_id
    where rating_runs.status = 'closed'
    union all
    select
        runs.invoice_run_id,
        total.state,
        total.cost_currency_code as currency_code,
        total.record_count,
        total.cost_amount as at_risk_amount
    from runs
    inner join {{ ref('charge_total') }} as total
        on
            runs.period_month = total.period_month
            or (total.state = 'error' and total.period_month is null)
    inner join rating_runs on total.rating_run_id = rating_runs.rating_run_id
    where rating_runs.status = 'closed'
),

margins as (
    select
        members.invoice_run_id,
        margin.currency_code,
        margin.cost_currency_code,
        sum(margin.negative_margin_count) as negative_margin_count,
        -sum(margin.negative_margin_amount) as negative_margin_loss,
        sum(margin.missing_rate_count) as missing_rate_count,
        sum(margin.missing_rate_cost) as missing_rate_cost
    from members
    inner join {{ ref('rpt_margin') }} as margin
        on
            members.account_id = margin.account_id
            and members.period_month = margin.period_month
    group by members.invoice_run_id, margin.currency_code, margin.cost_currency_code
),

overlapping as (
    select
        members.invoice_run_id,
        count(*) as charges
    from members
    inner join {{ ref('rpt_charge_overlap') }} as overlap
        on
            members.account_id = overlap.account_id
            and members.period_month <= overlap.overlap_to
            and members.period_month + interval '2 months' > overlap.overlap_from
    group by members.invoice_run_id
),

elsewhere as (
    select
        drafts.invoice_run_id,
        count(distinct drafts.account_id) as accounts
    from runs
    inner join {{ ref('draft_invoice') }} as drafts on runs.invoice_run_id = drafts.invoice_run_id
    inner join {{ source('ledger', 'invoice') }} as posted
        on
            drafts.account_id = posted.account_id
            and drafts.period_month = posted.period_month
            and runs.bill_group <> posted.bill_group
    group by drafts.invoice_run_id
),

held as (
    select
        drafts.invoice_run_id,
        count(*) as invoices,
        string_agg(distinct drafts.hold_reason, '; ') as reasons
    from {{ ref('draft_invoice') }} as drafts
    where drafts.hold_reason is not null
    group by drafts.invoice_run_id
),

-- What is measured without looking at the run.
standing as (
    select
        'balance' as gate_code,
        'files' as measure,
        count(*)::numeric as value,
        string_agg(reconciliation.file_id::text, ', ') as named
    from {{ ref('rpt_reconciliation__file') }} as reconciliation
    where not reconciliation.is_balanced
    union all
    select
        'balance' as gate_code,
        'runs' as measure,
        count(*)::numeric as value,
        string_agg(rating_runs.rating_run_id::text, ', ') as named
    from rating_runs
    where rating_runs.status in ('running', 'failed', 'queued')
    union all
    select
        'waiting' as gate_code,
        'unrated' as measure,
        count(*)::numeric as value,
        null as named
    from {{ source('control', 'file') }} as files
    where
        files.status = 'landed'
        and not exists (
            select 1
            from {{ source('control', 'rating_run_file') }} as taken
            where
                taken.file_id = files.file_id
                and taken.is_initial
                and taken.build_schema = '{{ build_schema() }}'
        )
    union all
    select
        'waiting' as gate_code,
        'held' as measure,
        count(*)::numeric as value,
        null as named
    from {{ source('control', 'file') }} as files
    where files.status = 'held'
    union all
    select
        'overdue' as gate_code,
        'sources' as measure,
        count(*)::numeric as value,
        string_agg(health.source_code, ', ' order by health.source_code) as named
    from {{ ref('rpt_source_health') }} as health
    where health.is_overdue
),

measured as (
    select
        runs.invoice_run_id,
        standing.gate_code,
        standing.measure,
        standing.value,
        standing.named
    from runs
    cross join standing
    union all
    select
        records.invoice_run_id,
        'suspense' as gate_code,
        'records' as measure,
        coalesce(sum(records.record_count) filter (where records.state = 'error'), 0) as value,
        null as named
    from records
    group by records.invoice_run_id
    union all
    select
        records.invoice_run_id,
        'suspense' as gate_code,
        'share' as measure,
        round(
            100 * coalesce(sum(records.record_count) filter (where records.state = 'error'), 0)
            / nullif(sum(records.record_count), 0), 2
        ) as value,
        null as named
    from records
    group by records.invoice_run_id
    union all
    select
        records.invoice_run_id,
        'suspense' as gate_code,
        'amount' as measure,
        sum(records.at_risk_amount) as value,
        records.currency_code as named
    from records
    where records.state = 'error' and records.at_risk_amount is not null
    group by records.invoice_run_id, records.currency_code
    having sum(records.at_risk_amount) <> 0
    union all
    select
        margins.invoice_run_id,
        'missing_rate' as gate_code,
        'records' as measure,
        sum(margins.missing_rate_count) as value,
        null as named
    from margins
    group by margins.invoice_run_id
    union all
    select
        margins.invoice_run_id,
        'missing_rate' as gate_code,
        'loss' as measure,
        sum(margins.missing_rate_cost) as value,
        margins.cost_currency_code as named
    from margins
    where margins.missing_rate_cost <> 0
    group by margins.invoice_run_id, margins.cost_currency_code
    union all
    select
        margins.invoice_run_id,
        'negative_margin' as gate_code,
        'records' as measure,
        sum(margins.negative_margin_count) as value,
        null as named
    from margins
    group by margins.invoice_run_id
    union all
    select
        margins.invoice_run_id,
        'negative_margin' as gate_code,
        'loss' as measure,
        sum(margins.negative_margin_loss) as value,
        margins.currency_code as named
    from margins
    where margins.negative_margin_loss <> 0
    group by margins.invoice_run_id, margins.currency_code
    union all
    select
        overlapping.invoice_run_id,
        'overlap' as gate_code,
        'charges' as measure,
        overlapping.charges::numeric as value,
        null as named
    from overlapping
    union all
    select
        elsewhere.invoice_run_id,
        'overlap' as gate_code,
        'accounts' as measure,
        elsewhere.accounts::numeric as value,
        null as named
    from elsewhere
    union all
    select
        held.invoice_run_id,
        'held' as gate_code,
        'invoices' as measure,
        held.invoices::numeric as value,
        held.reasons as named
    from held
    union all
    select
        new_money.invoice_run_id,
        'stale' as gate_code,
        'ratings' as measure,
        count(distinct new_money.rating_run_id)::numeric as value,
        string_agg(distinct new_money.rating_run_id::text, ', ') as named
    from new_money
    inner join members
        on
            new_money.invoice_run_id = members.invoice_run_id
            and new_money.account_id = members.account_id
    group by new_money.invoice_run_id
    union all
    select
        runs.invoice_run_id,
        'stale' as gate_code,
        'reference' as measure,
        count(*)::numeric as value,
        string_agg(distinct loads.kind, ', ') as named
    from runs
    inner join {{ source('control', 'reference_load') }} as loads
        on
            runs.reference_cutoff < loads.recorded_at
            and loads.rows_added + loads.rows_changed > 0
    group by runs.invoice_run_id
    union all
    select
        runs.invoice_run_id,
        'stale' as gate_code,
        'marked' as measure,
        1::numeric as value,
        runs.stale_reason as named
    from runs
    where runs.stale_since is not null
),

thresholds as (
    select
        runs.invoice_run_id,
        gates.gate_code,
        gates.measure,
        gates.sort_order,
        gates.title,
        gates.unit,
        gates.what_to_do,
        case when own.gate_code is null then gates.warn_above else own.warn_above end as warn_above,
        case
            when own.gate_code is null then gates.block_above else own.block_above
        end as block_above
    from runs
    cross join {{ ref('billing_gates') }} as gates
    left join lateral (
        select
            billing_gate.gate_code,
            billing_gate.warn_above,
            billing_gate.block_above
        from {{ source('reference', 'billing_gate') }} as billing_gate
        where
            billing_gate.gate_code = gates.gate_code
            and billing_gate.measure = gates.measure
            and billing_gate.bill_group in (runs.bill_group, '*')
            and billing_gate.recorded_to = 'infinity'
            and billing_gate.valid_from <= now()
            and billing_gate.valid_to > now()
        order by billing_gate.bill_group = '*'
        limit 1
    ) as own on true
),

judged as (
    select
        thresholds.*,
        coalesce(measured.value, 0) as value,
        case
            when measured.value > thresholds.block_above then 3
            when measured.value > thresholds.warn_above then 2
            else 1
        end as severity,
        {{ plain('round(coalesce(measured.value, 0), 6)') }} || ' '
        || case
            -- money names its currency
            when thresholds.measure in ('amount', 'loss')
                then coalesce(measured.named || ' ', '') || thresholds.unit
            else thresholds.unit || coalesce(' (' || left(measured.named, 200) || ')', '')
        end
        || case
            when measured.value > thresholds.block_above
                then ', more than ' || {{ plain('thresholds.block_above') }}
            else ''
        end as words
    from thresholds
    left join measured
        on
            thresholds.invoice_run_id = measured.invoice_run_id
            and thresholds.gate_code = measured.gate_code
            and thresholds.measure = measured.measure
)

select
    judged.invoice_run_id::bigint as invoice_run_id,
    judged.gate_code::text as gate_code,
    min(judged.sort_order)::integer as sort_order,
    min(judged.title)::text as title,
    case max(judged.severity) when 3 then 'blocked' when 2 then 'warn' else 'passed' end::text
        as gate_status,
    string_agg(judged.words, '; ' order by judged.measure desc, judged.words asc) filter (
        where judged.value <> 0 or judged.severity > 1
    )::text as figures,
    (
        array_agg(judged.what_to_do order by judged.severity desc, judged.measure asc)
    )[1]::text as what_to_do
from judged
group by judged.invoice_run_id, judged.gate_code
