-- Grain: one row per document that posting an open billing run writes, an account and a currency:
-- an invoice, an adjustment or a credit note; or `carried`: what waits for the next invoice.
with runs as (
    select * from {{ ref('int_posting__runs') }}
),

lines as (
    select * from {{ ref('int_posting__lines') }}
),

drafts as (
    select * from {{ ref('draft_invoice') }}
),

posted as (
    select * from {{ source('ledger', 'invoice') }}
    where invoice_kind = 'invoice'
),

numbering as (
    select
        runs.invoice_run_id,
        invoice_numbering.*
    from runs
    inner join {{ source('reference', 'invoice_numbering') }} as invoice_numbering
        on
            invoice_numbering.bill_group in (runs.bill_group, '*')
            and runs.reference_cutoff >= invoice_numbering.recorded_from
            and runs.reference_cutoff < invoice_numbering.recorded_to
            and runs.reference_cutoff >= invoice_numbering.valid_from
            and runs.reference_cutoff < invoice_numbering.valid_to
),

numbered as (
    select distinct on (numbering.invoice_run_id) numbering.*
    from numbering
    order by numbering.invoice_run_id asc, numbering.bill_group = '*' asc
),

documents as (
    select
        lines.invoice_run_id,
        lines.account_id,
        lines.document,
        lines.currency_code,
        count(*) as line_count,
        sum(lines.record_count) filter (where lines.line_kind = 'usage') as usage_records,
        {%- for kind in ['usage', 'charge', 'tax'] %}
        coalesce(
            sum(lines.line_amount) filter (where lines.line_kind = '{{ kind }}'), 0
        ) as {{ kind }}_amount,
        {%- endfor %}
        coalesce(
            sum(lines.line_amount) filter (
                where lines.line_kind in ('allowance', 'volume', 'discount', 'commitment', 'cap')
            ), 0
        ) as discount_amount,
        coalesce(
            sum(lines.line_amount) filter (where lines.line_kind in ('surcharge', 'rounding')), 0
        ) as other_amount,
        coalesce(
            sum(lines.line_amount) filter (where lines.carried_line_id is not null), 0
        ) as late_amount,
        sum(lines.line_amount) as invoice_total
    from lines
    group by
        lines.invoice_run_id, lines.account_id, lines.document, lines.currency_code
)

select
    documents.invoice_run_id::bigint as invoice_run_id,
    documents.account_id::bigint as account_id,
    documents.document::text as document,
    case
        when documents.document = 'adjustment' and documents.invoice_total < 0
            then 'credit_note'
        else documents.document
    end::text as invoice_kind,
    accounts.account_code::text as account_code,
    accounts.customer_name::text as customer_name,
    runs.bill_group::text as bill_group,
    runs.period_month::date as period_month,
    coalesce(drafts.period_start_at, posted.period_start_at)::timestamptz as period_start_at,
    coalesce(drafts.period_end_at, posted.period_end_at)::timestamptz as period_end_at,
    coalesce(drafts.time_zone, posted.time_zone)::text as time_zone,
    documents.currency_code::text as currency_code,
    documents.line_count::integer as line_count,
    documents.usage_records::bigint as usage_records,
    documents.usage_amount::numeric(28, 14) as usage_amount,
    documents.charge_amount::numeric(28, 14) as charge_amount,
    documents.discount_amount::numeric(28, 14) as discount_amount,
    documents.tax_amount::numeric(28, 14) as tax_amount,
    documents.other_amount::numeric(28, 14) as other_amount,
    documents.late_amount::numeric(28, 14) as late_amount,
    documents.invoice_total::numeric(18, 4) as invoice_total,
    posted.invoice_id::bigint as adjusts_invoice_id,
    posted.invoice_label::text as adjusts_invoice_label,
    coalesce(numbered.legal_entity, '')::text as legal_entity,
    case
        when
            documents.document = 'adjustment'
            and documents.invoice_total < 0
            and numbered.credit_sequence_code is not null
            then numbered.credit_sequence_code
        else coalesce(numbered.sequence_code, 'INV')
    end::text as sequence_code,
    coalesce(numbered.number_format, '{sequence}-{number}')::text as number_format,
    coalesce(numbered.number_digits, 6)::integer as number_digits,
    coalesce(numbered.restarts, 'never')::text as restarts
from documents
inner join runs on documents.invoice_run_id = runs.invoice_run_id
left join drafts
    on
        documents.invoice_run_id = drafts.invoice_run_id
        and documents.account_id = drafts.account_id
        and documents.currency_code = drafts.currency_code
left join posted
    on
        documents.document <> 'invoice'
        and documents.account_id = posted.account_id
        and runs.period_month = posted.period_month
        and documents.currency_code = posted.currency_code
left join numbered on documents.invoice_run_id = numbered.invoice_run_id
inner join lateral (
    select
        account.account_code,
        account.customer_name
    from {{ source('reference', 'account') }} as account
    where
        account.account_id = documents.account_id
        and account.recorded_from <= runs.reference_cutoff
        and account.recorded_to > runs.reference_cutoff
    order by account.valid_from desc
    limit 1
) as accounts on true
