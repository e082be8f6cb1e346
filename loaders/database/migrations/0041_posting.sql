-- Posting: billing runs in rounds, approvals, the ledger as it is filled, closed periods, and the
-- settings of invoice numbers, late usage and gates.

set role ratehouse_owner;

-- -- billing runs ---------------------------------------------------------------------------------

alter table control.invoice_run
drop constraint invoice_run_build_schema_period_month_bill_group_key,
add column round_no integer not null default 1 check (round_no >= 1),
add column is_current boolean not null default true,
add column rating_runs bigint[],
add column approval_id bigint,
add column posted_at timestamptz,
add constraint invoice_run_round_is_one unique (build_schema, period_month, bill_group, round_no);
-- One draft is open at a time; what is posted stays, and the next round begins beside it.
create unique index invoice_run_one_open
on control.invoice_run (build_schema, period_month, bill_group) where status <> 'posted';
create unique index invoice_run_one_current
on control.invoice_run (build_schema, period_month, bill_group) where is_current;
comment on table control.invoice_run is
'One billing run: a period, a bill group and a round. A draft is rebuilt in place until it is
approved. After posting the next round is drafted beside it; it posts the difference only.
period_month names the period: the one that starts in that month, in each account''s zone.';
comment on column control.invoice_run.round_no is
'1: the invoices of the period. Later rounds adjust them.';
comment on column control.invoice_run.is_current is
'The newest drafted round of its period and bill group: what the period comes to as known now.';
comment on column control.invoice_run.rating_runs is
'The closed rating runs that the draft was made of: with them what was billed can always be told.';
comment on column control.invoice_run.approval_id is
'The approval in force; null: a draft. Earlier ones stay in control.invoice_approval.';

create table control.invoice_approval (
    approval_id bigint generated always as identity primary key,
    invoice_run_id bigint not null references control.invoice_run (invoice_run_id),
    approved_by text not null check (approved_by ~ '\S'),
    approved_at timestamptz not null default clock_timestamp(),
    reason text not null check (reason ~ '\S'),
    content_checksum text not null,
    control_totals jsonb not null,
    gates jsonb not null,
    overrides jsonb not null default '{}'::jsonb
);
comment on table control.invoice_approval is
'Who approved which draft, when and why: totals, checksum and gates as they stood, and the reason
given for each blocked gate. A row is never changed; an approval taken back is an event.';
alter table control.invoice_run
add constraint invoice_run_approval_exists
foreign key (approval_id) references control.invoice_approval (approval_id);
create trigger invoice_approval_is_history before update or delete or truncate
on control.invoice_approval for each statement execute function control.refuse_change();

create table control.closed_period (
    period_month date not null check (period_month = date_trunc('month', period_month)::date),
    bill_group text not null,
    closed_by text not null,
    closed_at timestamptz not null default clock_timestamp(),
    reason text not null check (reason ~ '\S'),
    is_forced boolean not null default false,
    open_things jsonb not null default '[]'::jsonb,
    primary key (period_month, bill_group)
);
comment on table control.closed_period is
'Periods of a bill group that take no more drafts of first invoices. Late usage is billed by later
rounds, as late_policy says. open_things: what was still open when it was closed by force.';
create trigger closed_period_is_history before update or delete or truncate
on control.closed_period for each statement execute function control.refuse_change();

grant select, insert on control.invoice_approval, control.closed_period to ratehouse_loader;
grant select on control.invoice_approval, control.closed_period to ratehouse_transformer;

-- -- settings -------------------------------------------------------------------------------------

create table reference.invoice_numbering (
    bill_group text not null,
    legal_entity text not null default '',
    sequence_code text not null default 'INV' check (sequence_code ~ '^[A-Za-z0-9_-]+$'),
    credit_sequence_code text check (credit_sequence_code ~ '^[A-Za-z0-9_-]+$'),
    number_format text not null default '{sequence}-{number}' check (number_format ~ '\{number\}'),
    number_digits integer not null default 6 check (number_digits between 1 and 12),
    restarts text not null default 'never' check (restarts in ('never', 'yearly')),
    constraint invoice_numbering_says_sequence check (number_format ~ '\{sequence\}'),
    constraint invoice_numbering_says_year
    check (restarts = 'never' or number_format ~ '\{year\}')
);
comment on table reference.invoice_numbering is
'How the invoices of a bill group are numbered. `*` is every group without a row of its own.';
comment on column reference.invoice_numbering.bill_group is 'A bill group, or * for all others.';
comment on column reference.invoice_numbering.legal_entity is
'Who sends the invoices: words for the document.';
comment on column reference.invoice_numbering.sequence_code is
'Number range. Groups that name the same one share its numbers.';
comment on column reference.invoice_numbering.credit_sequence_code is
'Number range of credit notes; empty: that of the invoices.';
comment on column reference.invoice_numbering.number_format is
'{sequence}, {year}, {month} of posting (UTC) and {number}, with what else it takes.';
comment on column reference.invoice_numbering.restarts is
'yearly: the numbers begin at 1 again with each year.';

