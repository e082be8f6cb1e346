-- What every kind of reference data has, in one place for the kinds that came after 0004: dating
-- columns, unambiguous keys, guards and rights. key_expression makes one text key of a row.

set role ratehouse_owner;

create function reference.date_twice(table_name text, key_expression text) returns void
language plpgsql as $$
begin
    execute format($sql$
        alter table reference.%1$I
            add column valid_from timestamptz not null default '-infinity',
            add column valid_to timestamptz not null default 'infinity',
            add column recorded_from timestamptz not null default clock_timestamp(),
            add column recorded_to timestamptz not null default 'infinity',
            add column reference_load_id bigint
                references control.reference_load (reference_load_id),
            add column valid_during tstzrange not null
                generated always as (tstzrange(valid_from, valid_to)) stored,
            add column recorded_during tstzrange not null
                generated always as (tstzrange(recorded_from, recorded_to)) stored,
            add constraint %2$I check (valid_from < valid_to),
            add constraint %3$I check (recorded_from <= recorded_to),
            add constraint %4$I exclude using gist (
                int8range(hashtextextended(%5$s, 0), hashtextextended(%5$s, 0), '[]') with &&,
                valid_during with &&,
                recorded_during with &&
            )
    $sql$, table_name, table_name || '_validity_is_not_empty',
    table_name || '_recorded_is_ordered', table_name || '_is_unambiguous', key_expression);
    execute format(
        'create trigger %I before update on reference.%I '
        'for each row execute function reference.allow_only_recorded_close()',
        table_name || '_closes_only', table_name
    );
    execute format(
        'create trigger %I before delete or truncate on reference.%I '
        'for each statement execute function control.refuse_change()',
        table_name || '_is_never_deleted', table_name
    );
    execute format(
        'grant select, insert, update on reference.%I to ratehouse_loader', table_name
    );
    execute format('grant select on reference.%I to ratehouse_transformer', table_name);
end
$$;
comment on function reference.date_twice(text, text) is
'Gives a new table of reference data its dating columns, constraints, guards and rights.';

reset role;
