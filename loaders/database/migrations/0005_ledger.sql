-- ledger: posted invoices. Insert only; numbers are gapless per sequence because the counter row
-- is locked and advanced in the posting transaction.

set role ratehouse_owner;

create table ledger.number_sequence (
    sequence_code text primary key,
    last_number bigint not null check (last_number >= 0)
);

create table ledger.invoice (
    account_id bigint not null,
    invoice_id bigint not null,
    sequence_code text not null references ledger.number_sequence (sequence_code),
    invoice_number bigint not null,
    period_month date not null,
    period_start_at timestamptz not null,
    period_end_at timestamptz not null check (period_end_at > period_start_at),
    time_zone text not null,
    currency_code text not null,
    invoice_total numeric(18, 4) not null,
    invoice_run_id bigint not null references control.invoice_run (invoice_run_id),
    posted_at timestamptz not null default clock_timestamp(),
    posted_by text not null default session_user,
    primary key (account_id, invoice_id),
    unique (account_id, period_month),
    unique (sequence_code, invoice_number)
);

create table ledger.invoice_line (
    account_id bigint not null,
    invoice_id bigint not null,
    line_no integer not null,
    line_kind text not null,
    charge_class text not null,
    description text not null,
    quantity numeric(18, 4) not null,
    unrounded_amount numeric(28, 14) not null,
    line_amount numeric(24, 10) not null,
    currency_code text not null,
    primary key (account_id, invoice_id, line_no),
    foreign key (account_id, invoice_id) references ledger.invoice (account_id, invoice_id)
);

comment on table ledger.invoice is 'Posted invoices: one per account and period, never changed.';
comment on table ledger.invoice_line is 'Lines of posted invoices.';
comment on table ledger.number_sequence is 'Last invoice number given out per sequence.';

create trigger invoice_is_immutable before update or delete or truncate on ledger.invoice
for each statement execute function control.refuse_change();
create trigger invoice_line_is_immutable before update or delete or truncate
on ledger.invoice_line for each statement execute function control.refuse_change();

grant select on all tables in schema ledger to ratehouse_transformer, ratehouse_loader;

reset role;
