-- Grain: one row per line of a document, with its section and the amount as it is printed: to as
-- many decimals as the lines of the document need, six at most. What that loses stands in the
-- rounding line, so that what is printed adds up to the total.
with documents as (
    select * from {{ ref('int_posting__documents') }}
),

posted_lines as (
    select * from {{ source('ledger', 'invoice_line') }}
),

draft_lines as (
    select * from {{ ref('int_posting__lines') }}
    where document <> 'carried'
),

lines as (
    select
        documents.document_key,
        documents.document_status,
        documents.currency_decimals,
        documents.invoice_run_id,
        posted_lines.account_id,
        posted_lines.invoice_id,
        posted_lines.line_no,
        posted_lines.period_month,
        posted_lines.line_kind,
        posted_lines.charge_class,
        posted_lines.product_code,
        posted_lines.description,
        posted_lines.record_count,
        posted_lines.billed_seconds,
        posted_lines.quantity,
        posted_lines.unit,
        posted_lines.unrounded_amount,
        posted_lines.line_amount,
        posted_lines.currency_code,
        posted_lines.source_currency_code,
        posted_lines.source_amount,
        posted_lines.exchange_rate,
        posted_lines.exchange_source,
        posted_lines.exchange_rate_from,
        posted_lines.detail,
        posted_lines.original_invoice_id,
        posted_lines.original_line_no,
        posted_lines.carried_line_id
    from documents
    inner join posted_lines
        on
            documents.account_id = posted_lines.account_id
            and documents.invoice_id = posted_lines.invoice_id
    where documents.document_status = 'posted'
    union all
    select
        documents.document_key,
        documents.document_status,
        documents.currency_decimals,
        documents.invoice_run_id,
        draft_lines.account_id,
        null::bigint as invoice_id,
        draft_lines.line_no,
        draft_lines.period_month,
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
        draft_lines.original_invoice_id,
        draft_lines.original_line_no,
        draft_lines.carried_line_id
    from documents
    inner join draft_lines
        on
            documents.invoice_run_id = draft_lines.invoice_run_id
            and documents.account_id = draft_lines.account_id
            and documents.currency_code = draft_lines.currency_code
    where documents.document_status = 'draft'
),

measured as (
    select
        lines.*,
        max(lines.line_no) filter (where lines.line_kind = 'rounding') over document
            as rounding_line_no,
        max(scale(trim_scale(lines.line_amount))) over document as needed_decimals,
        sum(lines.line_amount) over document as document_amount
    from lines
    window document as (
        partition by
            lines.document_status, lines.invoice_run_id, lines.account_id, lines.document_key
    )
),

shortened as (
    select
        measured.*,
        greatest(
            measured.currency_decimals,
            case
                when measured.rounding_line_no is null then measured.needed_decimals
                else least(measured.needed_decimals, 6)
            end
        ) as line_decimals
    from measured
),

printed as (
    select
        shortened.*,
        case
            when shortened.line_no = shortened.rounding_line_no
                then
                    shortened.document_amount - coalesce(
                        sum(round(shortened.line_amount, shortened.line_decimals)) filter (
                            where shortened.line_no is distinct from shortened.rounding_line_no
                        ) over (
                            partition by
                                shortened.document_status,
                                shortened.invoice_run_id,
                                shortened.account_id,
                                shortened.document_key
                        ),
                        0
                    )
            else round(shortened.line_amount, shortened.line_decimals)
        end as printed_amount
    from shortened
)

select
    printed.document_key::text as document_key,
    printed.document_status::text as document_status,
    printed.invoice_run_id::bigint as invoice_run_id,
    printed.account_id::bigint as account_id,
    printed.invoice_id::bigint as invoice_id,
    printed.line_no::integer as line_no,
    case
        when printed.line_kind = 'rounding' then 11
        when printed.line_kind = 'tax' then 10
        when printed.carried_line_id is not null then 9
        else array_position(
            array[
                'usage', 'charge', 'allowance', 'volume', 'discount', 'commitment', 'cap',
                'surcharge'
            ],
            printed.line_kind
        )
    end::integer as section_no,
    case
        when printed.line_kind = 'rounding' then 'Rounding'
        when printed.line_kind = 'tax' then 'Taxes'
        when printed.carried_line_id is not null then 'From earlier periods'
        when printed.line_kind = 'usage' then 'Usage'
        when printed.line_kind = 'charge' then 'Services and fees'
        when printed.line_kind = 'allowance' then 'Included usage'
        when printed.line_kind = 'volume' then 'Volume prices'
        when printed.line_kind = 'discount' then 'Discounts'
        when printed.line_kind = 'commitment' then 'Minimum commitment'
        when printed.line_kind = 'cap' then 'Spending cap'
        when printed.line_kind = 'surcharge' then 'Surcharges'
    end::text as section,
    printed.period_month::date as period_month,
    printed.line_kind::text as line_kind,
    printed.charge_class::text as charge_class,
    printed.product_code::text as product_code,
    printed.description::text as description,
    printed.record_count::bigint as record_count,
    printed.billed_seconds::bigint as billed_seconds,
    printed.quantity::numeric(24, 4) as quantity,
    printed.unit::text as unit,
    printed.unrounded_amount::numeric(28, 14) as unrounded_amount,
    printed.line_amount::numeric(28, 14) as line_amount,
    printed.printed_amount::numeric(28, 14) as printed_amount,
    printed.line_decimals::integer as line_decimals,
    printed.currency_code::text as currency_code,
    printed.source_currency_code::text as source_currency_code,
    printed.source_amount::numeric(28, 14) as source_amount,
    printed.exchange_rate::numeric(20, 10) as exchange_rate,
    printed.exchange_source::text as exchange_source,
    printed.exchange_rate_from::timestamptz as exchange_rate_from,
    (printed.detail ->> 'base_amount')::numeric(28, 14) as base_amount,
    (printed.detail ->> 'percent')::numeric(20, 10) as percent,
    (printed.detail ->> 'billed_before')::numeric(28, 14) as billed_before,
    (printed.detail ->> 'billed_now')::numeric(28, 14) as billed_now,
    (printed.carried_line_id is not null)::boolean as is_carried,
    originals.invoice_label::text as original_label,
    originals.invoice_date::date as original_date,
    printed.original_line_no::integer as original_line_no
from printed
left join {{ source('ledger', 'invoice') }} as originals
    on
        printed.account_id = originals.account_id
        and printed.original_invoice_id = originals.invoice_id
