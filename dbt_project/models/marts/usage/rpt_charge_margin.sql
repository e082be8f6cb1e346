-- Grain: one row per charge line whose margin needs a look, and what is the matter with it.
with rated as (
    select *
    from {{ ref('current_rated_charge') }}
    where
        state in ('billed', 'not_billable')
        and coalesce(price_mode, '') <> 'percentage'
),

judged as (
    select
        rated.*,
        case
            when rated.reason = 'information_only_source' then null
            when coalesce(rated.charge_amount, 0) = 0 and rated.cost_amount <> 0
                then 'zero_retail_with_cost'
            when rated.cost_amount = 0 and rated.charge_amount <> 0 then 'retail_without_cost'
            -- of a credit the carrier should give more than we do
            when rated.margin_amount < 0 then 'negative_margin'
            when rated.margin_amount is null then 'currencies_differ'
        end as finding
    from rated
)

select
    judged.charge_id::bigint as charge_id,
    judged.file_id::bigint as file_id,
    judged.line_no::bigint as line_no,
    judged.account_id::bigint as account_id,
    judged.service_id::bigint as service_id,
    judged.product_code::text as product_code,
    judged.period_month::date as period_month,
    judged.finding::text as finding,
    judged.price_mode::text as price_mode,
    judged.charge_amount::numeric(28, 14) as charge_amount,
    judged.currency_code::text as currency_code,
    judged.cost_amount::numeric(28, 14) as cost_amount,
    judged.cost_currency_code::text as cost_currency_code,
    judged.margin_amount::numeric(28, 14) as margin_amount,
    round(judged.margin_amount / nullif(judged.charge_amount, 0) * 100, 4)::numeric(18, 4)
        as margin_percent
from judged
where judged.finding is not null
