-- Grain: one row per special day of a calendar, as known at the cut-off.
with calendar_days as (
    select * from {{ source('reference', 'calendar_day') }}
)

select
    calendar_days.calendar_code,
    calendar_days.calendar_date,
    calendar_days.day_class
from calendar_days
where
    {{ known_at_cutoff('calendar_days') }}
    and calendar_days.valid_from <= {{ utc_day('calendar_days.calendar_date') }}
    and calendar_days.valid_to > {{ utc_day('calendar_days.calendar_date') }}
