-- Grain: one row per calendar version, as known at the cut-off.
with calendars as (
    select * from {{ source('reference', 'calendar') }}
)

select
    calendars.calendar_code,
    calendars.zone_rule,
    calendars.time_zone,
    calendars.valid_from,
    calendars.valid_to
from calendars
where {{ known_at_cutoff('calendars') }}
