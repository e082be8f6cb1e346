-- Schemas, roles and the guard functions that make history immutable.
-- Roles are cluster-wide: a second database on the same server finds them already there.

do $$
declare
    role_name text;
begin
    foreach role_name in array array[
        'ratehouse_owner', 'ratehouse_loader', 'ratehouse_transformer', 'bi_reader'
    ]
    loop
        begin
            execute format('create role %I nologin', role_name);
        exception when duplicate_object or unique_violation then
            null;
        end;
    end loop;
    -- The connecting user acts as each of them through SET ROLE; superusers need no grant. A user
    -- who was made a member beforehand may lack the right to grant, and needs none.
    foreach role_name in array array[
        'ratehouse_owner', 'ratehouse_loader', 'ratehouse_transformer'
    ]
    loop
        if not pg_has_role(current_user, role_name, 'SET') then
            execute format('grant %I to %I', role_name, current_user);
        end if;
    end loop;
    execute format('grant create on database %I to ratehouse_owner', current_database());
    execute format('grant create on database %I to ratehouse_transformer', current_database());
end
$$;

create schema control authorization ratehouse_owner;
create schema landing authorization ratehouse_owner;
create schema reference authorization ratehouse_owner;
create schema ledger authorization ratehouse_owner;
create schema dagster authorization ratehouse_owner;

comment on schema control is 'Memory of every step: files, runs, events, reference loads.';
comment on schema landing is 'Every line of every file as text, exactly as received. Immutable.';
comment on schema reference is 'Customers, services, plans, decks, number plans: dated twice.';
comment on schema ledger is 'Posted invoices. Insert only, gapless numbers.';
comment on schema dagster is 'Dagster run, event and schedule storage.';

grant usage on schema control, landing, reference, ledger
to ratehouse_loader, ratehouse_transformer;

set role ratehouse_owner;

-- Refuses every change of a table whose rows are history. Statement level: no cost per row.
create function control.refuse_change() returns trigger
language plpgsql as $$
begin
    raise exception '% on %.% is refused: its rows are immutable; corrections are new rows',
        tg_op, tg_table_schema, tg_table_name
        using errcode = 'restrict_violation';
end
$$;

-- Bitemporal rows: the one permitted update closes the recorded range.
create function reference.allow_only_recorded_close() returns trigger
language plpgsql as $$
declare
    -- Generated columns are not computed yet when a row trigger runs before the update; they follow
    -- from the columns that are compared.
    left_out constant text[] := array[
        'recorded_to', 'recorded_during', 'valid_during', 'direction_range'
    ];
begin
    if old.recorded_to = 'infinity'
       and new.recorded_to <> 'infinity'
       and to_jsonb(new) - left_out = to_jsonb(old) - left_out
    then
        return new;
    end if;
    raise exception 'a row of %.% is immutable: only its recorded_to may be closed, once',
        tg_table_schema, tg_table_name
        using errcode = 'restrict_violation';
end
$$;

reset role;