create table reference.late_policy (
    late_scope text not null check (late_scope in ('account', 'source', 'carrier', 'list')),
    scope_code text not null default '',
    late_rule text not null check (late_rule in ('own_period', 'next_invoice')),
    constraint late_policy_scope_is_whole check ((late_scope = 'list') = (scope_code = ''))
);
comment on table reference.late_policy is
'How a difference to a posted invoice is billed: own_period: by an adjustment of its own;
next_invoice: as lines of the next invoice of the account, with the period they belong to.';
comment on column reference.late_policy.late_scope is
'Of an account, else of the sources (then carriers) whose records made the difference, if they
agree, else everybody''s (list). Nothing: own_period.';

create table reference.billing_gate (
    bill_group text not null default '*',
    gate_code text not null,
    measure text not null,
    warn_above numeric(24, 6) check (warn_above >= 0),
    block_above numeric(24, 6) check (block_above >= 0)
);
comment on table reference.billing_gate is
'Thresholds of the gates before posting where they are not those of seeds/billing_gates.csv.';
comment on column reference.billing_gate.bill_group is 'A bill group, or * for all others.';
comment on column reference.billing_gate.warn_above is 'Above it the gate warns; empty: never.';
comment on column reference.billing_gate.block_above is
'Above it the draft is approved only with a reason for this gate; empty: never.';

select reference.date_twice('invoice_numbering', 'bill_group');
select reference.date_twice('late_policy', 'late_scope || chr(31) || scope_code');
select reference.date_twice(
    'billing_gate', 'bill_group || chr(31) || gate_code || chr(31) || measure'
);

-- -- the ledger -----------------------------------------------------------------------------------

-- Nothing posted before this migration: the ledger was empty.
do $$
begin
    if exists (select from ledger.invoice) then
        raise exception 'ledger.invoice holds rows that no posting of Ratehouse wrote';
    end if;
end
$$;
drop table ledger.invoice_line;
drop table ledger.invoice;

comment on column ledger.number_sequence.sequence_code is
'Number range, with /YYYY behind it where the numbers begin again each year.';

create table ledger.posting (
    posting_id bigint generated always as identity primary key,
    invoice_run_id bigint not null unique references control.invoice_run (invoice_run_id),
    approval_id bigint not null references control.invoice_approval (approval_id),
    period_month date not null,
    bill_group text not null,
    round_no integer not null,
    content_checksum text not null,
    reference_cutoff timestamptz not null,
    code_commit text,
    rating_runs bigint[] not null,
    invoice_count integer not null,
    line_count integer not null,
    carried_count integer not null,
    totals jsonb not null,
    posted_at timestamptz not null default clock_timestamp(),
    posted_by text not null,
    reason text
);
comment on table ledger.posting is 'One row per billing run that was posted.';
comment on column ledger.posting.rating_runs is
'Rating runs that counted: usage and charges of exactly these, and not superseded by one of them,
are what was billed (marts.rpt_ledger__usage, rpt_ledger__charge).';
comment on column ledger.posting.totals is 'Total posted by currency.';

create table ledger.invoice (
    account_id bigint not null,
    invoice_id bigint generated always as identity,
    posting_id bigint not null references ledger.posting (posting_id),
    invoice_run_id bigint not null references control.invoice_run (invoice_run_id),
    invoice_kind text not null check (invoice_kind in ('invoice', 'adjustment', 'credit_note')),
    sequence_code text not null references ledger.number_sequence (sequence_code),
    invoice_number bigint not null check (invoice_number > 0),
    invoice_label text not null,
    account_code text not null,
    customer_name text not null,
    bill_group text not null,
    legal_entity text not null default '',
    period_month date not null,
    period_start_at timestamptz not null,
    period_end_at timestamptz not null check (period_end_at > period_start_at),
    time_zone text not null,
    currency_code text not null,
    line_count integer not null check (line_count > 0),
    invoice_total numeric(18, 4) not null,
    adjusts_invoice_id bigint,
    invoice_date date not null,
    posted_at timestamptz not null default clock_timestamp(),
    posted_by text not null default session_user,
    primary key (account_id, invoice_id),
    foreign key (account_id, adjusts_invoice_id) references ledger.invoice (account_id, invoice_id),
    constraint invoice_original_has_none
    check ((invoice_kind = 'invoice') = (adjusts_invoice_id is null))
);
-- A period of an account is billed once; all that comes later are adjustments.
create unique index invoice_once_per_period on ledger.invoice (
    account_id, period_month, currency_code
) where invoice_kind = 'invoice';
create index invoice_by_posting on ledger.invoice (posting_id);
create index invoice_by_period on ledger.invoice (period_month, bill_group);
comment on table ledger.invoice is
'Posted invoices, adjustments and credit notes: never changed. One invoice per account, period and
currency; what changes afterwards is a row of its own that names it.';
comment on column ledger.invoice.invoice_label is 'The number as the customer reads it.';
comment on column ledger.invoice.adjusts_invoice_id is 'The invoice of the period, same account.';
comment on column ledger.invoice.account_code is 'As it was when this was posted, like the name.';

