-- Grain: one row per billing month, revenue category, kind of buyer, basis and currency: revenue
-- divided by jurisdiction, what contributions are due on, and the factor in force.
{{ config(tags=['rating']) }}

with rated_usage as (
    select
        usage.*,
        -- connect fees of toll-free calls are interstate whatever the call is
        case when usage.called_class = 'toll_free' then usage.retail_connection_fee else 0 end
            as toll_free_fee
    from {{ ref('current_rated_usage') }} as usage
    where usage.state = 'billed'
),

rated_charges as (
    select * from {{ ref('current_rated_charge') }}
    where state = 'billed'
),

usage_rules as (
    select * from {{ ref('usf_usage_rules') }}
),

categories as (
    select * from {{ ref('usf_categories') }}
),

safe_harbours as (
    select * from {{ source('reference', 'usf_safe_harbour') }}
    where recorded_to = 'infinity'
),

factors as (
    select * from {{ source('reference', 'usf_factor') }}
    where recorded_to = 'infinity' and fund_code = 'federal'
),

accounts as (
    select * from {{ source('reference', 'account') }}
    where recorded_to = 'infinity'
),

judged_usage as (
    select
        rated_usage.account_id,
        rated_usage.period_month,
        rated_usage.currency_code,
        coalesce(usage_rules.usf_category, 'non_telecommunications') as usf_category,
        usage_rules.usf_jurisdiction as rule_jurisdiction,
        case coalesce(usage_rules.usf_jurisdiction, 'none')
            when 'none' then 'none'
            when 'actual'
                then
                    case
                        when rated_usage.jurisdiction in ('intrastate', 'international')
                            then rated_usage.jurisdiction
                        else 'interstate'
                    end
            else usage_rules.usf_jurisdiction
        end as usf_jurisdiction,
        rated_usage.retail_amount,
        least(rated_usage.toll_free_fee, rated_usage.retail_amount) as toll_free_fee
    from rated_usage
    left join usage_rules on rated_usage.charge_class = usage_rules.charge_class
),

usage_revenue as (
    select
        judged_usage.account_id,
        judged_usage.period_month,
        judged_usage.currency_code,
        judged_usage.usf_category,
        case when judged_usage.rule_jurisdiction = 'actual' then 'actual' else 'rule' end as basis,
        null::text as harbour_code,
        judged_usage.usf_jurisdiction,
        case
            when judged_usage.usf_jurisdiction = 'none' then judged_usage.retail_amount
            else judged_usage.retail_amount - judged_usage.toll_free_fee
        end as amount
    from judged_usage
    union all
    select
        judged_usage.account_id,
        judged_usage.period_month,
        judged_usage.currency_code,
        judged_usage.usf_category,
        'rule' as basis,
        null::text as harbour_code,
        'interstate' as usf_jurisdiction,
        judged_usage.toll_free_fee as amount
    from judged_usage
    where judged_usage.toll_free_fee <> 0 and judged_usage.usf_jurisdiction <> 'none'
),

charge_revenue as (
    select
        rated_charges.account_id,
        rated_charges.period_month,
        rated_charges.currency_code,
        coalesce(rated_charges.usf_category, 'non_telecommunications') as usf_category,
        case
            when rated_charges.usf_safe_harbour is not null then 'safe_harbour'
            when rated_charges.usf_jurisdiction is not null then 'actual'
            else 'rule'
        end as basis,
        rated_charges.usf_safe_harbour as harbour_code,
        case
            when rated_charges.usf_category is null then 'none'
            when rated_charges.usf_category = 'non_telecommunications' then 'none'
            when rated_charges.usf_safe_harbour is not null then 'divided'
            else coalesce(rated_charges.usf_jurisdiction, 'interstate')
        end as usf_jurisdiction,
        rated_charges.charge_amount as amount
    from rated_charges
),

revenue as (
    select * from usage_revenue
    union all
    select * from charge_revenue
),

divided as (
    select
        revenue.period_month,
        revenue.usf_category,
        revenue.basis,
        revenue.harbour_code,
        revenue.currency_code,
        coalesce(accounts.is_reseller, false) as is_reseller,
        safe_harbours.interstate_percent,
        sum(revenue.amount) as revenue_amount,
        sum(
            case revenue.usf_jurisdiction
                when 'intrastate' then revenue.amount
                when 'divided' then revenue.amount * (1 - safe_harbours.interstate_percent / 100)
                else 0
            end
        ) as intrastate_amount,
        sum(
            case revenue.usf_jurisdiction
                when 'interstate' then revenue.amount
                when 'divided' then revenue.amount * safe_harbours.interstate_percent / 100
                else 0
            end
        ) as interstate_amount,
        sum(case revenue.usf_jurisdiction when 'international' then revenue.amount else 0 end)
            as international_amount
    from revenue
    left join accounts
        on
            revenue.account_id = accounts.account_id
            and {{ utc_day("revenue.period_month + interval '1 month - 1 day'") }}
            >= accounts.valid_from
            and {{ utc_day("revenue.period_month + interval '1 month - 1 day'") }}
            < accounts.valid_to
    left join safe_harbours
        on
            revenue.harbour_code = safe_harbours.harbour_code
            and {{ utc_day('revenue.period_month') }} >= safe_harbours.valid_from
            and {{ utc_day('revenue.period_month') }} < safe_harbours.valid_to
    group by
        revenue.period_month,
        revenue.usf_category,
        revenue.basis,
        revenue.harbour_code,
        revenue.currency_code,
        coalesce(accounts.is_reseller, false),
        safe_harbours.interstate_percent
),

assessed as (
    select
        divided.*,
        categories.description,
        case
            when divided.is_reseller or not categories.is_assessed then 0
            else divided.interstate_amount + divided.international_amount
        end as assessable_amount
    from divided
    inner join categories on divided.usf_category = categories.usf_category
)

select
    assessed.period_month::date as period_month,
    assessed.usf_category::text as usf_category,
    assessed.description::text as description,
    assessed.is_reseller::boolean as is_reseller,
    assessed.basis::text as basis,
    assessed.harbour_code::text as harbour_code,
    assessed.interstate_percent::numeric(9, 4) as harbour_percent,
    assessed.currency_code::text as currency_code,
    assessed.revenue_amount::numeric(28, 14) as revenue_amount,
    assessed.intrastate_amount::numeric(28, 14) as intrastate_amount,
    assessed.interstate_amount::numeric(28, 14) as interstate_amount,
    assessed.international_amount::numeric(28, 14) as international_amount,
    assessed.assessable_amount::numeric(28, 14) as assessable_amount,
    factors.factor_percent::numeric(9, 4) as factor_percent,
    factors.valid_from::timestamptz as factor_valid_from,
    -- no charge passed through may be more; null where no factor is known for the month
    (assessed.assessable_amount * factors.factor_percent / 100)::numeric(28, 14)
        as contribution_amount
from assessed
left join factors
    on
        {{ utc_day('assessed.period_month') }} >= factors.valid_from
        and {{ utc_day('assessed.period_month') }} < factors.valid_to
