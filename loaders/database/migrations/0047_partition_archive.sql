-- Months of facts that were moved to Parquet files and taken back: append-only memory.

set role ratehouse_owner;

create table control.partition_archive (
    partition_archive_id bigint generated always as identity primary key,
    build_schema text not null default '',
    fact text not null,
    month date not null check (month = date_trunc('month', month)::date),
    act text not null check (act in ('archived', 'attached')),
    row_count bigint not null check (row_count >= 0),
    row_checksum text not null,
    periods date[] not null,
    file_name text not null,
    byte_count bigint not null,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    reason text not null check (reason ~ '\S'),
    actor text not null,
    recorded_at timestamptz not null default clock_timestamp()
);
comment on table control.partition_archive is
'Each time a month of a fact was moved out to a Parquet file, or read back from it. The last row of
a fact and month tells where it is. Insert only.';
comment on column control.partition_archive.fact is 'Schema and name of the fact, without prefix.';
comment on column control.partition_archive.month is 'Month of the partition, UTC.';
comment on column control.partition_archive.row_checksum is
'Sum of the hashes of all rows as text (UTC), in any order: equal before, in the file and after.';
comment on column control.partition_archive.periods is 'Billing periods its rows belong to.';
create index partition_archive_by_month on control.partition_archive (build_schema, fact, month);
create trigger partition_archive_is_history before update or delete or truncate
on control.partition_archive for each statement execute function control.refuse_change();

grant select, insert on control.partition_archive to ratehouse_transformer;
grant select on control.partition_archive to ratehouse_loader;

reset role;
