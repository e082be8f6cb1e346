-- Re-rating what was rated, and undoing a run: corrected durations, decks chosen for a run.

set role ratehouse_owner;

alter table control.rating_run
drop constraint rating_run_run_kind_check,
add constraint rating_run_run_kind_check check (
    run_kind in (
        'initial', 'reprocess', 'withdraw', 'restore', 'rerate', 'undo', 'shadow', 'replay'
    )
),
drop constraint rating_run_restore_undoes,
add constraint rating_run_undoes_another check (
    (run_kind in ('restore', 'undo')) = (undoes_run_id is not null)
);
comment on column control.rating_run.undoes_run_id is
'The run that this one takes back: it is undone in the moment in which this run closes. Undoing an
undo makes what it took back count again.';

create table control.duration_correction (
    rating_run_id bigint not null references control.rating_run (rating_run_id),
    file_id bigint not null,
    line_no bigint not null,
    seconds_before numeric(12, 3),
    new_seconds numeric(12, 3) check (new_seconds >= 0),
    reason text not null check (btrim(reason) <> ''),
    requested_by text not null default session_user,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (rating_run_id, file_id, line_no)
);
comment on table control.duration_correction is
'A duration that somebody put right when records were rated again. The landed line stays as it is.
In force while its run counts; of several the one of the latest run. new_seconds null: the duration
of the line again. Insert only.';
create index duration_correction_by_line on control.duration_correction (file_id, line_no);
create trigger duration_correction_is_history before update or delete or truncate
on control.duration_correction for each statement execute function control.refuse_change();

create table control.deck_choice (
    rating_run_id bigint not null references control.rating_run (rating_run_id),
    file_id bigint not null,
    line_no bigint not null,
    leg_no smallint not null,
    retail_deck_id integer references reference.deck_key (deck_id),
    cost_deck_id integer references reference.deck_key (deck_id),
    primary key (rating_run_id, file_id, line_no, leg_no),
    check (num_nonnulls(retail_deck_id, cost_deck_id) > 0)
);
comment on table control.deck_choice is
'A deck by which one run prices one usage leg, instead of the one its plan or source names. It holds
for that run alone. Insert only.';
create trigger deck_choice_is_history before update or delete or truncate
on control.deck_choice for each statement execute function control.refuse_change();

grant select, insert on control.duration_correction, control.deck_choice to ratehouse_loader;
grant select on control.duration_correction, control.deck_choice to ratehouse_transformer;

-- New facts get this index from their model; here those that are there already.
set role ratehouse_transformer;
do $$
begin
    if to_regclass('rating.rated_usage') is not null then
        create index rated_usage_by_account on rating.rated_usage (account_id);
    end if;
end
$$;

reset role;
