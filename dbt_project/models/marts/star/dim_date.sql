-- Grain: one row per calendar day of the years 2000 to 2049. Days have no zone: which instants
-- belong to one is said by the fact (usage_date is a day in UTC).
with days as (
    select series.calendar_date::date as calendar_date
    from
        generate_series(
            date '2000-01-01', date '2049-12-31', interval '1 day'
        ) as series (calendar_date)
)

select
    days.calendar_date,
    date_trunc('month', days.calendar_date::timestamp)::date as month_start,
    date_trunc('quarter', days.calendar_date::timestamp)::date as quarter_start,
    extract(year from days.calendar_date)::smallint as year_no,
    extract(quarter from days.calendar_date)::smallint as quarter_no,
    extract(month from days.calendar_date)::smallint as month_no,
    extract(day from days.calendar_date)::smallint as day_of_month,
    extract(isodow from days.calendar_date)::smallint as weekday_no,
    to_char(days.calendar_date, 'FMDay')::text as weekday_name,
    extract(isoyear from days.calendar_date)::smallint as iso_year,
    extract(week from days.calendar_date)::smallint as iso_week,
    (extract(isodow from days.calendar_date) in (6, 7))::boolean as is_weekend
from days
