-- Grain: one row per carrier charge line (SDR): the decision that counts.
with rated as (
    select * from {{ ref('current_rated_charge') }}
)

select
    rated.account_id,
    rated.charge_id,
    rated.rating_run_id,
    rated.file_id,
    rated.line_no,
    rated.source_id,
    rated.service_id,
    rated.state,
    rated.reason,
    rated.product_code,
    rated.description,
    rated.charge_class,
    rated.period_from,
    rated.period_to,
    rated.quantity,
    rated.price_mode,
    rated.unrounded_amount,
    rated.charge_amount,
    rated.currency_code,
    rated.cost_amount,
    rated.cost_currency_code,
    rated.period_month,
    rated.charge_type,
    rated.price_scope,
    rated.proration,
    rated.charged_from,
    rated.charged_to,
    rated.charged_part,
    rated.unit_price,
    rated.margin_amount,
    round(rated.margin_amount / nullif(rated.charge_amount, 0) * 100, 4)::numeric(18, 4)
        as margin_percent,
    rated.match_method,
    rated.carrier_amount,
    rated.charged_days,
    rated.leading_part,
    rated.full_periods,
    rated.trailing_part,
    rated.markup_percent,
    rated.usf_category,
    rated.usf_jurisdiction,
    rated.usf_safe_harbour
from rated
