-- Grain: one row per period, account, deck, prefix and currencies: what usage brought and cost, how
-- many records cost more than they brought, and how many have no price at all (their cost is the
-- loss to be expected). The prefix is the retail row's, else the cost row's, else the first four
-- digits of the number looked up.
with rated as (
    select *
    from {{ ref('current_rated_usage') }}
    where
        state = 'billed'
        or reason in ('missing_rate', 'destination_blocked')
        or cost_amount <> 0
),

decks as (
    select distinct
        deck.deck_id,
        deck.deck_code
    from {{ source('reference', 'deck') }} as deck
),

sided as (
    select
        rated.*,
        coalesce(
            rated.retail_prefix, rated.cost_prefix, left(rated.rated_number::text, 4), ''
        ) as prefix,
        rated.state = 'billed' as is_billed,
        rated.reason in ('missing_rate', 'destination_blocked') as is_without_price,
        case
            when rated.state = 'billed' and rated.currency_code = rated.cost_currency_code
                then rated.retail_amount - rated.cost_amount
        end as margin_amount
    from rated
)

select
    sided.period_month::date as period_month,
    sided.account_id::bigint as account_id,
    coalesce(decks.deck_code, '')::text as deck_code,
    sided.prefix::text as prefix,
    sided.currency_code::text as currency_code,
    sided.cost_currency_code::text as cost_currency_code,
    count(*) filter (where sided.is_billed)::bigint as billed_count,
    sum(sided.retail_amount)::numeric(28, 14) as retail_amount,
    sum(sided.cost_amount)::numeric(28, 14) as cost_amount,
    sum(sided.margin_amount)::numeric(28, 14) as margin_amount,
    count(*) filter (where sided.margin_amount < 0)::bigint as negative_margin_count,
    coalesce(sum(sided.margin_amount) filter (where sided.margin_amount < 0), 0)
    ::numeric(28, 14) as negative_margin_amount,
    count(*) filter (
        where sided.is_billed and sided.cost_status in ('missing_rate', 'destination_blocked')
    )::bigint as missing_cost_count,
    count(*) filter (where sided.is_without_price)::bigint as missing_rate_count,
    -- null where the cost is not known either
    sum(sided.cost_amount) filter (where sided.is_without_price)::numeric(28, 14)
        as missing_rate_cost,
    sum(sided.cost_amount) filter (where sided.state = 'not_billable')::numeric(28, 14)
        as unbilled_cost
from sided
left join decks on sided.retail_deck_id = decks.deck_id
group by
    sided.period_month,
    sided.account_id,
    decks.deck_code,
    sided.prefix,
    sided.currency_code,
    sided.cost_currency_code
