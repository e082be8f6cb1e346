-- Grain: one row per billed usage leg of an account, or member of a pool, that has allowances in
-- the period; usage of all other accounts is not read. Amounts in sixtieths are exact, as in
-- usage_total.
{{ config(materialized='work_table') }}
{% set longest_prefix = 13 %}

with months as (
    select * from {{ ref('int_billing__months') }}
),

members as (
    select * from {{ ref('int_billing__allowance_members') }}
),

grants as (
    select distinct
        placed.period_month,
        placed.account_id,
        placed.holder_kind,
        placed.holder_key
    from {{ ref('int_billing__allowance_grants') }} as placed
    where placed.pass_no is not null
),

holders as (
    select
        months.account_id,
        months.period_month,
        months.period_start_at,
        months.period_end_at
    from months
    inner join grants
        on months.account_id = grants.account_id and months.period_month = grants.period_month
    where grants.holder_kind <> 'pool'
    union
    select
        months.account_id,
        months.period_month,
        months.period_start_at,
        months.period_end_at
    from months
    inner join members on months.account_id = members.account_id
    inner join grants
        on
            members.pool_code = grants.holder_key
            and grants.holder_kind = 'pool'
            and months.period_month = grants.period_month
),

bounds as (
    select
        min(holders.period_start_at) - interval '40 days' as earliest,
        max(holders.period_end_at) + interval '40 days' as latest
    from holders
),

rated as (
    select * from {{ ref('current_rated_usage') }}
),

prefixes as (
    select distinct
        destinations.prefix,
        holders.period_month
    from {{ source('reference', 'destination_group') }} as destinations
    inner join holders
        on
            destinations.valid_from < holders.period_end_at
            and destinations.valid_to > holders.period_start_at
    where {{ known_at_invoice('destinations') }}
),

legs as (
    select
        rated.account_id,
        rated.usage_id,
        rated.period_month,
        rated.service_id,
        rated.plan_id,
        rated.started_at,
        rated.usage_type,
        rated.charge_class,
        rated.direction,
        rated.rated_number::text as rated_digits,
        rated.currency_code,
        rated.billable_seconds,
        coalesce(rated.retail_billed_seconds, rated.retail_billed_units)::numeric as billed_units,
        rated.retail_amount,
        case
            when rated.retail_has_terms then 60 * rated.retail_unrounded_amount
            else
                60 * rated.retail_connection_fee
                + rated.retail_billed_seconds * rated.retail_price_per_minute
        end as total_sixtieths,
        rated.retail_connection_fee as connection_fee,
        rated.retail_unrounded_amount as unrounded_amount,
        coalesce(rated.retail_discount_amount, 0) as discount_amount
    from rated
    inner join holders
        on rated.account_id = holders.account_id and rated.period_month = holders.period_month
    where
        rated.state = 'billed'
        -- what the join says, for the partitions: a period is near its days
        and rated.started_at >= (select bounds.earliest from bounds)
        and rated.started_at < (select bounds.latest from bounds)
)

select
    legs.account_id,
    legs.usage_id,
    legs.period_month,
    legs.service_id,
    coalesce(service_members.pool_code, account_members.pool_code, '') as pool_code,
    legs.plan_id,
    legs.started_at,
    legs.usage_type,
    legs.charge_class,
    legs.direction,
    -- the longest prefix of any destination group: it says which groups the number is in
    coalesce(
        {%- for length in range(longest_prefix, 0, -1) %}
        prefixes_{{ length }}.prefix,
        {%- endfor %}
        ''
    ) as destination_prefix,
    legs.currency_code,
    legs.billable_seconds,
    legs.billed_units,
    -- what a leg is divided by; one without units is one piece
    case when legs.billed_units > 0 then legs.billed_units else 1 end as measure,
    legs.retail_amount,
    legs.total_sixtieths,
    -- the fee after discount and maximum charge
    case
        when legs.unrounded_amount = 0 then 0
        else
            60 * least(legs.connection_fee, legs.unrounded_amount - legs.discount_amount)
            * legs.unrounded_amount / (legs.unrounded_amount - legs.discount_amount)
    end as fee_sixtieths,
    legs.discount_amount <> 0 as is_discounted
from legs
left join members as service_members
    on
        service_members.member_kind = 'service'
        and legs.service_id = service_members.member_id
        and legs.account_id = service_members.account_id
        and legs.started_at >= service_members.valid_from
        and legs.started_at < service_members.valid_to
left join members as account_members
    on
        account_members.member_kind = 'account'
        and legs.account_id = account_members.member_id
        and legs.started_at >= account_members.valid_from
        and legs.started_at < account_members.valid_to
{%- for length in range(longest_prefix, 0, -1) %}
left join prefixes as prefixes_{{ length }}
    on
        length(prefixes_{{ length }}.prefix) = {{ length }}
        and left(legs.rated_digits, {{ length }}) = prefixes_{{ length }}.prefix
        and legs.period_month = prefixes_{{ length }}.period_month
{%- endfor %}
