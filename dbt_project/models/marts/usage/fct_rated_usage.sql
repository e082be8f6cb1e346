-- Grain: one row per usage leg: the decision that counts. A call between two customers has two
-- legs: sum amounts over all rows, count traffic where leg_no = 1.
with rated as (
    select * from {{ ref('current_rated_usage') }}
)

select
    rated.account_id,
    rated.usage_id,
    rated.rating_run_id,
    rated.file_id,
    rated.line_no,
    rated.leg_no,
    rated.source_id,
    rated.service_id,
    rated.plan_id,
    rated.usage_type,
    rated.direction,
    rated.started_at,
    rated.time_quality,
    rated.duration_seconds,
    rated.billable_seconds,
    rated.calling_number,
    rated.called_number,
    rated.disposition,
    rated.state,
    rated.reason,
    rated.called_class,
    rated.calling_state,
    rated.called_state,
    rated.jurisdiction,
    rated.charge_class,
    rated.retail_prefix,
    rated.retail_billed_seconds,
    rated.retail_price_per_minute,
    rated.retail_connection_fee,
    rated.retail_unrounded_amount,
    rated.retail_amount,
    rated.currency_code,
    rated.cost_prefix,
    rated.cost_billed_seconds,
    rated.cost_amount,
    rated.cost_currency_code,
    case
        when rated.currency_code = rated.cost_currency_code
            then rated.retail_amount - rated.cost_amount
    end::numeric(28, 14) as margin_amount,
    rated.at_risk_amount,
    rated.period_month
from rated