-- Numbers are unique by their range: in a small table of their own, because the ledger may be
-- spread by account.
create table ledger.issued_number (
    sequence_code text not null references ledger.number_sequence (sequence_code),
    invoice_number bigint not null,
    invoice_label text not null,
    account_id bigint not null,
    invoice_id bigint not null,
    primary key (sequence_code, invoice_number),
    unique (invoice_label),
    foreign key (account_id, invoice_id) references ledger.invoice (account_id, invoice_id)
);
comment on table ledger.issued_number is 'Which invoice has a number; each number is given once.';

create table ledger.invoice_line (
    account_id bigint not null,
    invoice_id bigint not null,
    line_no integer not null,
    period_month date not null,
    line_kind text not null,
    charge_class text not null,
    product_code text,
    description text not null,
    record_count bigint not null,
    billed_seconds bigint,
    quantity numeric(24, 4) not null,
    unit text,
    unrounded_amount numeric(28, 14) not null,
    line_amount numeric(28, 14) not null,
    currency_code text not null,
    source_currency_code text,
    source_amount numeric(28, 14),
    exchange_rate numeric(20, 10),
    exchange_source text,
    exchange_rate_from timestamptz,
    detail jsonb,
    original_invoice_id bigint,
    original_line_no integer,
    carried_line_id bigint,
    primary key (account_id, invoice_id, line_no),
    foreign key (account_id, invoice_id) references ledger.invoice (account_id, invoice_id),
    foreign key (account_id, original_invoice_id, original_line_no)
    references ledger.invoice_line (account_id, invoice_id, line_no)
);
comment on table ledger.invoice_line is 'Lines of posted invoices: never changed.';
comment on column ledger.invoice_line.period_month is
'The period the line belongs to: that of the invoice, or an earlier one of what came late.';
comment on column ledger.invoice_line.line_amount is
'What the line counts. On an adjustment: what is due now, less what was billed for it before.';
comment on column ledger.invoice_line.original_invoice_id is
'The line that this one adjusts: the first that was posted for the same thing; null: a new thing.';
comment on column ledger.invoice_line.carried_line_id is
'The line of ledger.carried_line that is billed here.';

create table ledger.carried_line (
    account_id bigint not null,
    carried_line_id bigint generated always as identity,
    posting_id bigint not null references ledger.posting (posting_id),
    period_month date not null,
    line_kind text not null,
    charge_class text not null,
    product_code text,
    description text not null,
    record_count bigint not null,
    billed_seconds bigint,
    quantity numeric(24, 4) not null,
    unit text,
    unrounded_amount numeric(28, 14) not null,
    line_amount numeric(28, 14) not null,
    currency_code text not null,
    source_currency_code text,
    source_amount numeric(28, 14),
    detail jsonb,
    original_invoice_id bigint,
    original_line_no integer,
    primary key (account_id, carried_line_id),
    foreign key (account_id, original_invoice_id, original_line_no)
    references ledger.invoice_line (account_id, invoice_id, line_no)
);
comment on table ledger.carried_line is
'Differences to posted invoices that wait for the next invoice of their account.';
alter table ledger.invoice_line
add constraint invoice_line_carried_exists foreign key (account_id, carried_line_id)
references ledger.carried_line (account_id, carried_line_id);
create unique index invoice_line_carries_once on ledger.invoice_line (account_id, carried_line_id)
where carried_line_id is not null;

create view ledger.billed_line as
select
    account_id,
    period_month,
    line_kind,
    charge_class,
    product_code,
    description,
    unit,
    currency_code,
    source_currency_code,
    record_count,
    billed_seconds,
    quantity,
    unrounded_amount,
    line_amount,
    source_amount,
    invoice_id,
    line_no,
    null::bigint as carried_line_id
