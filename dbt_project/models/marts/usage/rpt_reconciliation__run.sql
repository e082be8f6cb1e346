-- Grain: one row per rating run. A run may close only when is_balanced: it rated each record of its
-- work set once, took out exactly what it replaced or withdrew, and each of its files adds up.
with runs as (
    select *
    from {{ source('control', 'rating_run') }}
    where build_schema = '{{ build_schema() }}'
),

work_by_file as (
    select
        work_file.rating_run_id,
        sum(files.data_count) as data_count,
        sum(files.data_count) filter (where work_file.is_withdrawal) as withdrawn_count
    from {{ source('control', 'rating_run_file') }} as work_file
    inner join {{ source('control', 'file') }} as files on work_file.file_id = files.file_id
    group by work_file.rating_run_id
),

work_by_record as (
    select
        work_record.rating_run_id,
        count(*) as record_count
    from {{ source('control', 'rating_run_record') }} as work_record
    group by work_record.rating_run_id
),

totals as (
    select
        usage_total.rating_run_id,
        usage_total.rated_record_count,
        usage_total.record_count,
        usage_total.leg_count,
        usage_total.billable_seconds,
        usage_total.retail_amount as amount,
        usage_total.cost_amount
    from {{ ref('usage_total') }} as usage_total
    union all
    select
        charge_total.rating_run_id,
        charge_total.rated_record_count,
        charge_total.record_count,
        charge_total.record_count as leg_count,
        0 as billable_seconds,
        charge_total.charge_amount as amount,
        charge_total.cost_amount
    from {{ ref('charge_total') }} as charge_total
),

sums as (
    select
        totals.rating_run_id,
        sum(totals.rated_record_count) as rated_count,
        sum(totals.record_count) as net_count,
        sum(totals.leg_count) as net_leg_count,
        sum(totals.billable_seconds) as net_billable_seconds,
        sum(totals.amount) as net_amount,
        sum(totals.cost_amount) as net_cost_amount
    from totals
    group by totals.rating_run_id
),

files_out_of_balance as (
    select
        work_file.rating_run_id,
        count(*) as file_count
    from {{ source('control', 'rating_run_file') }} as work_file
    {%- if is_citus() %}
    inner join {{ ref('rpt_reconciliation__file') }} as reconciliation
        on work_file.file_id = reconciliation.file_id
    where not reconciliation.is_balanced
    {%- else %}
    -- file by file: a run that closes does not sum up all files there ever were
    where
        not (
            select reconciliation.is_balanced
            from {{ ref('rpt_reconciliation__file') }} as reconciliation
            where reconciliation.file_id = work_file.file_id
        )
    {%- endif %}
    group by work_file.rating_run_id
),

counted as (
    select
        runs.*,
        case
            when runs.run_kind = 'initial' then coalesce(work_by_file.data_count, 0)
            else coalesce(work_by_record.record_count, 0)
        end as landed_count,
        coalesce(sums.rated_count, 0) as rated_count,
        case
            when runs.run_kind = 'withdraw' then coalesce(work_by_file.withdrawn_count, 0)
            else 0
        end as withdrawn_count,
        case
            when runs.run_kind = 'initial' then 0
            else coalesce(sums.rated_count, 0) - coalesce(sums.net_count, 0)
        end as replaced_count,
        coalesce(sums.net_count, 0) as net_count,
        coalesce(sums.net_leg_count, 0) as net_leg_count,
        coalesce(sums.net_billable_seconds, 0) as net_billable_seconds,
        coalesce(sums.net_amount, 0) as net_amount,
        coalesce(sums.net_cost_amount, 0) as net_cost_amount,
        coalesce(files_out_of_balance.file_count, 0) as files_out_of_balance
    from runs
    left join work_by_file on runs.rating_run_id = work_by_file.rating_run_id
    left join work_by_record on runs.rating_run_id = work_by_record.rating_run_id
    left join sums on runs.rating_run_id = sums.rating_run_id
    left join files_out_of_balance on runs.rating_run_id = files_out_of_balance.rating_run_id
)

select
    counted.rating_run_id::bigint as rating_run_id,
    counted.run_kind::text as run_kind,
    counted.status::text as status,
    counted.opened_at::timestamptz as opened_at,
    counted.landed_count::bigint as landed_count,
    counted.rated_count::bigint as rated_count,
    counted.replaced_count::bigint as replaced_count,
    counted.withdrawn_count::bigint as withdrawn_count,
    counted.net_leg_count::bigint as net_leg_count,
    counted.net_billable_seconds::numeric(24, 3) as net_billable_seconds,
    counted.net_amount::numeric(28, 14) as net_amount,
    counted.net_cost_amount::numeric(28, 14) as net_cost_amount,
    counted.files_out_of_balance::bigint as files_out_of_balance,
    (
        counted.landed_count = counted.rated_count
        and (counted.run_kind = 'initial' or counted.net_count = -counted.withdrawn_count)
        and counted.files_out_of_balance = 0
    ) as is_balanced
from counted
