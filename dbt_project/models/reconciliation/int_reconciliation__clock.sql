-- Grain: one row per whole number of quarter hours by which their clock is ahead of ours: none,
-- that of most calls (the main one), and others that several calls share (a file read in another
-- zone). Told by calls that cannot be mistaken: the only ones of their two numbers on both sides.
with records as (
    select * from {{ source('control', 'reconciliation_record') }}
    where pair_key is not null and calling_number is not null
),

only_ones as (
    select
        min(records.started_at) filter (where records.side = 'ours') as our_start,
        min(records.started_at) filter (where records.side = 'theirs') as their_start
    from records
    group by records.pair_key, records.calling_number
    having
        count(*) filter (where records.side = 'ours') = 1
        and count(*) filter (where records.side = 'theirs') = 1
),

apart as (
    select
        {{ seconds_apart('only_ones.our_start', 'only_ones.their_start') }} as seconds,
        round({{ seconds_apart('only_ones.our_start', 'only_ones.their_start') }} / 900)::integer
            as quarters
    from only_ones
    where
        only_ones.their_start
        between only_ones.our_start - {{ widest_shift() }}
        and only_ones.our_start + {{ widest_shift() }}
),

shared as (
    select
        apart.quarters,
        count(*) as pair_count,
        -- the median: whether a clock runs ahead, not how long telephones ring
        percentile_disc(0.5) within group (order by apart.seconds - apart.quarters * 900)
            as offset_seconds
    from apart
    group by apart.quarters
),

known as (
    select
        shared.quarters,
        shared.pair_count,
        shared.offset_seconds
    from shared
    where
        shared.quarters = 0
        or (
            shared.pair_count >= 3
            and shared.pair_count * 10 >= (select max(most.pair_count) from shared as most)
        )
    union all
    select
        0 as quarters,
        0 as pair_count,
        0 as offset_seconds
    where 0 not in (select unshifted.quarters from shared as unshifted)
),

ranked as (
    select
        known.quarters,
        known.pair_count,
        known.offset_seconds,
        row_number() over (
            order by known.pair_count desc, abs(known.quarters) asc, known.quarters asc
        ) as clock_rank
    from known
)

select
    ranked.quarters,
    ranked.pair_count,
    ranked.clock_rank = 1 as is_main,
    -- one clock: what it drifts is told by most of the calls
    first_value(ranked.offset_seconds) over (order by ranked.clock_rank) as offset_seconds
from ranked