from ledger.invoice_line
union all
select
    c.account_id,
    c.period_month,
    c.line_kind,
    c.charge_class,
    c.product_code,
    c.description,
    c.unit,
    c.currency_code,
    c.source_currency_code,
    c.record_count,
    c.billed_seconds,
    c.quantity,
    c.unrounded_amount,
    c.line_amount,
    c.source_amount,
    null as invoice_id,
    null as line_no,
    c.carried_line_id
from ledger.carried_line as c
where not exists (
    select from ledger.invoice_line as l
    where l.account_id = c.account_id and l.carried_line_id = c.carried_line_id
);
comment on view ledger.billed_line is
'All that is billed, by the period it belongs to: lines of posted invoices, and carried lines that
wait for the next one. Summed by account and period it is the last posted draft.';

-- What is posted is whole: counts, sums and gapless numbers are looked at when it commits.
create function ledger.check_posting() returns trigger
language plpgsql as $$
declare
    invoices integer;
    line_count integer;
    carried integer;
    unequal integer;
begin
    select count(*), coalesce(sum(i.line_count), 0) into invoices, line_count
    from ledger.invoice as i where i.posting_id = new.posting_id;
    select count(*) into carried
    from ledger.carried_line as c where c.posting_id = new.posting_id;
    select count(*) into unequal
    from ledger.invoice as i
    left join lateral (
        select count(*) as lines, sum(l.line_amount) as amount
        from ledger.invoice_line as l
        where l.account_id = i.account_id and l.invoice_id = i.invoice_id
            and l.currency_code = i.currency_code
    ) as found on true
    where i.posting_id = new.posting_id
        and (i.line_count <> found.lines or i.invoice_total is distinct from found.amount);
    if (invoices, line_count, carried) <> (new.invoice_count, new.line_count, new.carried_count)
        or unequal > 0
    then
        raise exception 'posting % is not whole: % invoice(s), % line(s), % carried line(s), % of '
            'them with another total than their lines', new.posting_id, invoices, line_count,
            carried, unequal using errcode = 'check_violation';
    end if;
    -- Numbers begin at 1 and only go up: as many as the last one says means none is missing.
    select count(*) into unequal
    from ledger.number_sequence as s
    cross join lateral (
        select count(*) as numbers, max(n.invoice_number) as highest
        from ledger.issued_number as n where n.sequence_code = s.sequence_code
    ) as given
    where (s.last_number <> given.numbers or s.last_number is distinct from given.highest)
        and exists (
            select from ledger.invoice as i
            where i.posting_id = new.posting_id and i.sequence_code = s.sequence_code
        );
    if unequal > 0 then
        raise exception 'posting % would leave a gap in the invoice numbers', new.posting_id
            using errcode = 'check_violation';
    end if;
    return null;
end
$$;
create constraint trigger posting_is_whole after insert on ledger.posting
deferrable initially deferred for each row execute function ledger.check_posting();

create trigger posting_is_immutable before update or delete or truncate on ledger.posting
for each statement execute function control.refuse_change();
create trigger invoice_is_immutable before update or delete or truncate on ledger.invoice
for each statement execute function control.refuse_change();
create trigger invoice_line_is_immutable before update or delete or truncate
on ledger.invoice_line for each statement execute function control.refuse_change();
create trigger carried_line_is_immutable before update or delete or truncate
on ledger.carried_line for each statement execute function control.refuse_change();
create trigger issued_number_is_immutable before update or delete or truncate
on ledger.issued_number for each statement execute function control.refuse_change();

-- A counter goes up and nowhere else.
create function ledger.allow_only_counting() returns trigger
language plpgsql as $$
begin
    if new.sequence_code = old.sequence_code and new.last_number > old.last_number then
        return new;
    end if;
    raise exception 'a number range only counts up (%)', old.sequence_code
        using errcode = 'restrict_violation';
end
$$;
create trigger number_sequence_counts_up before update on ledger.number_sequence
for each row execute function ledger.allow_only_counting();
create trigger number_sequence_is_never_deleted before delete or truncate
on ledger.number_sequence for each statement execute function control.refuse_change();

grant select, insert on ledger.posting, ledger.invoice, ledger.invoice_line, ledger.carried_line,
ledger.issued_number to ratehouse_loader;
grant select, insert, update on ledger.number_sequence to ratehouse_loader;
grant select on all tables in schema ledger to ratehouse_loader, ratehouse_transformer;

reset role;
