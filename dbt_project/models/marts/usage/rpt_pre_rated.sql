-- Grain: one row per period, account, source, prefix and currencies of records that came with the
-- supplier's amount: what that makes the price, what our own deck makes it, and the difference.
with rated as (
    select *
    from {{ ref('current_rated_usage') }}
    where supplier_amount is not null
),

sources as (
    select * from {{ ref('dim_source') }}
),

sided as (
    select
        rated.*,
        case rated.price_basis
            when 'supplier' then rated.retail_amount
            when 'deck' then rated.compared_amount
        end as amount_by_supplier,
        case rated.price_basis
            when 'supplier' then rated.compared_amount
            when 'deck' then rated.retail_amount
        end as amount_by_deck,
        rated.currency_code = rated.compared_currency_code as is_comparable
    from rated
)

select
    sided.period_month::date as period_month,
    sided.account_id::bigint as account_id,
    sources.source_code::text as source_code,
    sided.state::text as state,
    sided.price_basis::text as price_basis,
    coalesce(sided.retail_prefix, '')::text as prefix,
    sided.supplier_currency_code::text as supplier_currency_code,
    sided.currency_code::text as currency_code,
    count(*)::bigint as record_count,
    sum(sided.supplier_amount)::numeric(28, 14) as supplier_amount,
    sum(sided.cost_amount)::numeric(28, 14) as cost_amount,
    sum(sided.retail_amount)::numeric(28, 14) as retail_amount,
    sum(sided.amount_by_supplier)::numeric(28, 14) as amount_by_supplier,
    sum(sided.amount_by_deck)::numeric(28, 14) as amount_by_deck,
    count(*) filter (where sided.is_comparable)::bigint as compared_count,
    sum(
        case when sided.is_comparable then sided.amount_by_supplier - sided.amount_by_deck end
    )::numeric(28, 14) as difference_amount,
    count(*) filter (
        where sided.state = 'billed' and sided.amount_by_deck is null
    )::bigint as without_deck_price_count
from sided
inner join sources on sided.source_id = sources.source_id
group by
    sided.period_month,
    sided.account_id,
    sources.source_code,
    sided.state,
    sided.price_basis,
    sided.retail_prefix,
    sided.supplier_currency_code,
    sided.currency_code
