-- Grain: one row per call of the period: the records of a pair in one row, the others alone. By our
-- clock, so that the periods of two reconciliations share no call.
with ours as (
    select * from {{ source('control', 'reconciliation_record') }}
    where side = 'ours'
),

theirs as not materialized (
    select * from {{ source('control', 'reconciliation_record') }}
    where side = 'theirs'
),

pairs as (
    select * from {{ source('control', 'reconciliation_pair') }}
),

main_clock as (
    select
        clock.quarters as main_quarters,
        make_interval(secs => (clock.quarters * 900 + clock.offset_seconds)::double precision)
            as ahead
    from {{ source('control', 'reconciliation_clock') }} as clock
    where clock.is_main
),

decks as (
    select distinct sources.cost_deck_code as deck_code
    from {{ source('reference', 'source') }} as sources
    where
        sources.source_id = any({{ reconcile_setting('ours', 'integer[]') }})
        and sources.recorded_to = 'infinity'
        and sources.cost_deck_code is not null
),

rates as not materialized (
    select * from {{ source('reference', 'rate') }}
    where recorded_to = 'infinity'
),

-- a call of theirs that is left over although another one of theirs, the same, has its pair
again as (
    select distinct on (leftover.usage_id)
        leftover.usage_id,
        taken.our_usage_id as first_our_usage_id
    from theirs as leftover
    left join pairs as own on leftover.usage_id = own.their_usage_id
    -- OFFSET 0: as in int_reconciliation__candidates
    inner join lateral (
        select keyed.*
        from theirs as keyed
        where
            keyed.pair_key = leftover.pair_key
            and keyed.started_at >= leftover.started_at - interval '1 second'
            * ({{ reconcile_setting('seconds_tolerance', 'numeric') }})
            and keyed.started_at <= leftover.started_at + interval '1 second'
            * ({{ reconcile_setting('seconds_tolerance', 'numeric') }})
        order by keyed.ordinal asc
        offset 0
    ) as first_one on true
    inner join pairs as taken on first_one.usage_id = taken.their_usage_id
    where
        own.their_usage_id is null
        and (
            leftover.calling_number is null
            or first_one.calling_number is null
            or leftover.calling_number = first_one.calling_number
        )
        and abs(leftover.seconds - first_one.seconds)
        <= {{ reconcile_setting('seconds_tolerance', 'numeric') }}
    order by leftover.usage_id asc, first_one.ordinal asc
),

both_sides as (
    select
        coalesce(ours.usage_type, theirs.usage_type) as usage_type,
        coalesce(ours.started_at, theirs.started_at - main_clock.ahead) as call_start,
        coalesce(ours.pair_key, theirs.pair_key) as pair_key,
        coalesce(ours.ordinal, theirs.ordinal) as ordinal,
        ours.usage_id as our_usage_id,
        theirs.usage_id as their_usage_id,
        ours.started_at as our_started_at,
        theirs.started_at as their_started_at,
        ours.seconds as our_seconds,
        ours.billed_seconds as our_billed_seconds,
        theirs.seconds as their_seconds,
        theirs.seconds
        - {{ nearest_seconds('ours.seconds', 'ours.billed_seconds', 'theirs.seconds') }}
            as seconds_difference,
        coalesce(ours.calling_number, theirs.calling_number) as calling_number,
        coalesce(ours.called_number, theirs.called_number) as called_number,
        coalesce(ours.called_country, theirs.called_country) as called_country,
        ours.prefix,
        ours.cost_rate_id,
        ours.amount as expected_amount,
        case when ours.amount is not null then ours.currency_code end as expected_currency_code,
        ours.cost_status,
        ours.is_chargeable as is_ours_chargeable,
        theirs.amount as their_amount,
        case when theirs.amount is not null then theirs.currency_code end as their_currency_code,
        theirs.is_chargeable as is_theirs_chargeable,
        pairs.quarters,
        pairs.quarters * 900 as shift_seconds,
        again.first_our_usage_id
    from ours
    left join pairs on ours.usage_id = pairs.our_usage_id
    full join theirs on pairs.their_usage_id = theirs.usage_id
    left join again on theirs.usage_id = again.usage_id
    cross join main_clock
),

in_period as (
    select
        both_sides.*,
        case
            when both_sides.expected_currency_code = both_sides.their_currency_code
                then both_sides.their_amount - both_sides.expected_amount
        end as amount_difference
    from both_sides
    where
        both_sides.call_start >= {{ reconcile_setting('from', 'timestamptz') }}
        and both_sides.call_start < {{ reconcile_setting('to', 'timestamptz') }}
)

select
    in_period.*,
    coalesce(in_period.prefix, coded.prefix) as known_prefix,
    coalesce(priced.destination_name, coded.destination_name) as destination_name
from in_period
left join rates as priced on in_period.cost_rate_id = priced.rate_id
-- what we have no price from: the code of our decks that the number belongs to
left join lateral (
    select
        rates.prefix,
        rates.destination_name
    from rates
    where
        in_period.prefix is null
        and rates.deck_code in (select decks.deck_code from decks)
        and rates.prefix = any(
            array(
                select left(in_period.called_number::text, digits.digits)
                from generate_series(1, 13) as digits (digits)
            )
        )
        and in_period.call_start >= rates.valid_from
        and in_period.call_start < rates.valid_to
    order by length(rates.prefix) desc, rates.deck_code asc, rates.jurisdiction asc
    limit 1
) as coded on true
