-- Grain: one row per plan: its last version, as known when the invoice run was opened.
select distinct on (plan.plan_id)
    plan.plan_id,
    plan.plan_code,
    plan.is_default,
    plan.rounding_level,
    plan.rounding_decimals,
    plan.rounding_mode,
    plan.rounding_unit
from {{ source('reference', 'plan') }} as plan
where {{ known_to_invoice_run('plan') }}
order by plan.plan_id asc, plan.valid_from desc
