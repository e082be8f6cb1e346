-- Grain: one row per posting and charge line (SDR) that was billed when it was posted, whatever
-- was rated, rated again or undone since. Asked by posting_id, and account_id where one is meant.
with postings as (
    select * from {{ source('ledger', 'posting') }}
),

rated as (
    select * from {{ ref('rated_charge') }}
),

supersessions as (
    select * from {{ ref('charge_supersession') }}
),

invoices as (
    select * from {{ source('ledger', 'invoice') }}
)

select
    postings.posting_id::bigint as posting_id,
    postings.invoice_run_id::bigint as invoice_run_id,
    rated.account_id::bigint as account_id,
    rated.period_month::date as period_month,
    rated.charge_id::bigint as charge_id,
    rated.rating_run_id::bigint as rating_run_id,
    rated.file_id::bigint as file_id,
    rated.line_no::bigint as line_no,
    rated.charge_class::text as charge_class,
    rated.product_code::text as product_code,
    rated.charge_amount::numeric(28, 14) as charge_amount,
    rated.currency_code::text as currency_code
from postings
inner join rated
    on
        postings.period_month = rated.period_month
        and rated.rating_run_id = any(postings.rating_runs)
where
    rated.state = 'billed'
    and exists (
        select 1
        from invoices
        where
            invoices.account_id = rated.account_id
            and invoices.period_month = postings.period_month
            and invoices.bill_group = postings.bill_group
            and invoices.posting_id <= postings.posting_id
    )
    and not exists (
        select 1
        from supersessions
        where
            supersessions.account_id = rated.account_id
            and supersessions.charge_id = rated.charge_id
            and supersessions.superseded_run_id = rated.rating_run_id
            and supersessions.rating_run_id = any(postings.rating_runs)
    )
