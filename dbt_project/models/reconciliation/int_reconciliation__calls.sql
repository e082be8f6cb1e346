-- Grain: one row per call of the period, in one class, with what it means in money.
{%- set tolerance = reconcile_setting('seconds_tolerance', 'numeric') %}
{%- set amount_tolerance = reconcile_setting('amount_tolerance', 'numeric') %}

with sides as (
    select * from {{ ref('int_reconciliation__sides') }}
),

classed as (
    select
        sides.*,
        case
            when {{ reconcile_setting('theirs', 'text') }} = '{}' then 'not_compared'
            when
                sides.their_usage_id is null
                and sides.is_ours_chargeable
                then 'missing_there'
            when sides.their_usage_id is null then 'nothing_to_bill'
            when
                sides.our_usage_id is null
                and not sides.is_theirs_chargeable
                then 'nothing_to_bill'
            when sides.first_our_usage_id is not null then 'duplicate'
            when sides.our_usage_id is null then 'missing_here'
            when abs(sides.seconds_difference) > {{ tolerance }} then 'more'
            when abs(sides.seconds_difference) < 1 and (
                abs(sides.amount_difference) > {{ amount_tolerance }}
                or sides.expected_currency_code <> sides.their_currency_code
                or (
                    sides.cost_status in ('missing_rate', 'destination_blocked')
                    and abs(sides.their_amount) > {{ amount_tolerance }}
                )
            ) then 'rate'
            when sides.quarters <> 0 then 'zone_shift'
            when abs(sides.seconds_difference) < 1 then 'exact'
            else 'within_tolerance'
        end as call_class
    from sides
),

valued as (
    select
        classed.*,
        case
            when classed.call_class in ('nothing_to_bill', 'not_compared') then null
            when classed.their_usage_id is null then -classed.expected_amount
            when classed.our_usage_id is null then classed.their_amount
            else classed.amount_difference
        end as difference_amount
    from classed
),

claimed as (
    select
        valued.*,
        case
            when
                valued.difference_amount > {{ amount_tolerance }}
                and valued.call_class <> 'missing_there'
                then valued.difference_amount
        end as claimed_amount
    from valued
)

select
    row_number() over (
        order by
            claimed.call_start asc, claimed.pair_key asc, claimed.ordinal asc,
            claimed.our_usage_id asc, claimed.their_usage_id asc
    ) as call_no,
    claimed.call_class,
    (claimed.call_start at time zone 'UTC')::date as call_date,
    claimed.known_prefix as prefix,
    nullif(claimed.destination_name, '') as destination_name,
    claimed.called_country,
    claimed.usage_type,
    claimed.our_usage_id,
    claimed.their_usage_id,
    claimed.our_started_at,
    claimed.their_started_at,
    claimed.shift_seconds,
    claimed.our_seconds,
    claimed.our_billed_seconds,
    claimed.their_seconds,
    claimed.seconds_difference,
    claimed.calling_number,
    claimed.called_number,
    claimed.expected_amount,
    claimed.expected_currency_code,
    claimed.their_amount,
    claimed.their_currency_code,
    claimed.difference_amount,
    claimed.claimed_amount,
    concat_ws(
        '; ',
        case claimed.call_class
            when 'exact' then 'agrees'
            when 'not_compared' then 'no records of theirs to compare with'
            when 'within_tolerance' then 'seconds agree within the tolerance'
            when 'missing_here' then 'billed, but we have no record of this call'
            when 'missing_there' then 'we have a call that is not billed'
            when 'nothing_to_bill' then 'not answered or internal, and not billed'
            when 'duplicate' then 'billed again: this call is billed once already'
            when 'zone_shift' then 'agrees but for the time'
            when 'rate' then 'seconds agree, the amount does not'
            when 'more'
                then
                    format(
                        'billed %s s, our record has %s s',
                        trim_scale(claimed.their_seconds), trim_scale(claimed.our_seconds)
                    )
                    || case
                        when claimed.our_billed_seconds <> claimed.our_seconds
                            then format(' (to be billed %s s)', claimed.our_billed_seconds)
                        else ''
                    end
        end,
        case
            when claimed.expected_currency_code <> claimed.their_currency_code
                then format(
                    'in %s, agreed is %s',
                    claimed.their_currency_code, claimed.expected_currency_code
                )
        end,
        case
            when claimed.cost_status = 'missing_rate' then 'no price is agreed for this code'
            when claimed.cost_status = 'destination_blocked' then 'this code is blocked'
        end,
        case
            when claimed.shift_seconds <> 0
                then format(
                    'time is %s h %s of ours', trim_scale(abs(claimed.shift_seconds) / 3600.00),
                    case when claimed.shift_seconds > 0 then 'ahead' else 'behind' end
                )
        end
    ) as reason
from claimed
