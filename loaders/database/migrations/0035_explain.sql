-- Explaining a record: look-ups of the versions it was rated by and of its rows in the facts. And
-- which version of the rating models rates which billing periods.

set role ratehouse_owner;

create index account_by_id on reference.account (account_id);
create index service_by_id on reference.service (service_id);
create index plan_by_id on reference.plan (plan_id);
create index deck_by_id on reference.deck (deck_id);
create index deck_by_code on reference.deck (deck_code);
create index source_by_id on reference.source (source_id);
create index charge_tariff_by_product
on reference.charge_tariff (charge_tariff_code, product_code);

-- A new version comes with a migration that admits its number.
create table reference.rating_version (
    subject text not null default 'usage' check (subject = 'usage'),
    rating_version integer not null check (rating_version between 1 and 2)
);
select reference.date_twice('rating_version', 'subject');

alter table reference.rating_version
add constraint rating_version_starts_with_a_month check (
    not isfinite(valid_from)
    or date_trunc('month', valid_from at time zone 'UTC') = valid_from at time zone 'UTC'
),
add constraint rating_version_ends_with_a_month check (
    not isfinite(valid_to)
    or date_trunc('month', valid_to at time zone 'UTC') = valid_to at time zone 'UTC'
);
comment on table reference.rating_version is
'Which version of the rating models rates the usage of which billing periods: those named by a month
from valid_from on, before valid_to. Periods without a row are rated by the newest version.';
comment on column reference.rating_version.subject is 'What the version is of: usage.';
comment on column reference.rating_version.rating_version is
'1: minimum and maximum charge are of the usage alone, the connection fee comes on top. 2: they
count the connection fee.';

-- Views that take every column of a fact are made again by the next run.
delete from control.built_view;

-- The facts are dbt's, under its role: a database that has history gets column and indexes here.
reset role;
set role ratehouse_transformer;

alter table if exists rating.rated_usage
add column rating_version smallint;

do $$
declare
    fact text;
begin
    foreach fact in array array['rated_usage', 'rated_charge'] loop
        if to_regclass('rating.' || fact) is not null then
            execute format(
                'create index %I on rating.%I using brin (file_id, line_no)',
                fact || '_by_line', fact
            );
        end if;
    end loop;
end
$$;

reset role;
