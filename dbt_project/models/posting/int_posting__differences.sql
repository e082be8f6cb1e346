-- Grain: one row per open billing run, account, currency and kind of line whose draft is not what
-- was billed for the period before: what is due now, less what the ledger has.
-- Accounts without a posted invoice of the period have none: they are invoiced. Held accounts have
-- none: they wait. Lines of one kind are added up; rounding is a line like any other, so that
-- differences add up to whole cents, or what the currency has.
{% set sums = [
    'record_count', 'billed_seconds', 'quantity', 'unrounded_amount', 'line_amount',
    'source_amount'
] %}

with runs as (
    select * from {{ ref('int_posting__runs') }}
),

drafts as (
    select * from {{ ref('draft_invoice') }}
),

draft_lines as (
    select * from {{ ref('draft_invoice_line') }}
),

posted as (
    select * from {{ source('ledger', 'invoice') }}
    where invoice_kind = 'invoice'
),

billed_lines as (
    select * from {{ source('ledger', 'billed_line') }}
),

-- The group an account was in when the period ended: one that moved is adjusted by its new group.
invoiced as (
    select
        runs.invoice_run_id,
        posted.account_id,
        posted.period_month,
        posted.currency_code
    from runs
    inner join posted on runs.period_month = posted.period_month
    left join lateral (
        select account.bill_group
        from {{ source('reference', 'account') }} as account
        where
            account.account_id = posted.account_id
            and account.recorded_from <= runs.reference_cutoff
            and account.recorded_to > runs.reference_cutoff
            and account.valid_from < posted.period_end_at
            and account.valid_to > posted.period_start_at
        order by account.valid_from desc
        limit 1
    ) as accounts on true
    where
        coalesce(accounts.bill_group, posted.bill_group) = runs.bill_group
        and not exists (
            select 1
            from drafts
            where
                drafts.invoice_run_id = runs.invoice_run_id
                and drafts.account_id = posted.account_id
                and drafts.hold_reason is not null
        )
),

sides as (
    select
        invoiced.invoice_run_id,
        invoiced.period_month,
        draft_lines.account_id,
        draft_lines.line_kind,
        draft_lines.charge_class,
        draft_lines.product_code,
        draft_lines.description,
        draft_lines.unit,
        draft_lines.currency_code,
        draft_lines.source_currency_code,
        {%- for name in sums %}
        draft_lines.{{ name }},
        {%- endfor %}
        draft_lines.line_amount as amount_now,
        0 as amount_before,
        null::bigint as invoice_id,
        null::integer as line_no
    from invoiced
    inner join draft_lines
        on
            invoiced.invoice_run_id = draft_lines.invoice_run_id
            and invoiced.account_id = draft_lines.account_id
            and invoiced.currency_code = draft_lines.currency_code
    union all
    select
        invoiced.invoice_run_id,
        invoiced.period_month,
        billed_lines.account_id,
        billed_lines.line_kind,
        billed_lines.charge_class,
        billed_lines.product_code,
        billed_lines.description,
        billed_lines.unit,
        billed_lines.currency_code,
        billed_lines.source_currency_code,
        {%- for name in sums %}
        -billed_lines.{{ name }} as {{ name }},
        {%- endfor %}
        0 as amount_now,
        billed_lines.line_amount as amount_before,
        billed_lines.invoice_id,
        billed_lines.line_no
    from invoiced
    inner join billed_lines
        on
            invoiced.account_id = billed_lines.account_id
            and invoiced.period_month = billed_lines.period_month
            and invoiced.currency_code = billed_lines.currency_code
),

summed as (
    select
        sides.invoice_run_id,
        sides.account_id,
        sides.period_month,
        sides.line_kind,
        sides.charge_class,
        sides.product_code,
        sides.description,
        sides.unit,
        sides.currency_code,
        sides.source_currency_code,
        {%- for name in sums %}
        sum(sides.{{ name }}) as {{ name }},
        {%- endfor %}
        sum(sides.amount_now) as amount_now,
        sum(sides.amount_before) as amount_before,
        -- the first that was posted for it
        (
            array_agg(sides.invoice_id order by sides.invoice_id, sides.line_no)
            filter (where sides.invoice_id is not null)
        )[1] as original_invoice_id,
        (
            array_agg(sides.line_no order by sides.invoice_id, sides.line_no)
            filter (where sides.invoice_id is not null)
        )[1] as original_line_no
    from sides
    group by
        sides.invoice_run_id,
        sides.account_id,
        sides.period_month,
        sides.line_kind,
        sides.charge_class,
        sides.product_code,
        sides.description,
        sides.unit,
        sides.currency_code,
        sides.source_currency_code
    having
        sum(sides.line_amount) <> 0
        or sum(sides.record_count) <> 0
        or sum(sides.quantity) <> 0
        or sum(sides.unrounded_amount) <> 0
        or coalesce(sum(sides.billed_seconds), 0) <> 0
),

-- What changed no money is told beside what did, and alone it waits.
told as (
    select
        summed.*,
        bool_or(summed.line_amount <> 0) over (
            partition by summed.invoice_run_id, summed.account_id, summed.currency_code
        ) as is_due
    from summed
)

select
    told.*,
    coalesce(policies.late_rule, 'own_period') as late_rule
from told
left join {{ ref('int_posting__late_rules') }} as policies
    on
        told.invoice_run_id = policies.invoice_run_id
        and told.account_id = policies.account_id
where told.is_due
