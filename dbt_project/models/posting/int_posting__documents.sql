-- Grain: one row per document: a posted invoice, adjustment or credit note, or a draft of one that
-- posting the open billing run would write. With the seller, the address and the settings of its
-- looks. A posted document keeps those that were known when it was posted; what nobody had said by
-- then is taken from what was said first.
with posted as (
    select * from {{ source('ledger', 'invoice') }}
),

drafts as (
    select * from {{ ref('int_posting__invoices') }}
    where document <> 'carried'
),

documents as (
    select
        posted.invoice_label as document_key,
        'posted' as document_status,
        posted.posting_id,
        posted.invoice_run_id,
        posted.account_id,
        posted.invoice_id,
        posted.invoice_kind,
        posted.invoice_label,
        posted.bill_group,
        posted.legal_entity,
        posted.account_code,
        posted.customer_name,
        posted.period_month,
        posted.period_start_at,
        posted.period_end_at,
        posted.time_zone,
        posted.currency_code,
        posted.line_count,
        posted.invoice_total,
        posted.adjusts_invoice_id,
        posted.invoice_date,
        posted.posted_at as as_of
    from posted
    union all
    select
        concat_ws(
            '-', 'DRAFT', to_char(drafts.period_month, 'YYYY-MM'), drafts.account_code,
            drafts.currency_code
        ) as document_key,
        'draft' as document_status,
        null as posting_id,
        drafts.invoice_run_id,
        drafts.account_id,
        null as invoice_id,
        drafts.invoice_kind,
        null as invoice_label,
        drafts.bill_group,
        drafts.legal_entity,
        drafts.account_code,
        drafts.customer_name,
        drafts.period_month,
        drafts.period_start_at,
        drafts.period_end_at,
        drafts.time_zone,
        drafts.currency_code,
        drafts.line_count,
        drafts.invoice_total,
        drafts.adjusts_invoice_id,
        null as invoice_date,
        now() as as_of
    from drafts
)

select
    documents.document_key::text as document_key,
    documents.document_status::text as document_status,
    documents.posting_id::bigint as posting_id,
    documents.invoice_run_id::bigint as invoice_run_id,
    documents.account_id::bigint as account_id,
    documents.invoice_id::bigint as invoice_id,
    documents.invoice_kind::text as invoice_kind,
    documents.invoice_label::text as invoice_label,
    documents.bill_group::text as bill_group,
    documents.legal_entity::text as legal_entity,
    documents.account_code::text as account_code,
    documents.customer_name::text as customer_name,
    documents.period_month::date as period_month,
    documents.period_start_at::timestamptz as period_start_at,
    documents.period_end_at::timestamptz as period_end_at,
    documents.time_zone::text as time_zone,
    documents.currency_code::text as currency_code,
    coalesce(units.decimals, 2)::integer as currency_decimals,
    documents.line_count::integer as line_count,
    documents.invoice_total::numeric(18, 4) as invoice_total,
    documents.invoice_date::date as invoice_date,
    originals.invoice_label::text as adjusts_label,
    originals.invoice_date::date as adjusts_date,
    coalesce(sellers.seller_name, documents.legal_entity)::text as seller_name,
    coalesce(sellers.seller_address, '')::text as seller_address,
    coalesce(sellers.seller_tax_id, '')::text as seller_tax_id,
    coalesce(sellers.seller_contact, '')::text as seller_contact,
    coalesce(sellers.payment_details, '')::text as payment_details,
    case
        when documents.invoice_kind = 'invoice'
            then documents.invoice_date + sellers.payment_days
    end::date as due_date,
    coalesce(sellers.footer_note, '')::text as footer_note,
    coalesce(sellers.logo_path, '')::text as logo_path,
    coalesce(sellers.accent_colour, '#1F4E79')::text as accent_colour,
    coalesce(sellers.date_style, 'iso')::text as date_style,
    coalesce(sellers.number_style, 'comma_point')::text as number_style,
    coalesce(sellers.currency_style, 'code')::text as currency_style,
    coalesce(sellers.page_size, 'A4')::text as page_size,
    coalesce(sellers.number_display, 'whole')::text as number_display,
    coalesce(sellers.is_itemised, true)::boolean as is_itemised,
    coalesce(nullif(addresses.addressee, ''), documents.customer_name)::text as addressee,
    coalesce(addresses.address, '')::text as customer_address,
    coalesce(addresses.tax_id, '')::text as customer_tax_id,
    coalesce(addresses.customer_reference, '')::text as customer_reference
from documents
left join posted as originals
    on
        documents.account_id = originals.account_id
        and documents.adjusts_invoice_id = originals.invoice_id
left join {{ ref('currency_decimals') }} as units
    on documents.currency_code = units.currency_code
left join lateral (
    select seller.*
    from {{ source('reference', 'seller') }} as seller
    where
        seller.legal_entity in (documents.legal_entity, '*')
        and seller.valid_from <= documents.as_of
        and seller.valid_to > documents.as_of
        and seller.recorded_to > documents.as_of
    order by
        seller.recorded_from > documents.as_of,
        seller.legal_entity = '*',
        seller.recorded_from
    limit 1
) as sellers on true
left join lateral (
    select address.*
    from {{ source('reference', 'billing_address') }} as address
    where
        address.account_code = documents.account_code
        and address.valid_from <= documents.as_of
        and address.valid_to > documents.as_of
        and address.recorded_to > documents.as_of
    order by address.recorded_from
    limit 1
) as addresses on true
