-- Who reads the marts, and how much of them:
--   bi_reader    all accounts, numbers and names masked
--   bi_unmasked  bi_reader with numbers and names whole
--   bi_account   the views of marts_account alone, and there the accounts that
--                control.account_reader gives to the login
-- Logins of people and tools are members of one of them; docs/bi.md says how.

do $$
declare
    role_name text;
    setting text;
begin
    foreach role_name in array array['bi_unmasked', 'bi_account'] loop
        begin
            execute format('create role %I nologin', role_name);
        exception when duplicate_object or unique_violation then
            null;
        end;
    end loop;
    -- dbt and operators see what they made; a user who may not grant finds it granted already.
    begin
        if not pg_has_role('bi_unmasked', 'bi_reader', 'member') then
            grant bi_reader to bi_unmasked;
        end if;
        if not pg_has_role('ratehouse_transformer', 'bi_unmasked', 'member') then
            grant bi_unmasked to ratehouse_transformer;
        end if;
    exception when unique_violation then -- another database of the server, at this instant
        null;
    end;
    -- Guard rails, no walls: a session may set other values. They hold for the login that carries
    -- them; logins of people get theirs from control.settle_reader.
    foreach role_name in array array['bi_reader', 'bi_unmasked', 'bi_account'] loop
        foreach setting in array array[
            'default_transaction_read_only=on', 'statement_timeout=60s', 'work_mem=64MB',
            'idle_in_transaction_session_timeout=5min', 'TimeZone=UTC'
        ] loop
            -- Roles are shared by all databases of the server: set only what is not set yet.
            continue when exists (
                select
                from pg_db_role_setting as s
                where
                    s.setrole = role_name::regrole and s.setdatabase = 0
                    and setting = any(s.setconfig)
            );
            begin
                execute format(
                    'alter role %I set %I to %L',
                    role_name, split_part(setting, '=', 1), split_part(setting, '=', 2)
                );
            exception when insufficient_privilege then
                raise notice 'role % belongs to another user: set % there by hand',
                    role_name, setting;
            end;
        end loop;
    end loop;
end
$$;

set role ratehouse_owner;

create table control.account_reader (
    login_name name not null,
    account_id bigint not null,
    sees_personal_data boolean not null default false,
    granted_at timestamptz not null default clock_timestamp(),
    granted_by text not null default session_user,
    primary key (login_name, account_id)
);
comment on table control.account_reader is 'Which accounts a login of bi_account sees.';
comment on column control.account_reader.login_name is
'Role that asks, as current_user gives it: a login, or what a portal sets its role to.';
comment on column control.account_reader.sees_personal_data is
'Whether it sees the numbers of its own calls whole.';

grant select on control.account_reader to ratehouse_transformer;

-- Gives a login its limits: settings of a role do not pass on to its members.
create function control.settle_reader(login_name name) returns void
language plpgsql as $$
declare
    setting text;
begin
    for setting in
        select unnest(s.setconfig)
        from pg_db_role_setting as s
        where s.setrole = 'bi_reader'::regrole and s.setdatabase = 0
    loop
        execute format(
            'alter role %I set %I to %L',
            login_name, split_part(setting, '=', 1), split_part(setting, '=', 2)
        );
    end loop;
end
$$;
comment on function control.settle_reader(name) is
'Gives a login the time limit, memory and read-only default of bi_reader.';
revoke execute on function control.settle_reader(name) from public;

reset role;

create schema if not exists marts_account authorization ratehouse_transformer;

set role ratehouse_transformer;
grant usage on schema marts_account to bi_account;
comment on schema marts_account is
'Views for customers: a login of bi_account sees rows of its own accounts.';

reset role;
