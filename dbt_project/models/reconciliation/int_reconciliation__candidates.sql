-- Grain: one row per record of ours and of theirs that may be one call: same key, callers that do
-- not differ, start within the tolerance once their clock is put right. Far off by a clock that
-- only some calls share, caller and seconds must agree too.
with ours as (
    select * from {{ source('control', 'reconciliation_record') }}
    where side = 'ours'
),

theirs as (
    select * from {{ source('control', 'reconciliation_record') }}
    where side = 'theirs'
),

clocks as (
    select
        clock.quarters,
        clock.is_main,
        make_interval(secs => (clock.quarters * 900 + clock.offset_seconds)::double precision)
            as ahead,
        interval '1 second' * ({{ reconcile_setting('start_tolerance', 'numeric') }}) as tolerance,
        row_number() over (
            order by
                clock.is_main desc, clock.pair_count desc, abs(clock.quarters) asc,
                clock.quarters asc
        )::integer as clock_rank
    from {{ source('control', 'reconciliation_clock') }} as clock
),

near as (
    select
        ours.usage_id as our_usage_id,
        theirs.usage_id as their_usage_id,
        clocks.quarters,
        clocks.clock_rank,
        clocks.is_main,
        ours.calling_number = theirs.calling_number as is_caller_same,
        abs({{ seconds_apart('ours.started_at + clocks.ahead', 'theirs.started_at') }})
            as start_distance,
        abs(
            theirs.seconds
            - {{ nearest_seconds('ours.seconds', 'ours.billed_seconds', 'theirs.seconds') }}
        ) as seconds_distance,
        abs(ours.twin - theirs.twin) as twin_distance,
        ours.ordinal as our_ordinal,
        theirs.ordinal as their_ordinal
    from ours
    cross join clocks
    -- who is called often is on both sides thousands of times: OFFSET 0 keeps the time a part of
    -- the look into the index, which the planner leaves out because most keys are rare (half a
    -- million calls on each side took over nine minutes without it, half a minute with it)
    inner join lateral (
        select keyed.*
        from theirs as keyed
        where
            keyed.pair_key = ours.pair_key
            and keyed.started_at >= ours.started_at + clocks.ahead - clocks.tolerance
            and keyed.started_at <= ours.started_at + clocks.ahead + clocks.tolerance
        order by keyed.ordinal asc
        offset 0
    ) as theirs on true
    where
        not {{ reconcile_setting('match_callers', 'boolean') }}
        or ours.calling_number is null
        or theirs.calling_number is null
        or ours.calling_number = theirs.calling_number
),

best_clock as (
    select distinct on (near.our_usage_id, near.their_usage_id) near.*
    from near
    where
        near.is_main
        or (
            near.is_caller_same
            and near.seconds_distance <= {{ reconcile_setting('seconds_tolerance', 'numeric') }}
        )
    order by near.our_usage_id asc, near.their_usage_id asc, near.clock_rank asc
)

select
    best_clock.our_usage_id,
    best_clock.their_usage_id,
    best_clock.quarters,
    best_clock.clock_rank,
    case when best_clock.is_caller_same then 0 else 1 end as caller_rank,
    best_clock.start_distance + best_clock.seconds_distance as distance,
    best_clock.twin_distance,
    best_clock.our_ordinal,
    best_clock.their_ordinal
from best_clock
