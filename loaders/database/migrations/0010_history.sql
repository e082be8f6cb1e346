-- History of files: members of archives, what repeats what, numbers in a row, releases.

set role ratehouse_owner;

alter table control.file
add column archive_file_id bigint references control.file (file_id),
add column sequence_series text,
add column sequence_number bigint,
add column content_checked_at timestamptz,
add column released_at timestamptz,
add column released_by text,
add constraint file_release_has_actor check ((released_at is null) = (released_by is null));

comment on table control.file is
'Registry of every file received. record_count counts logical records (a quoted value may span
physical lines): data landed in landing.<layout>, non-data in landing.non_data_line, the
rest in landing.quarantine. A file that was held while it was read, or that failed, has landed
nothing; its counts say what it holds as far as it could be read. A file held afterwards
(content_checked_at is filled: same_content, record_gap) keeps its landed rows, which no run takes.
The bytes as received are kept under their sha256 in the storage of originals.';
comment on column control.file.archive_file_id is 'The archive this file was a member of.';
comment on column control.file.sequence_series is
'What the numbers count in, where file names of a source say it (a day, a switch); else empty.';
comment on column control.file.sequence_number is
'The file''s place in its source''s row of files, from its name or its trailer.';
comment on column control.file.content_checked_at is
'When the landed records were compared with those of other files. Runs take no file before that.';
comment on column control.file.released_at is
'When a person let a held file land, whatever had held it; control.event says why.';

-- A repeat lands only when a person says so.
drop index control.file_landed_once;
create unique index file_landed_once on control.file (sha256)
where status = 'landed' and data_count > 0
and (duplicate_of_file_id is null or released_at is null);
create index file_by_fingerprint on control.file (sha256);
create index file_by_name on control.file (source_code, file_name);
create index file_by_sequence on control.file (source_code, sequence_series, sequence_number)
where sequence_number is not null;
create index file_not_checked on control.file (file_id)
where status = 'landed' and content_checked_at is null;

-- No key: a second row of a hash and a file would do no harm, and the index serves the search.
create table control.file_record_sample (
    record_hash bigint not null,
    file_id integer not null
);
comment on table control.file_record_sample is
'Hashes of records by which a file is recognised that repeats another: all of a small file, else
those divisible by 16. The same record has the same hash in every file, so samples agree.';
create index file_record_sample_by_hash
on control.file_record_sample (record_hash, file_id);

grant select, insert on control.file_record_sample to ratehouse_loader;
grant select on control.file_record_sample to ratehouse_transformer;

alter table reference.source
add column overlap_hold_percent numeric(5, 2) not null default 95
check (overlap_hold_percent between 0 and 100),
add column same_name_rule text not null default 'off' check (same_name_rule in ('off', 'hold')),
add column sequence_pattern text,
add column record_number_column text,
add column gap_rule text not null default 'report' check (gap_rule in ('off', 'report', 'hold'));

comment on column reference.source.overlap_hold_percent is
'A file is held when at least this share of its records stands in one earlier file; 0: never.';
comment on column reference.source.same_name_rule is
'hold: another file of a name that has landed is held, whatever it holds.';
comment on column reference.source.sequence_pattern is
'Regular expression on the file name with a group "number" (and, if numbers start again, a group
"series"): finds files that are missing.';
comment on column reference.source.record_number_column is
'Landing column in which the records of a file count up by one: finds records that are missing.';
comment on column reference.source.gap_rule is
'What to do when numbers are missing: nothing, report them, or hold the file too.';

reset role;
