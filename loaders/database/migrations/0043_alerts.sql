-- Traffic by hour, alerts and mail: what an alert needs to know beside usage, what was found and
-- what was or is to be mailed.

-- Views that take every column of a fact are made again by the next run.
delete from control.built_view;

set role ratehouse_transformer;

alter table if exists rating.rated_usage
add column release_cause text,
add column called_country text;

reset role;
set role ratehouse_owner;

create table reference.fraud_range (
    prefix text not null check (prefix ~ '^[1-9][0-9]{1,14}$'),
    range_name text not null check (range_name ~ '\S'),
    list_name text not null check (list_name ~ '\S')
);
comment on table reference.fraud_range is
'Number ranges known for revenue share fraud: calls to them raise an alert.';
comment on column reference.fraud_range.prefix is
'First digits of the called numbers, country code first, without plus or zeros before it.';
comment on column reference.fraud_range.range_name is 'Country or operator of the range.';
comment on column reference.fraud_range.list_name is 'Where the range is from, with its date.';

create table reference.spend_alarm (
    account_code text not null,
    per_period text not null check (per_period in ('day', 'month')),
    amount numeric(18, 6) not null check (amount > 0),
    currency_code text not null default 'USD'
);
comment on table reference.spend_alarm is
'Amounts of usage above which an account raises an alert; * for every account without its own.';
comment on column reference.spend_alarm.account_code is 'Account, or * for all others.';
comment on column reference.spend_alarm.per_period is
'day or month, of the calendar in the zone of the account.';

create table reference.confirmed_fraud (
    case_code text not null,
    account_code text not null,
    description text not null check (description ~ '\S')
);
comment on table reference.confirmed_fraud is
'Cases of fraud that people confirmed: what a back-test measures the rules against. It lasted from
valid_from until valid_to.';
comment on column reference.confirmed_fraud.account_code is 'Whose traffic it was.';

select reference.date_twice('fraud_range', 'prefix');
select reference.date_twice('spend_alarm', 'account_code || chr(31) || per_period');
select reference.date_twice('confirmed_fraud', 'case_code');

create table control.alert_scan (
    alert_scan_id bigint generated always as identity primary key,
    from_at timestamptz not null,
    to_at timestamptz not null,
    -- Runs up to this one are looked at: the next scan begins with what later ones brought.
    last_run_id bigint not null,
    found_count integer not null,
    new_count integer not null,
    actor text not null default session_user,
    scanned_at timestamptz not null default clock_timestamp(),
    check (from_at <= to_at)
);
comment on table control.alert_scan is 'A look for alerts: over which traffic, what it found.';

create table control.alert (
    alert_id bigint generated always as identity primary key,
    alert_scan_id bigint not null references control.alert_scan (alert_scan_id),
    rule_code text not null,
    severity text not null check (severity in ('information', 'warning', 'critical')),
    subject_kind text not null,
    subject text not null,
    account_id bigint,
    window_from timestamptz not null,
    window_to timestamptz not null,
    measured numeric not null,
    expected numeric,
    threshold numeric not null,
    unit text not null,
    sentence text not null,
    figures jsonb not null,
    usage_ids bigint[] not null default '{}',
    parameters jsonb not null,
    found_at timestamptz not null default clock_timestamp(),
    constraint alert_once unique (rule_code, subject_kind, subject, window_from)
);
comment on table control.alert is
'What a rule found, once for each rule, subject and window, with the figures of that moment and
examples of the records. Append only: records withdrawn later change nothing here.';
comment on column control.alert.usage_ids is 'Up to five of its usage legs: ratehouse explain.';
comment on column control.alert.parameters is 'The row of the seed alert_rules that judged.';
create index alert_by_time on control.alert (window_from);

create table control.mail (
    mail_id bigint generated always as identity primary key,
    -- Stays the same however often it is tried: receivers tell a repeat by it.
    message_id text not null unique,
    mail_kind text not null check (mail_kind in ('alerts', 'daily_report', 'test')),
    -- Of what: a day of a report. One mail of a kind about a subject; null where any number may go.
    about text,
    recipients text[] not null check (cardinality(recipients) > 0),
    mail_subject text not null,
    content bytea not null,
    status text not null default 'queued' check (status in ('queued', 'sent', 'failed')),
    tries integer not null default 0,
    next_try_at timestamptz not null default clock_timestamp(),
    last_error text,
    queued_at timestamptz not null default clock_timestamp(),
    queued_by text not null default session_user,
    sent_at timestamptz,
    unique (mail_kind, about),
    check ((status = 'sent') = (sent_at is not null))
);
comment on table control.mail is
'Mails to send and sent. Queued with what it tells in one transaction, then sent, then marked.';

create table control.mail_alert (
    alert_id bigint primary key references control.alert (alert_id),
    mail_id bigint not null references control.mail (mail_id)
);
comment on table control.mail_alert is 'Which mail tells of an alert: one each.';

create trigger alert_scan_is_history before update or delete or truncate
on control.alert_scan for each statement execute function control.refuse_change();
create trigger alert_is_history before update or delete or truncate
on control.alert for each statement execute function control.refuse_change();
create trigger mail_alert_is_history before update or delete or truncate
on control.mail_alert for each statement execute function control.refuse_change();
create trigger mail_is_never_deleted before delete or truncate
on control.mail for each statement execute function control.refuse_change();

grant select, insert on control.alert_scan, control.alert, control.mail, control.mail_alert
to ratehouse_loader;
-- What a mail says, and to whom, stays.
grant update (status, tries, next_try_at, last_error, sent_at) on control.mail to ratehouse_loader;
grant select on control.alert_scan, control.alert, control.mail, control.mail_alert
to ratehouse_transformer;

reset role;
