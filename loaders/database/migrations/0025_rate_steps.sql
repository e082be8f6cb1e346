-- Steps inside a call: beyond from_second a rate row has another price and increment.

set role ratehouse_owner;

create table reference.rate_step (
    deck_code text not null,
    prefix text not null check (prefix ~ '^[0-9]{1,13}$'),
    jurisdiction text not null default 'any'
    check (jurisdiction in ('any', 'interstate', 'intrastate', 'indeterminate')),
    from_second integer not null check (from_second >= 0),
    increment_seconds integer not null default 1 check (increment_seconds > 0),
    price_per_minute numeric(18, 10) not null check (price_per_minute >= 0)
);
select reference.date_twice(
    'rate_step',
    'deck_code || chr(31) || prefix || chr(31) || jurisdiction || chr(31) || from_second::text'
);
comment on table reference.rate_step is
'Steps of a rate row (deck, prefix, jurisdiction): seconds of a call beyond from_second have this
price and increment. Those in force where the row starts count; other steps need a new row.';

reset role;
set role ratehouse_transformer;

alter table if exists rating.rated_usage
add column retail_parts jsonb,
add column cost_parts jsonb;

reset role;
