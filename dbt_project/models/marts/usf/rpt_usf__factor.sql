-- Grain: one row per fund and period of a contribution factor known now. The base is what is left
-- of the projected revenue without the requirement itself (which is passed through) and without
-- what cannot be collected.
{{ config(tags=['rating']) }}

with factors as (
    select
        factor.*,
        (factor.projected_revenue - factor.revenue_requirement)
        * (1 - factor.uncollectible_percent / 100) as contribution_base
    from {{ source('reference', 'usf_factor') }} as factor
    where factor.recorded_to = 'infinity'
)

select
    factors.fund_code::text as fund_code,
    factors.valid_from::timestamptz as valid_from,
    factors.valid_to::timestamptz as valid_to,
    factors.factor_percent::numeric(9, 4) as factor_percent,
    factors.revenue_requirement::numeric(20, 6) as revenue_requirement,
    factors.projected_revenue::numeric(20, 6) as projected_revenue,
    factors.uncollectible_percent::numeric(9, 4) as uncollectible_percent,
    factors.contribution_base::numeric(20, 6) as contribution_base,
    (100 * factors.revenue_requirement / nullif(factors.contribution_base, 0))::numeric(9, 4)
        as computed_factor_percent,
    factors.notice::text as notice
from factors
