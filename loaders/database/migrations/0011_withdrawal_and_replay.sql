-- Withdrawing files and taking them back, replays, and the checksum of what a run wrote.

set role ratehouse_owner;

alter table control.rating_run
drop constraint rating_run_run_kind_check,
add constraint rating_run_run_kind_check check (
    run_kind in (
        'initial', 'reprocess', 'withdraw', 'restore', 'rerate', 'shadow', 'replay'
    )
),
drop constraint rating_run_status_check,
add constraint rating_run_status_check check (
    status in ('queued', 'running', 'closed', 'failed', 'undone')
),
add column undoes_run_id bigint references control.rating_run (rating_run_id),
add column replays_run_id bigint references control.rating_run (rating_run_id),
add constraint rating_run_restore_undoes check (
    (run_kind = 'restore') = (undoes_run_id is not null)
);

comment on column control.rating_run.status is
'queued: made with the run before it, begins with the next one that is opened. failed: to be tried
again.';
comment on column control.rating_run.undoes_run_id is
'The withdrawal that this run takes back: undone in the moment in which this run closes.';
comment on column control.rating_run.replays_run_id is
'The run whose work set and reference cut-off this one repeats in a build schema of its own.';

alter table control.rating_run_file
add column is_withdrawal boolean not null default false;
comment on column control.rating_run_file.is_withdrawal is
'The run withdraws this file, or takes it back; other files of it only have records to rate anew.';
create index rating_run_file_by_withdrawal on control.rating_run_file (file_id)
where is_withdrawal;

alter table control.invoice_run
add column stale_since timestamptz,
add column stale_reason text;
comment on column control.invoice_run.stale_since is
'What the draft was made from has changed (a file was withdrawn or restored): draft it again.';

create table control.replay (
    replay_id bigint generated always as identity primary key,
    build_schema text not null unique,
    status text not null check (status in ('running', 'equal', 'different', 'failed')),
    is_kept boolean not null,
    reason text,
    requested_by text not null,
    code_commit text,
    started_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    result jsonb
);
comment on table control.replay is
'Proofs that landing and the code of today give what stands in the warehouse: every closed run
repeated in a build schema of its own, compared by checksum. result holds the comparison.';
grant select, insert, update on control.replay to ratehouse_loader;
grant select on control.replay to ratehouse_transformer;
create trigger replay_is_never_deleted before delete or truncate on control.replay
for each statement execute function control.refuse_change();

-- The content of facts without what only a registry gave (ids of files, runs and rows): the file
-- stands by its fingerprint. So a replay, or another warehouse with the same files, compares equal.
-- Sums of hashes: rows in any order, whatever their number, in flat memory.
create function control.fact_checksums(
    fact regclass, runs bigint[] default null, stand_for bigint[] default null
)
returns table (period_month date, row_count bigint, checksum text)
language plpgsql stable
as $$
declare
    names text[] := array(
        select attname::text from pg_catalog.pg_attribute
        where attrelid = fact and attnum > 0 and not attisdropped
    );
    row_key text := (
        select name from unnest(names) as name where name in ('usage_id', 'charge_id')
    );
    original text := (
        select name from unnest(names) as name
        where name in ('original_usage_id', 'original_charge_id')
    );
    contents text := (
        select string_agg(format('f.%I', name), ', ' order by name collate "C")
        from unnest(names) as name
        where name not in (
            'rating_run_id', 'superseded_run_id', 'file_id', 'usage_id', 'charge_id',
            'original_usage_id', 'original_charge_id'
        )
    );
begin
    if row_key is not null then
        -- line and leg without the file (see usage_id in docs/rules.md)
        contents := contents || format(', f.%I & 68719476735', row_key);
    end if;
    if original is not null then
        contents := contents || format(', f.%1$I & 68719476735, originals.sha256', original);
    end if;
    if runs is not null then
        contents := contents || ', given.stand_for';
        if 'superseded_run_id' = any(names) then
            contents := contents || ', earlier.stand_for';
        end if;
    end if;
    return query execute
        'select '
        || case when 'period_month' = any(names) then 'f.period_month' else 'null::date' end
        || ', count(*), md5(count(*) || ''/'' || sum(hash_record_extended(c.content, 1)::numeric)'
        || ' || ''/'' || sum(hash_record_extended(c.content, 2)::numeric)) from '
        || fact::text || ' as f inner join control.file as files on files.file_id = '
        || case
            when 'file_id' = any(names) then 'f.file_id'
            else format('f.%I >> 36', row_key)
        end
        || case
            when original is not null
                then format(
                    ' left join control.file as originals on originals.file_id = f.%I >> 36',
                    original
                )
            else ''
        end
        || case
            when runs is null then ''
            else ' inner join unnest($1, $2) as given (run_id, stand_for)'
                || ' on f.rating_run_id = given.run_id'
        end
        || case
            when 'superseded_run_id' = any(names) and runs is not null
                then ' left join unnest($1, $2) as earlier (run_id, stand_for)'
                    || ' on f.superseded_run_id = earlier.run_id'
            else ''
        end
        || ' cross join lateral (select row(files.sha256, ' || contents || ') as content) as c'
        || case when runs is null then '' else ' where f.rating_run_id = any($1)' end
        || ' group by 1 order by 1'
        using runs, coalesce(stand_for, runs);
end;
$$;
comment on function control.fact_checksums is
'Rows and checksum of a fact by month: of all runs, or of those given, each standing for the run
beside it in stand_for. Hashes are those of this server''s version: compare on one server.';
grant execute on function control.fact_checksums to ratehouse_loader, ratehouse_transformer;

reset role;
