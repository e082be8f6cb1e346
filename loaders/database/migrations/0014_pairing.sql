-- Calls and sessions whose start and end come in different files: which runs were looked at.

set role ratehouse_owner;

alter table control.rating_run
add column pairing_checked_at timestamptz;
comment on column control.rating_run.pairing_checked_at is
'When the records of earlier files were looked through for those that this run''s files complete
(or, withdrawn, leave open). Null: still to be done, if its files are of a layout with pairs.';
create index rating_run_to_pair on control.rating_run (build_schema, rating_run_id)
where pairing_checked_at is null and run_kind in ('initial', 'withdraw', 'restore');

reset role;
