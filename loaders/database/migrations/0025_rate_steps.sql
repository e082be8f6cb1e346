-- Steps inside a call: beyond from_second a rate row has another price and increment.

set role ratehouse_owner;

create table reference.rate_step (
    deck_code text not null,
    prefix text not null check (prefix ~ '^[0-9]{1,13}$'),
    jurisdiction text not null default 'any'
    check (jurisdiction in ('any', 'interstate', 'intrastate', 'indeterminate')),
    from_second integer not null check (from_second >= 0),
    increment_seconds integer not null default 1 check (increment_seconds > 0),
    price_per_minute numeric(18, 10) not null check (price_per_minute >= 0),
    valid_from timestamptz not null default '-infinity',
    valid_to timestamptz not null default 'infinity',
    recorded_from timestamptz not null default clock_timestamp(),
    recorded_to timestamptz not null default 'infinity',
    reference_load_id bigint references control.reference_load (reference_load_id),
    valid_during tstzrange not null
    generated always as (tstzrange(valid_from, valid_to)) stored,
    recorded_during tstzrange not null
    generated always as (tstzrange(recorded_from, recorded_to)) stored,
    constraint rate_step_validity_is_not_empty check (valid_from < valid_to),
    constraint rate_step_recorded_is_ordered check (recorded_from <= recorded_to),
    constraint rate_step_is_unambiguous exclude using gist (
        int8range(
            hashtextextended(
                deck_code || chr(31) || prefix || chr(31) || jurisdiction || chr(31)
                || from_second::text, 0
            ),
            hashtextextended(
                deck_code || chr(31) || prefix || chr(31) || jurisdiction || chr(31)
                || from_second::text, 0
            ),
            '[]'
        ) with &&,
        valid_during with &&,
        recorded_during with &&
    )
);
comment on table reference.rate_step is
'Steps of a rate row (deck, prefix, jurisdiction): seconds of a call beyond from_second have this
price and increment. Those in force where the row starts count; other steps need a new row.';

create trigger rate_step_closes_only before update on reference.rate_step
for each row execute function reference.allow_only_recorded_close();
create trigger rate_step_is_never_deleted before delete or truncate on reference.rate_step
for each statement execute function control.refuse_change();

grant select, insert, update on reference.rate_step to ratehouse_loader;
grant select on reference.rate_step to ratehouse_transformer;

reset role;
set role ratehouse_transformer;

alter table if exists rating.rated_usage
add column retail_parts jsonb,
add column cost_parts jsonb;

reset role;
