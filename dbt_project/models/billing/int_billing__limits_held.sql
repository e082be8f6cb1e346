-- Grain: one row per account, period and spend limit that holds in it, with the amount for its
-- longer period.
{{ config(materialized='work_table') }}

with accounts as (
    select * from {{ ref('int_billing__accounts') }}
),

held as (
    select
        months.period_month,
        months.period_start_at,
        months.period_end_at,
        spend_limits.*,
        min(spend_limits.scope_rank) over (
            partition by months.account_id, months.period_month, spend_limits.limit_code
        ) as first_rank
    from {{ ref('int_billing__months') }} as months
    inner join {{ ref('int_billing__spend_limits') }} as spend_limits
        on
            months.account_id = spend_limits.account_id
            and months.period_end_at > spend_limits.valid_from
            and months.period_start_at < spend_limits.valid_to
),

-- the version that held last in the period
limits as (
    select distinct on (held.account_id, held.period_month, held.limit_code)
        held.*,
        {{ longer_period_start(
            'held.period_month', 'held.period_length', 'held.anchor_month'
        ) }} as counted_from,
        -- whenever any version of it holds
        min(held.valid_from) over limit_of_account as limit_from,
        max(held.valid_to) over limit_of_account as limit_to
    from held
    where held.scope_rank = held.first_rank
    window limit_of_account as (partition by held.account_id, held.limit_code)
    order by
        held.account_id asc,
        held.period_month asc,
        held.limit_code asc,
        held.valid_from desc,
        held.plan_id asc
),

bounded as (
    select
        limits.*,
        {{ period_bound(
            'limits.counted_from', 'accounts.time_zone', 'accounts.anchor_day'
        ) }} as counted_from_at,
        {{ period_bound(
            '(limits.counted_from + make_interval(months => limits.period_length))',
            'accounts.time_zone', 'accounts.anchor_day'
        ) }} as counted_to_at,
        greatest(limits.limit_from, accounts.account_from) as held_from_at,
        least(limits.limit_to, accounts.account_to) as held_to_at,
        accounts.time_zone
    from limits
    inner join accounts on limits.account_id = accounts.account_id
),

-- days of the account
dated as (
    select
        bounded.*,
        (bounded.counted_from_at at time zone bounded.time_zone)::date as first_day,
        (bounded.counted_to_at at time zone bounded.time_zone)::date as end_day,
        (
            greatest(bounded.held_from_at, bounded.counted_from_at)
            at time zone bounded.time_zone
        )::date as first_day_held,
        (
            least(bounded.held_to_at, bounded.counted_to_at) at time zone bounded.time_zone
        )::date as end_day_held
    from bounded
)

select
    dated.account_id,
    dated.period_month,
    dated.limit_code,
    dated.limit_name,
    dated.limit_rule,
    dated.currency_code,
    dated.line_kinds,
    dated.charge_classes,
    dated.rounding_decimals,
    dated.rounding_mode,
    dated.counted_from,
    dated.amount as full_amount,
    case dated.proration
        when 'days'
            then
                dated.amount * (dated.end_day_held - dated.first_day_held)
                / (dated.end_day - dated.first_day)
        else dated.amount
    end as limit_amount,
    dated.held_to_at <= dated.period_end_at
    or dated.counted_to_at = dated.period_end_at as is_last
from dated
