-- control: files, rating runs, invoice runs, reference loads, and the append-only event log.

set role ratehouse_owner;

create table control.reference_load (
    reference_load_id bigint generated always as identity primary key,
    kind text not null,
    file_name text not null,
    sha256 text not null,
    rows_read bigint not null,
    rows_added bigint not null,
    rows_changed bigint not null,
    rows_unchanged bigint not null,
    loaded_by text not null default session_user,
    recorded_at timestamptz not null default clock_timestamp()
);
comment on table control.reference_load is
'One row per reference file loaded. Its rows of reference.* carry reference_load_id.';

create table control.file (
    file_id bigint generated always as identity primary key,
    source_code text not null,
    file_kind text not null check (file_kind in ('cdr', 'sdr', 'unknown')),
    file_name text not null,
    origin text not null,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    byte_count bigint not null check (byte_count >= 0),
    compression text not null default 'none' check (compression in ('none', 'gzip', 'zip')),
    encoding text,
    layout_code text,
    layout_variant text,
    delimiter text,
    columns text[],
    detection jsonb not null default '{}'::jsonb,
    status text not null
    check (status in ('landed', 'held', 'discarded', 'withdrawn', 'failed')),
    status_reason text,
    duplicate_of_file_id bigint references control.file (file_id),
    record_count bigint not null default 0,
    data_count bigint not null default 0,
    non_data_count bigint not null default 0,
    quarantined_count bigint not null default 0,
    trailer_count bigint,
    trailer_total numeric,
    received_at timestamptz not null default clock_timestamp(),
    check (record_count = data_count + non_data_count + quarantined_count)
);
comment on table control.file is
'Registry of every file received. record_count counts logical records (a quoted value may span
physical lines): data landed in landing.<layout>, non-data in landing.non_data_line, the
rest in landing.quarantine. A held or failed file has landed nothing; its counts say what it
holds as far as it could be read.';
-- Two loaders on the same bytes: the unique index lets one win. Files without records (empty, or
-- a header alone) repeat every day and cannot bill anything twice.
create unique index file_landed_once on control.file (sha256)
where status = 'landed' and data_count > 0;
create index file_by_status on control.file (status, received_at);

create table control.event (
    event_id bigint generated always as identity primary key,
    subject text not null
    check (subject in ('file', 'rating_run', 'invoice_run', 'reference', 'database')),
    subject_id bigint,
    event text not null,
    detail jsonb not null default '{}'::jsonb,
    actor text not null default session_user,
    occurred_at timestamptz not null default clock_timestamp()
);
comment on table control.event is 'What happened to files and runs, who did it and why.';
create index event_by_subject on control.event (subject, subject_id);
create trigger event_is_history before update or delete or truncate on control.event
for each statement execute function control.refuse_change();

create table control.rating_run (
    rating_run_id bigint generated always as identity primary key,
    run_kind text not null
    check (run_kind in ('initial', 'reprocess', 'rerate', 'shadow', 'replay')),
    build_schema text not null default '',
    status text not null check (status in ('running', 'closed', 'failed', 'undone')),
    config jsonb not null default '{}'::jsonb,
    reason text,
    requested_by text not null default session_user,
    reference_cutoff timestamptz not null,
    code_commit text,
    code_is_dirty boolean,
    orchestrator_run_id text,
    attempt integer not null default 1,
    run_token uuid not null default gen_random_uuid(),
    opened_at timestamptz not null default clock_timestamp(),
    closed_at timestamptz,
    control_totals jsonb,
    failure text
);
comment on table control.rating_run is
'One rating of one work set. Only the rows of closed runs count; undone is a move of the pointer,
nothing is deleted. run_token is renewed at each attempt, so that a dbt process of an abandoned
attempt stops at its next model. build_schema is the dbt schema prefix, empty in production.';
create unique index rating_run_one_running on control.rating_run (build_schema)
where status = 'running';

create table control.rating_run_file (
    rating_run_id bigint not null references control.rating_run (rating_run_id),
    file_id bigint not null references control.file (file_id),
    build_schema text not null default '',
    is_initial boolean not null,
    primary key (rating_run_id, file_id)
);
comment on table control.rating_run_file is 'Work set by file: the files whose lines a run rates.';
create unique index rating_run_file_initial_once
on control.rating_run_file (build_schema, file_id) where is_initial;

create table control.rating_run_record (
    rating_run_id bigint not null references control.rating_run (rating_run_id),
    file_id bigint not null,
    line_no bigint not null,
    primary key (rating_run_id, file_id, line_no)
);
comment on table control.rating_run_record is
'Work set by record, where a run takes only some lines of its files (reprocess).';

create table control.invoice_run (
    invoice_run_id bigint generated always as identity primary key,
    build_schema text not null default '',
    period_month date not null check (period_month = date_trunc('month', period_month)::date),
    bill_group text not null,
    status text not null check (status in ('draft', 'approved', 'posted', 'failed')),
    reference_cutoff timestamptz not null,
    code_commit text,
    orchestrator_run_id text,
    run_token uuid not null default gen_random_uuid(),
    opened_at timestamptz not null default clock_timestamp(),
    drafted_at timestamptz,
    control_totals jsonb,
    is_building boolean not null default false,
    unique (build_schema, period_month, bill_group)
);
comment on table control.invoice_run is
'One billing run: a period and a bill group. A draft is rebuilt in place until it is approved.
period_month names the period: the one that starts in that month, in each account''s zone.';
create unique index invoice_run_one_building on control.invoice_run (build_schema)
where is_building;

grant select, insert, update on control.file to ratehouse_loader;
grant select, insert on control.reference_load, control.event to ratehouse_loader;
grant update on control.reference_load to ratehouse_loader; -- LOCK TABLE needs a write right
grant select, insert, update on control.rating_run, control.invoice_run to ratehouse_loader;
grant select, insert on control.rating_run_file, control.rating_run_record to ratehouse_loader;
grant select on all tables in schema control to ratehouse_transformer;

create trigger reference_load_is_history before update or delete or truncate
on control.reference_load for each statement execute function control.refuse_change();
create trigger file_is_never_deleted before delete or truncate on control.file
for each statement execute function control.refuse_change();
create trigger rating_run_is_never_deleted before delete or truncate on control.rating_run
for each statement execute function control.refuse_change();

reset role;
