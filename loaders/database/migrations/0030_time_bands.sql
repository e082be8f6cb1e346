-- Prices by time of day: calendars, bands of a deck, prices of rate rows in a band; what happens to
-- a call that crosses a band, a price change or the edge of a billing period.

set role ratehouse_owner;

create table reference.calendar (
    calendar_code text not null,
    zone_rule text not null default 'fixed'
    check (zone_rule in ('fixed', 'account', 'source', 'calling_area')),
    time_zone text,
    constraint calendar_has_zone
    check (time_zone is not null or zone_rule in ('account', 'source'))
);
create table reference.calendar_day (
    calendar_code text not null,
    calendar_date date not null,
    day_class text not null default 'holiday' check (day_class ~ '^[a-z0-9_]+$')
);
create table reference.time_band (
    deck_code text not null,
    band_code text not null check (band_code <> ''),
    weekdays text not null default '1-7'
    check (weekdays ~ '^[1-7](-[1-7])?(,[1-7](-[1-7])?)*$'),
    from_time text not null default '00:00'
    check (from_time ~ '^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$'),
    to_time text not null default '24:00'
    check (to_time ~ '^(([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?|24:00(:00)?)$'),
    day_class text not null default '' check (day_class ~ '^[a-z0-9_]*$'),
    weight integer not null default 10
);
create table reference.band_rate (
    deck_code text not null,
    prefix text not null check (prefix ~ '^[0-9]{1,13}$'),
    jurisdiction text not null default 'any'
    check (jurisdiction in ('any', 'interstate', 'intrastate', 'indeterminate')),
    band_code text not null,
    price_per_minute numeric(18, 10) check (price_per_minute >= 0),
    price_per_call numeric(18, 10) check (price_per_call >= 0),
    price_per_unit numeric(18, 10) check (price_per_unit >= 0),
    connection_fee numeric(18, 10) check (connection_fee >= 0),
    minimum_seconds integer check (minimum_seconds >= 0),
    increment_seconds integer check (increment_seconds > 0),
    constraint band_rate_has_one_price
    check (num_nonnulls(price_per_minute, price_per_call, price_per_unit) = 1)
);
select reference.date_twice('calendar', 'calendar_code');
select reference.date_twice(
    'calendar_day', 'calendar_code || chr(31) || (calendar_date - date ''2000-01-01'')::text'
);
select reference.date_twice(
    'time_band',
    'deck_code || chr(31) || band_code || chr(31) || weekdays || chr(31) || from_time '
    '|| chr(31) || day_class'
);
select reference.date_twice(
    'band_rate',
    'deck_code || chr(31) || prefix || chr(31) || jurisdiction || chr(31) || band_code'
);
comment on table reference.calendar is
'A clock and its special days. fixed: of time_zone. account: of the account that pays. source: of
the source of the record. calling_area: of the calling area code, where the report of area codes
names one zone; else of time_zone.';
comment on table reference.calendar_day is
'Days that are not like the others of their weekday, such as holidays; a day has one class.';
comment on table reference.time_band is
'Times of the week of a deck, by the clock of its calendar. to_time before from_time: over
midnight, the band belongs to the day on which it starts. day_class: only on such days. Of several
bands at one moment the one of the highest weight counts.';
comment on table reference.band_rate is
'Price of a rate row (deck, prefix, jurisdiction) in a band, in place of its own. What is left out
is that of the row.';
comment on column reference.time_band.weekdays is 'Monday is 1: 1-5, 6,7, 1-7.';

alter table reference.deck
add column calendar_code text,
add column straddle_policy text not null default 'start'
check (straddle_policy in ('start', 'split_per_second', 'split_per_increment')),
add column part_rounding text not null default 'total'
check (part_rounding in ('total', 'part')),
add column price_change_policy text not null default 'start'
check (price_change_policy in ('start', 'split')),
add column uncovered_time text not null default 'refused'
check (uncovered_time in ('refused', 'row_price')),
add column increment_amount_decimals integer
check (increment_amount_decimals between 0 and 10),
add column increment_amount_mode text not null default 'half_up'
check (increment_amount_mode in ('up', 'half_up', 'half_even', 'half_down', 'down')),
drop constraint deck_duration_rounding_check,
add constraint deck_duration_rounding_check
check (duration_rounding in ('up', 'half_up', 'down', 'half_down', 'none'));
comment on column reference.deck.calendar_code is 'Whose clock and days the time bands go by.';
comment on column reference.deck.straddle_policy is
'A call that crosses a band. start: all of it has the band at its start. split_per_second: every
second has its own. split_per_increment: an increment has the band in which it starts.';
comment on column reference.deck.part_rounding is
'Of a call split per second, minimum and increments apply to the total or to each part.';
comment on column reference.deck.price_change_policy is
'A call during which another price comes into force keeps that of its start, or is split there.';
comment on column reference.deck.uncovered_time is
'Times in no band: the bands are refused, or the price of the rate row holds then.';
comment on column reference.deck.increment_amount_decimals is
'The price of one increment is rounded before it is multiplied, as some carriers do (null: it is
not). Drifts; only to reproduce their invoices.';

alter table reference.plan
drop constraint plan_duration_rounding_check,
add constraint plan_duration_rounding_check
check (duration_rounding in ('up', 'half_up', 'down', 'half_down', 'none'));
comment on column reference.plan.duration_rounding is
'How fractions of a second are rounded first. none: they are priced as they are.';

alter table reference.account
add column call_period text not null default 'start' check (call_period in ('start', 'end'));
comment on column reference.account.call_period is
'Usage belongs to the billing period of its start or of its end.';

reset role;
set role ratehouse_transformer;

alter table if exists rating.rated_usage
add column retail_unbilled_fraction numeric(4, 3),
add column cost_unbilled_fraction numeric(4, 3);

reset role;
