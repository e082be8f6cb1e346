{{ config(
    tags=['rating', 'money'],
    meta={'dagster': {'ref': {'name': 'rated_usage'}}}
) }}
-- Returns records of the current run that are billed although their source is for information only.
with billed as (
    select
        usage_leg.usage_id as record_id,
        usage_leg.source_id
    from {{ ref('rated_usage') }} as usage_leg
    where usage_leg.rating_run_id = {{ run_id() }} and usage_leg.state = 'billed'
    union all
    select
        charge.charge_id as record_id,
        charge.source_id
    from {{ ref('rated_charge') }} as charge
    where charge.rating_run_id = {{ run_id() }} and charge.state = 'billed'
)

select billed.*
from billed
inner join {{ ref('int_usage__work_files') }} as work_files
    on billed.source_id = work_files.source_id
where work_files.rating_mode = 'none'
