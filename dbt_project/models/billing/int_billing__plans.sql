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
where
    plan.recorded_from <= '{{ current_invoice_run()['cutoff'] }}'::timestamptz
    and plan.recorded_to > '{{ current_invoice_run()['cutoff'] }}'::timestamptz
order by plan.plan_id asc, plan.valid_from desc
