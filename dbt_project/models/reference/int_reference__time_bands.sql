-- Grain: one row per stretch of a local day that a band of a deck covers, as known at the cut-off.
-- A band over midnight is two: the second stands on the next weekday and belongs to the day before
-- (day_shift 1), whose class counts.
with time_bands as (
    select * from {{ source('reference', 'time_band') }}
),

decks as (
    select distinct
        deck.deck_id,
        deck.deck_code
    from {{ ref('int_reference__decks') }} as deck
),

clocked as (
    select
        decks.deck_id,
        time_bands.band_code,
        time_bands.weekdays,
        time_bands.day_class,
        time_bands.weight,
        {{ second_of_day('time_bands.from_time') }} as from_second,
        {{ second_of_day('time_bands.to_time') }} as to_second,
        time_bands.valid_from,
        time_bands.valid_to
    from time_bands
    inner join decks on time_bands.deck_code = decks.deck_code
    where {{ known_at_cutoff('time_bands') }}
),

daily as (
    select
        clocked.*,
        weekdays.weekday
    from clocked
    cross join lateral generate_series(1, 7) as weekdays (weekday)
    where
        exists (
            select 1
            from regexp_split_to_table(clocked.weekdays, ',') as listed (days)
            where
                weekdays.weekday >= left(listed.days, 1)::integer
                and weekdays.weekday <= right(listed.days, 1)::integer
        )
)

select
    daily.deck_id,
    daily.band_code,
    daily.day_class,
    daily.weight,
    daily.weekday,
    0 as day_shift,
    daily.from_second,
    case when daily.to_second > daily.from_second then daily.to_second else 86400 end
        as to_second,
    daily.valid_from,
    daily.valid_to
from daily
union all
select
    daily.deck_id,
    daily.band_code,
    daily.day_class,
    daily.weight,
    daily.weekday % 7 + 1 as weekday,
    1 as day_shift,
    0 as from_second,
    daily.to_second,
    daily.valid_from,
    daily.valid_to
from daily
where daily.to_second <= daily.from_second and daily.to_second > 0
