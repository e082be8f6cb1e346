-- Grain: one row per charge line of the current run, with the part of its fee that is charged.
-- Days are those of the account's zone. Only prices of our own are prorated: the carrier's amount
-- is for its days already. One-offs, taxes and lines without a period are charged whole.
with charges as (
    select * from {{ ref('int_charge__tariffed') }}
),

first_moments as (
    select
        charges.*,
        case
            when
                charges.price_mode = 'list'
                and charges.has_period
                and charges.charge_kind not in ('one_off', 'tax', 'usage_summary')
                -- days of a month need a last one
                and (charges.has_end or charges.proration <> 'actual_days')
                then charges.proration
            else 'none'
        end as proration_used,
        coalesce(
            charges.from_instant at time zone charges.account_zone,
            charges.from_clock,
            charges.period_from::timestamp
        ) as stated_clock,
        -- of a service that has always been there the trial is long over
        case
            when charges.trial_days > 0 and isfinite(charges.started_at)
                then (
                    (charges.started_at at time zone charges.account_zone)::date
                    + charges.trial_days
                )::timestamp
        end as trial_end
    from charges
),

fees as (
    select
        first_moments.file_id,
        first_moments.line_no,
        first_moments.proration_used as proration,
        first_moments.account_zone as time_zone,
        first_moments.anchor_day as bill_day,
        coalesce(first_moments.fee_period, 'month') as fee_period,
        first_moments.fee_period_days,
        coalesce(first_moments.fee_period_count, 1) as fee_period_count,
        coalesce(first_moments.days_in_month, 30) as days_in_month,
        coalesce(first_moments.full_month_rule, 'any_day') as full_month_rule,
        coalesce(first_moments.end_rule, 'stated') as end_rule,
        -- a trial shortens what is prorated; what is charged whole is charged from its first day
        case
            when first_moments.proration_used = 'none' then first_moments.stated_clock::date
            when first_moments.proration_used = 'seconds'
                then greatest(first_moments.stated_clock, first_moments.trial_end)
            else greatest(first_moments.stated_clock::date, first_moments.trial_end)
        end as from_clock,
        case
            when not first_moments.has_period then (first_moments.period_to + 1)::timestamp
            when not first_moments.has_end then null
            when first_moments.proration_used = 'seconds' and first_moments.to_clock is not null
                then first_moments.to_clock
            else (first_moments.period_to + 1)::timestamp
        end as to_clock
    from first_moments
    where first_moments.value_error is null and first_moments.period_from is not null
),

{{ proration_steps('fees') }}

select
    charges.*,
    prorated.proration as proration_used,
    prorated.from_clock::date as charged_from,
    -- the last day of which something is charged
    (prorated.end_clock - interval '1 microsecond')::date as charged_to,
    prorated.leading_units,
    prorated.leading_whole,
    prorated.full_periods,
    prorated.trailing_units,
    prorated.trailing_whole,
    prorated.charged_days
from charges
left join prorated
    on
        charges.file_id = prorated.file_id
        and charges.line_no = prorated.line_no
