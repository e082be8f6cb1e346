-- Grain: one row per record that counts and invoice line that its amount is part of, or allowance
-- that it took units from: more items for rpt_explain__record. Made to look one record up: ask by
-- file_id and line_no.
with usage_rows as (
    select * from {{ ref('current_rated_usage') }}
),

charge_rows as (
    select * from {{ ref('current_rated_charge') }}
),

invoice_runs as (
    select *
    from {{ source('control', 'invoice_run') }}
    where
        build_schema = '{{ build_schema() }}'
        and status <> 'failed'
        and is_current
),

invoice_lines as (
    select * from {{ ref('draft_invoice_line') }}
),

allowance_runs as (
    select * from {{ source('control', 'invoice_run') }}
    where
        build_schema = '{{ build_schema() }}'
        and status <> 'failed'
        and is_current
),

allowance_usage as (
    select * from {{ ref('current_rated_usage') }}
),

allowance_uses as (
    select * from {{ ref('allowance_use') }}
),

records as (
    select
        usage_rows.file_id,
        usage_rows.line_no,
        usage_rows.leg_no::integer as leg_no,
        usage_rows.usage_id as record_id,
        'usage' as line_kind,
        usage_rows.account_id,
        usage_rows.period_month,
        usage_rows.charge_class,
        usage_rows.currency_code,
        null as product_code,
        null as description
    from usage_rows
    where usage_rows.state = 'billed'
    union all
    select
        charge_rows.file_id,
        charge_rows.line_no,
        0 as leg_no,
        charge_rows.charge_id as record_id,
        'charge' as line_kind,
        charge_rows.account_id,
        charge_rows.period_month,
        charge_rows.charge_class,
        charge_rows.currency_code,
        charge_rows.product_code,
        charge_rows.description
    from charge_rows
    where charge_rows.state = 'billed'
)

select
    records.file_id::bigint as file_id,
    records.line_no::bigint as line_no,
    records.leg_no::integer as leg_no,
    records.record_id::bigint as record_id,
    85::integer as section_no,
    'Invoice'::text as section,
    invoice_lines.line_no::bigint as item_no,
    ('line ' || invoice_lines.line_no)::text as item,
    concat(
        'invoice of ', to_char(records.period_month, 'YYYY-MM'), ' (', invoice_runs.status,
        ', drafted ' || {{ instant_in_words('invoice_runs.drafted_at') }}, '): ',
        invoice_lines.description, ', ', invoice_lines.record_count, ' ',
        case when invoice_lines.record_count = 1 then 'record' else 'records' end,
        ', together ', {{ plain('invoice_lines.line_amount') }}, ' ', invoice_lines.currency_code
    )::text as value
from records
inner join invoice_runs on records.period_month = invoice_runs.period_month
inner join invoice_lines
    on
        invoice_runs.invoice_run_id = invoice_lines.invoice_run_id
        and records.account_id = invoice_lines.account_id
        and records.line_kind = invoice_lines.line_kind
        and records.charge_class = invoice_lines.charge_class
        -- what stands in another currency than the account's is converted line by line
        and records.currency_code
        = coalesce(invoice_lines.source_currency_code, invoice_lines.currency_code)
        and records.product_code is not distinct from invoice_lines.product_code
        and (records.line_kind = 'usage' or records.description = invoice_lines.description)
union all
select
    allowance_usage.file_id::bigint as file_id,
    allowance_usage.line_no::bigint as line_no,
    allowance_usage.leg_no::integer as leg_no,
    allowance_usage.usage_id::bigint as record_id,
    84::integer as section_no,
    'Allowances'::text as section,
    allowance_uses.piece_no::bigint as item_no,
    ('piece ' || allowance_uses.piece_no)::text as item,
    concat(
        {{ plain('allowance_uses.units_taken') }}, ' ', allowance_uses.unit, ' free by ',
        allowance_uses.allowance_code, ' (', allowance_uses.grant_kind, ' of ',
        to_char(allowance_uses.origin_month, 'YYYY-MM'), ', held by the ',
        allowance_uses.holder_kind, '): ', {{ plain('allowance_uses.consumed_units') }}, ' ',
        allowance_uses.allowance_unit, ' taken, ', {{ plain('allowance_uses.left_after') }},
        ' left; ', {{ plain('allowance_uses.waived_amount') }}, ' ', allowance_uses.currency_code,
        ' less to pay'
    )::text as value
from allowance_usage
inner join allowance_uses
    on
        allowance_usage.account_id = allowance_uses.account_id
        and allowance_usage.usage_id = allowance_uses.usage_id
        and allowance_usage.period_month = allowance_uses.period_month
inner join allowance_runs on allowance_uses.invoice_run_id = allowance_runs.invoice_run_id
