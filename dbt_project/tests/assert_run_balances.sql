{{ config(
    tags=['rating', 'completeness'],
    meta={'dagster': {'ref': {'name': 'rpt_reconciliation__run'}}}
) }}
-- Returns the current run if it lost a record, rated one twice or replaced what it should not have.
select
    reconciliation.rating_run_id,
    reconciliation.landed_count,
    reconciliation.rated_count,
    reconciliation.files_out_of_balance
from {{ ref('rpt_reconciliation__run') }} as reconciliation
where
    reconciliation.rating_run_id = {{ run_id() }}
    and not reconciliation.is_balanced
