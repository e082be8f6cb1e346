-- Shadow billing runs: a month rated and billed by other code or prices, beside production.

set role ratehouse_owner;

create table control.shadow_run (
    shadow_run_id bigint generated always as identity primary key,
    build_schema text not null unique,
    status text not null check (status in ('running', 'pass', 'look', 'fail', 'failed')),
    is_kept boolean not null,
    period_month date not null,
    config jsonb not null,
    base_code text,
    proposed_code text,
    requested_by text not null,
    started_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    result jsonb
);
comment on table control.shadow_run is
'Rehearsals of a change: a month of production rated and billed by other code or with proposed
reference data, in schemas of its own, and what would be different. Nothing of it ever counts.';
comment on column control.shadow_run.status is
'The verdict against the thresholds; failed: it ended early.';
grant select, insert, update on control.shadow_run to ratehouse_loader;
grant select on control.shadow_run to ratehouse_transformer;
create trigger shadow_run_is_never_deleted before delete or truncate on control.shadow_run
for each statement execute function control.refuse_change();

reset role;
