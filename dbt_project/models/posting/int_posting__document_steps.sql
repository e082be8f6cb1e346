-- Grain: one row per document and step that it bills: from the rating runs that were billed before
-- (none for an invoice) to those that are billed now. A document has its own step, and one for
-- every posting whose differences were carried to it. A record belongs to the document if a step
-- brings it or takes it away.
with documents as (
    select * from {{ ref('int_posting__documents') }}
),

document_lines as (
    select * from {{ ref('int_posting__document_lines') }}
),

postings as (
    select * from {{ source('ledger', 'posting') }}
),

invoices as (
    select * from {{ source('ledger', 'invoice') }}
),

runs as (
    select * from {{ source('control', 'invoice_run') }}
),

-- Currencies of the records that the document bills: its own, and what was converted.
currencies as (
    select
        document_lines.document_status,
        document_lines.invoice_run_id,
        document_lines.account_id,
        document_lines.document_key,
        array_agg(distinct document_lines.source_currency_code)
        filter (where document_lines.source_currency_code is not null) as source_currencies
    from document_lines
    group by
        document_lines.document_status,
        document_lines.invoice_run_id,
        document_lines.account_id,
        document_lines.document_key
),

carried as (
    select distinct
        invoice_line.account_id,
        invoice_line.invoice_id,
        carried_line.posting_id
    from {{ source('ledger', 'invoice_line') }} as invoice_line
    inner join {{ source('ledger', 'carried_line') }} as carried_line
        on
            invoice_line.account_id = carried_line.account_id
            and invoice_line.carried_line_id = carried_line.carried_line_id
),

carried_to_drafts as (
    select distinct
        draft_lines.invoice_run_id,
        draft_lines.account_id,
        draft_lines.currency_code,
        carried_line.posting_id
    from {{ ref('int_posting__lines') }} as draft_lines
    inner join {{ source('ledger', 'carried_line') }} as carried_line
        on
            draft_lines.account_id = carried_line.account_id
            and draft_lines.carried_line_id = carried_line.carried_line_id
),

steps as (
    select
        documents.document_key,
        documents.document_status,
        documents.invoice_run_id,
        documents.account_id,
        documents.invoice_id,
        documents.period_month,
        coalesce(postings.posting_id, 9223372036854775807) as posting_id,
        coalesce(postings.rating_runs, runs.rating_runs) as runs_now,
        documents.invoice_kind <> 'invoice' as is_difference
    from documents
    left join postings on documents.posting_id = postings.posting_id
    left join runs on documents.invoice_run_id = runs.invoice_run_id
    union all
    select
        documents.document_key,
        documents.document_status,
        documents.invoice_run_id,
        documents.account_id,
        documents.invoice_id,
        postings.period_month,
        postings.posting_id,
        postings.rating_runs as runs_now,
        true as is_difference
    from documents
    inner join carried
        on
            documents.account_id = carried.account_id
            and documents.invoice_id = carried.invoice_id
    inner join postings on carried.posting_id = postings.posting_id
    where documents.document_status = 'posted'
    union all
    select
        documents.document_key,
        documents.document_status,
        documents.invoice_run_id,
        documents.account_id,
        documents.invoice_id,
        postings.period_month,
        postings.posting_id,
        postings.rating_runs as runs_now,
        true as is_difference
    from documents
    inner join carried_to_drafts
        on
            documents.invoice_run_id = carried_to_drafts.invoice_run_id
            and documents.account_id = carried_to_drafts.account_id
            and documents.currency_code = carried_to_drafts.currency_code
    inner join postings on carried_to_drafts.posting_id = postings.posting_id
    where documents.document_status = 'draft'
)

select
    steps.document_key::text as document_key,
    steps.document_status::text as document_status,
    steps.invoice_run_id::bigint as invoice_run_id,
    steps.account_id::bigint as account_id,
    steps.invoice_id::bigint as invoice_id,
    steps.period_month::date as period_month,
    coalesce(steps.runs_now, '{}')::bigint[] as runs_now,
    coalesce(before.rating_runs, '{}')::bigint[] as runs_before,
    (documents.currency_code || coalesce(currencies.source_currencies, '{}'))::text[]
        as currencies,
    documents.time_zone::text as time_zone,
    documents.number_display::text as number_display,
    documents.is_itemised::boolean as is_itemised
from steps
inner join documents
    on
        steps.document_status = documents.document_status
        and steps.invoice_run_id = documents.invoice_run_id
        and steps.account_id = documents.account_id
        and steps.document_key = documents.document_key
left join currencies
    on
        steps.document_status = currencies.document_status
        and steps.invoice_run_id = currencies.invoice_run_id
        and steps.account_id = currencies.account_id
        and steps.document_key = currencies.document_key
left join lateral (
    select earlier.rating_runs
    from postings as earlier
    where
        steps.is_difference
        and earlier.period_month = steps.period_month
        and earlier.posting_id < steps.posting_id
        and exists (
            select 1
            from invoices
            where
                invoices.account_id = steps.account_id
                and invoices.period_month = steps.period_month
                and invoices.bill_group = earlier.bill_group
                and invoices.posting_id <= earlier.posting_id
        )
    order by earlier.posting_id desc
    limit 1
) as before on true
