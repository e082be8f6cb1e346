-- Grain: one row per account, kind of line, charge class and product of the invoiced period: the
-- part that universal service assesses (interstate and international), as
-- rpt_usf__contribution_base divides it. Only for accounts with a surcharge on that part.
{{ config(materialized='work_table') }}

{% set period_month = "'" ~ current_invoice_run()['period_month'] ~ "'::date" %}

with accounts as (
    select distinct surcharges.account_id
    from {{ ref('int_billing__surcharges') }} as surcharges
    where surcharges.base_rule = 'usf'
),

categories as (
    select * from {{ ref('usf_categories') }}
),

usage_rules as (
    select
        rules.charge_class,
        case
            when not categories.is_assessed or rules.usf_jurisdiction in ('none', 'intrastate')
                then 0
            when rules.usf_jurisdiction <> 'actual' then 1
            -- these classes are the jurisdiction; of the others the calls say it
            when rules.charge_class = 'intrastate' then 0
            when rules.charge_class in ('interstate', 'indeterminate', 'international') then 1
        end as share
    from {{ ref('usf_usage_rules') }} as rules
    inner join categories on rules.usf_category = categories.usf_category
),

judged_calls as (
    select
        usage.account_id,
        usage.charge_class,
        case when usage.jurisdiction = 'intrastate' then 0 else 1 end as share,
        usage.retail_amount as amount
    from {{ ref('current_rated_usage') }} as usage
    inner join accounts on usage.account_id = accounts.account_id
    inner join usage_rules on usage.charge_class = usage_rules.charge_class
    where
        usage.state = 'billed'
        and usage.period_month = {{ period_month }}
        and usage_rules.share is null
        and exists (select asking.account_id from accounts as asking)
),

judged_charges as (
    select
        charge.account_id,
        charge.charge_class,
        charge.product_code,
        case
            when not coalesce(categories.is_assessed, false) then 0
            when charge.usf_safe_harbour is not null then harbour.interstate_percent / 100
            when charge.usf_jurisdiction = 'intrastate' then 0
            else 1
        end as share,
        charge.charge_amount as amount
    from {{ ref('current_rated_charge') }} as charge
    inner join accounts on charge.account_id = accounts.account_id
    left join categories on charge.usf_category = categories.usf_category
    left join {{ source('reference', 'usf_safe_harbour') }} as harbour
        on
            charge.usf_safe_harbour = harbour.harbour_code
            and {{ known_to_invoice_run('harbour') }}
            and {{ utc_day(period_month) }} >= harbour.valid_from
            and {{ utc_day(period_month) }} < harbour.valid_to
    where
        charge.state = 'billed'
        and charge.period_month = {{ period_month }}
        and exists (select asking.account_id from accounts as asking)
)

select
    accounts.account_id,
    'usage' as line_kind,
    usage_rules.charge_class,
    null::text as product_code,
    usage_rules.share::numeric(30, 20) as share
from accounts
cross join usage_rules
where usage_rules.share is not null
union all
select
    judged_calls.account_id,
    'usage' as line_kind,
    judged_calls.charge_class,
    null::text as product_code,
    coalesce(
        sum(judged_calls.amount * judged_calls.share) / nullif(sum(judged_calls.amount), 0),
        avg(judged_calls.share)
    )::numeric(30, 20) as share
from judged_calls
group by judged_calls.account_id, judged_calls.charge_class
union all
select
    judged_charges.account_id,
    'charge' as line_kind,
    judged_charges.charge_class,
    judged_charges.product_code,
    case
        -- a share that is not known is not nothing
        when count(*) = count(judged_charges.share)
            then
                coalesce(
                    sum(judged_charges.amount * judged_charges.share)
                    / nullif(sum(judged_charges.amount), 0),
                    avg(judged_charges.share)
                )
    end::numeric(30, 20) as share
from judged_charges
group by judged_charges.account_id, judged_charges.charge_class, judged_charges.product_code
