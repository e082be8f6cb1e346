-- Layouts: files of usage and charges together, and the memory of which profiles are in force.

set role ratehouse_owner;

alter table control.file drop constraint file_file_kind_check;
alter table control.file add constraint file_file_kind_check
check (file_kind in ('cdr', 'sdr', 'mixed', 'unknown'));

alter table reference.source drop constraint source_file_kind_check;
alter table reference.source add constraint source_file_kind_check
check (file_kind in ('cdr', 'sdr', 'mixed'));

create table control.layout (
    layout_code text primary key,
    title text not null,
    file_kind text not null check (file_kind in ('cdr', 'sdr', 'mixed')),
    reader text not null,
    unassigned_source text not null,
    defaults jsonb not null,
    checksum text not null,
    changed_at timestamptz not null default clock_timestamp()
);
comment on table control.layout is
'The layouts this database has landing tables for, made from the profiles when migrations run.
checksum: of table and defaults; defaults: those the source unassigned_source was given.';

grant select on control.layout to ratehouse_loader, ratehouse_transformer;

reset role;
