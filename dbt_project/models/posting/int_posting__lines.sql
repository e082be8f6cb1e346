-- Grain: one row per line that posting an open billing run writes: of an invoice, of an adjustment,
-- or carried to the next invoice of the account.
with runs as (
    select * from {{ ref('int_posting__runs') }}
),

draft_lines as (
    select * from {{ ref('draft_invoice_line') }}
),

-- Accounts that are not held and have no posted invoice of the period in this currency.
first_invoices as (
    select
        drafts.invoice_run_id,
        drafts.account_id,
        drafts.period_month,
        drafts.currency_code
    from {{ ref('draft_invoice') }} as drafts
    inner join runs on drafts.invoice_run_id = runs.invoice_run_id
    where
        drafts.hold_reason is null
        and not exists (
            select 1
            from {{ source('ledger', 'invoice') }} as posted
            where
                posted.invoice_kind = 'invoice'
                and posted.account_id = drafts.account_id
                and posted.period_month = drafts.period_month
                and posted.currency_code = drafts.currency_code
        )
),

carried_lines as (
    select carried.*
    from {{ source('ledger', 'carried_line') }} as carried
    where
        not exists (
            select 1
            from {{ source('ledger', 'invoice_line') }} as billed
            where
                billed.account_id = carried.account_id
                and billed.carried_line_id = carried.carried_line_id
        )
),

differences as (
    select * from {{ ref('int_posting__differences') }}
),

lines as (
    select
        draft_lines.invoice_run_id,
        draft_lines.account_id,
        'invoice' as document,
        1 as section_no,
        draft_lines.line_no::bigint as order_no,
        first_invoices.period_month,
        draft_lines.line_kind,
        draft_lines.charge_class,
        draft_lines.product_code,
        draft_lines.description,
        draft_lines.record_count,
        draft_lines.billed_seconds,
        draft_lines.quantity,
        draft_lines.unit,
        draft_lines.unrounded_amount,
        draft_lines.line_amount,
        draft_lines.currency_code,
        draft_lines.source_currency_code,
        draft_lines.source_amount,
        draft_lines.exchange_rate,
        draft_lines.exchange_source,
        draft_lines.exchange_rate_from,
        draft_lines.detail,
        null::bigint as original_invoice_id,
        null::integer as original_line_no,
        null::bigint as carried_line_id
    from first_invoices
    inner join draft_lines
        on
            first_invoices.invoice_run_id = draft_lines.invoice_run_id
            and first_invoices.account_id = draft_lines.account_id
            and first_invoices.currency_code = draft_lines.currency_code
    union all
    select
        first_invoices.invoice_run_id,
        carried_lines.account_id,
        'invoice' as document,
        2 as section_no,
        carried_lines.carried_line_id as order_no,
        carried_lines.period_month,
        carried_lines.line_kind,
        carried_lines.charge_class,
        carried_lines.product_code,
        carried_lines.description,
        carried_lines.record_count,
        carried_lines.billed_seconds,
        carried_lines.quantity,
        carried_lines.unit,
        carried_lines.unrounded_amount,
        carried_lines.line_amount,
        carried_lines.currency_code,
        carried_lines.source_currency_code,
        carried_lines.source_amount,
        null::numeric as exchange_rate,
        null::text as exchange_source,
        null::timestamptz as exchange_rate_from,
        carried_lines.detail,
        carried_lines.original_invoice_id,
        carried_lines.original_line_no,
        carried_lines.carried_line_id
    from first_invoices
    inner join carried_lines
        on
            first_invoices.account_id = carried_lines.account_id
            and first_invoices.currency_code = carried_lines.currency_code
            and first_invoices.period_month > carried_lines.period_month
    union all
    select
        differences.invoice_run_id,
        differences.account_id,
        case differences.late_rule
            when 'next_invoice' then 'carried'
            else 'adjustment'
        end as document,
        1 as section_no,
        null::bigint as order_no,
        differences.period_month,
        differences.line_kind,
        differences.charge_class,
        differences.product_code,
        differences.description,
        differences.record_count,
        differences.billed_seconds,
        differences.quantity,
        differences.unit,
        differences.unrounded_amount,
        differences.line_amount,
        differences.currency_code,
        differences.source_currency_code,
        differences.source_amount,
        null::numeric as exchange_rate,
        null::text as exchange_source,
        null::timestamptz as exchange_rate_from,
        jsonb_build_object(
            'billed_before', trim_scale(differences.amount_before),
            'billed_now', trim_scale(differences.amount_now)
        ) as detail,
        differences.original_invoice_id,
        differences.original_line_no,
        null::bigint as carried_line_id
    from differences
)

select
    lines.invoice_run_id::bigint as invoice_run_id,
    lines.account_id::bigint as account_id,
    lines.document::text as document,
    row_number() over (
        partition by
            lines.invoice_run_id, lines.account_id, lines.document, lines.currency_code
        order by
            lines.section_no,
            lines.order_no,
            lines.line_kind = 'rounding',
            lines.original_invoice_id,
            lines.original_line_no,
            lines.line_kind,
            lines.charge_class,
            lines.product_code,
            lines.description,
            lines.unit,
            lines.source_currency_code
    )::integer as line_no,
    lines.period_month::date as period_month,
    lines.line_kind::text as line_kind,
    lines.charge_class::text as charge_class,
    lines.product_code::text as product_code,
    lines.description::text as description,
    lines.record_count::bigint as record_count,
    lines.billed_seconds::bigint as billed_seconds,
    lines.quantity::numeric(24, 4) as quantity,
    lines.unit::text as unit,
    lines.unrounded_amount::numeric(28, 14) as unrounded_amount,
    lines.line_amount::numeric(28, 14) as line_amount,
    lines.currency_code::text as currency_code,
    lines.source_currency_code::text as source_currency_code,
    lines.source_amount::numeric(28, 14) as source_amount,
    lines.exchange_rate::numeric(20, 10) as exchange_rate,
    lines.exchange_source::text as exchange_source,
    lines.exchange_rate_from::timestamptz as exchange_rate_from,
    lines.detail::jsonb as detail,
    lines.original_invoice_id::bigint as original_invoice_id,
    lines.original_line_no::integer as original_line_no,
    lines.carried_line_id::bigint as carried_line_id
from lines
