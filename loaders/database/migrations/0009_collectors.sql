-- Collectors: where files are fetched from, and what was fetched. A collector is reference data
-- (dated twice, loaded from a CSV file); what it did is history.
-- Secrets never stand here: password_from and private_key_from name where they are read from.

set role ratehouse_owner;

create table reference.collector (
    -- A folder of this name holds files under way; `ratehouse collect test` has a meaning.
    collector_code text not null
    check (collector_code ~ '^[a-z0-9_]{1,60}$' and collector_code <> 'test'),
    protocol text not null check (protocol in ('sftp', 'ftp', 'ftps', 'imap', 'folder')),
    host text,
    port integer check (port between 1 and 65535),
    username text,
    password_from text check (password_from ~ '^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+)$'),
    private_key_from text check (private_key_from ~ '^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+)$'),
    host_key text,
    tls_trust text not null default 'system'
    check (tls_trust ~ '^(system|file:/.+|sha256:[0-9A-Fa-f:]{64,95})$'),
    directory text not null default '',
    rules jsonb not null,
    after_collection text not null default 'keep'
    check (after_collection in ('keep', 'move', 'delete')),
    after_folder text,
    poll_minutes integer not null default 15 check (poll_minutes between 1 and 44640),
    settle_seconds integer not null default 20 check (settle_seconds between 0 and 600),
    maximum_megabytes integer not null default 4096 check (maximum_megabytes between 1 and 1048576),
    is_enabled boolean not null default true
);
select reference.date_twice('collector', 'collector_code');
comment on table reference.collector is
'Where files are fetched from, and the rules that tell their sources. Holds no secret: only the
name of the environment variable (env:NAME) or file (file:/path) a secret is read from.';
comment on column reference.collector.rules is
'Ordered list; the first rule that fits a file names its source, kind (cdr, sdr) and cadence.';

create table control.collection (
    collection_id bigint generated always as identity primary key,
    collector_code text not null,
    status text not null check (status in ('done', 'failed')),
    error text,
    seen_count integer not null,
    taken_count integer not null,
    ignored_count integer not null,
    failed_count integer not null,
    started_at timestamptz not null,
    ended_at timestamptz not null default clock_timestamp(),
    actor text not null default session_user,
    check ((status = 'failed') = (error is not null))
);
comment on table control.collection is
'One row per look of a collector at its remote side. failed: it could not look; error says why.';
create index collection_by_collector on control.collection (collector_code, ended_at);

create table control.collected_file (
    collected_file_id bigint generated always as identity primary key,
    collector_code text not null,
    remote_name text not null,
    remote_stamp text not null,
    file_name text not null,
    remote_url text not null,
    byte_count bigint,
    modified_at timestamptz,
    detail jsonb not null default '{}'::jsonb,
    source_code text,
    file_kind text check (file_kind in ('cdr', 'sdr')),
    cadence text check (cadence in ('hourly', 'daily', 'weekly', 'monthly')),
    status text not null
    check (status in ('taken', 'ignored', 'failed', 'moved', 'deleted')),
    reason_code text,
    reason text,
    sha256 text check (sha256 ~ '^[0-9a-f]{64}$'),
    file_id bigint references control.file (file_id),
    recorded_at timestamptz not null default clock_timestamp(),
    check (status <> 'taken' or (file_id is not null and sha256 is not null)),
    check (status not in ('ignored', 'failed') or reason is not null)
);
comment on table control.collected_file is
'Memory of the collectors, append only. remote_name and remote_stamp (size and time of change, or
the mailbox''s own numbers) name one state of one remote file: it is taken once. taken: handed to
the loader, file_id says what became of it; moved, deleted: what was done at the remote side
afterwards.';
create index collected_file_by_name on control.collected_file
(collector_code, remote_name, remote_stamp);
create index collected_file_by_file on control.collected_file (file_id);

grant select, insert on control.collection, control.collected_file to ratehouse_loader;
grant select on control.collection, control.collected_file to ratehouse_transformer;

create trigger collection_is_history before update or delete or truncate
on control.collection for each statement execute function control.refuse_change();
create trigger collected_file_is_history before update or delete or truncate
on control.collected_file for each statement execute function control.refuse_change();

reset role;
