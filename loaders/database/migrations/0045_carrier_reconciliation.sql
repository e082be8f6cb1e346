-- A carrier's own records, loaded to be compared and never billed; and what the comparisons of our
-- calls with them came to.

set role ratehouse_owner;

alter table reference.source
drop constraint source_rating_mode_check,
add constraint source_rating_mode_check
check (rating_mode in ('none', 'rate', 'pre_rated', 'reconcile')),
add constraint source_to_compare_is_usage
check (rating_mode <> 'reconcile' or (file_kind <> 'sdr' and cost_deck_code is null));
comment on column reference.source.rating_mode is
'none: for information, not billed. rate: by our decks. pre_rated: the records carry the supplier''s
amount, which is the cost; the plan says whether it is also what the price is worked out from.
reconcile: what a carrier says of calls that we have from elsewhere; compared with those, never billed,
no cost.';

alter table control.event
drop constraint event_subject_check,
add constraint event_subject_check check (
    subject in ('file', 'rating_run', 'invoice_run', 'reference', 'database', 'reconciliation')
);

-- What a reconciliation works with: emptied by the next one, in its transaction. Not logged, and
-- never read by anybody else.
create unlogged table control.reconciliation_record (
    side text not null check (side in ('ours', 'theirs')),
    usage_id bigint not null,
    usage_type text not null,
    -- Called number, else calling number; records of the same calls have the same.
    pair_key text,
    -- Place among the records of its side and key by what they say; among those that say the same.
    ordinal integer not null,
    twin integer not null,
    started_at timestamptz not null,
    seconds numeric(12, 3) not null,
    billed_seconds bigint,
    calling_number bigint,
    called_number bigint,
    called_country text,
    prefix text,
    cost_rate_id bigint,
    amount numeric(28, 14),
    currency_code text,
    cost_status text,
    is_chargeable boolean not null,
    primary key (side, usage_id)
);
comment on table control.reconciliation_record is 'Records of both sides of the one at work.';
create index reconciliation_record_by_key
on control.reconciliation_record (side, pair_key, started_at);

create unlogged table control.reconciliation_clock (
    quarters integer primary key,
    pair_count bigint not null,
    is_main boolean not null,
    offset_seconds numeric not null
);
comment on table control.reconciliation_clock is
'By how many quarters of an hour, and seconds beside them, their clock is ahead of ours.';

create unlogged table control.reconciliation_candidate (
    our_usage_id bigint not null,
    their_usage_id bigint not null,
    quarters integer not null,
    clock_rank integer not null,
    caller_rank integer not null,
    distance numeric not null,
    twin_distance integer not null,
    our_ordinal integer not null,
    their_ordinal integer not null,
    primary key (our_usage_id, their_usage_id)
);
comment on table control.reconciliation_candidate is
'Records of the two sides that may be one call. Those of pairs already made are taken out.';

create unlogged table control.reconciliation_pair (
    our_usage_id bigint primary key,
    their_usage_id bigint not null unique,
    quarters integer not null
);
comment on table control.reconciliation_pair is 'Records of the two sides that are one call.';

create table control.reconciliation (
    reconciliation_id bigint generated always as identity primary key,
    period_from timestamptz not null,
    period_to timestamptz not null,
    our_sources text[] not null,
    their_sources text[] not null,
    config jsonb not null,
    result jsonb not null,
    requested_by text not null,
    made_at timestamptz not null default clock_timestamp(),
    check (period_from < period_to)
);
comment on table control.reconciliation is
'A comparison of our calls with a carrier''s records of them, as it was kept.';
comment on column control.reconciliation.config is 'Tolerances and what else was asked for.';
comment on column control.reconciliation.result is 'Counts, clock, and amounts by kind of charge.';

create table control.reconciliation_call (
    reconciliation_id bigint not null
    references control.reconciliation (reconciliation_id),
    call_no bigint not null,
    call_class text not null,
    call_date date not null,
    prefix text,
    destination_name text,
    called_country text,
    usage_type text not null,
    our_usage_id bigint,
    their_usage_id bigint,
    our_started_at timestamptz,
    their_started_at timestamptz,
    shift_seconds integer,
    our_seconds numeric(12, 3),
    our_billed_seconds bigint,
    their_seconds numeric(12, 3),
    seconds_difference numeric(12, 3),
    calling_number bigint,
    called_number bigint,
    expected_amount numeric(28, 14),
    expected_currency_code text,
    their_amount numeric(28, 14),
    their_currency_code text,
    difference_amount numeric(28, 14),
    claimed_amount numeric(28, 14),
    reason text not null,
    primary key (reconciliation_id, call_no),
    check (our_usage_id is not null or their_usage_id is not null)
);
comment on table control.reconciliation_call is
'Each record of both sides in the period, once: the two of a pair in one row.';

create trigger reconciliation_is_history before update or delete or truncate
on control.reconciliation for each statement execute function control.refuse_change();
create trigger reconciliation_call_is_history before update or delete or truncate
on control.reconciliation_call for each statement execute function control.refuse_change();

grant select, insert on control.reconciliation, control.reconciliation_call to ratehouse_loader;
grant select, insert, delete, truncate on control.reconciliation_record,
control.reconciliation_clock, control.reconciliation_candidate, control.reconciliation_pair
to ratehouse_loader;
grant select on control.reconciliation, control.reconciliation_call,
control.reconciliation_record, control.reconciliation_clock, control.reconciliation_candidate,
control.reconciliation_pair to ratehouse_transformer;

reset role;
