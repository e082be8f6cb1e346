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
            and spend_limits.valid_from < months.period_end_at
            and spend_limits.valid_to > months.period_start_at
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
)

select
    bounded.account_id,
    bounded.period_month,
    bounded.limit_code,
    bounded.limit_name,
    bounded.limit_rule,
    bounded.currency_code,
    bounded.line_kinds,
    bounded.charge_classes,
    bounded.rounding_decimals,
    bounded.rounding_mode,
    bounded.counted_from,
    bounded.amount as full_amount,
    bounded.amount * case bounded.proration
        when 'days'
            then
                (
                    (least(bounded.held_to_at, bounded.counted_to_at) at time zone bounded.time_zone)::date
                    - (greatest(bounded.held_from_at, bounded.counted_from_at) at time zone bounded.time_zone)::date
                )::numeric
                / (
                    (bounded.counted_to_at at time zone bounded.time_zone)::date
                    - (bounded.counted_from_at at time zone bounded.time_zone)::date
                )
        else 1
    end as limit_amount,
    bounded.held_to_at <= bounded.period_end_at
    or bounded.counted_to_at = bounded.period_end_at as is_last
from bounded
