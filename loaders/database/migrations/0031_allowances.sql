-- What is included: units of usage that are free, whose they are, and what is left of them when a
-- period ends.

set role ratehouse_owner;

create table reference.destination_group (
    destination_group_code text not null,
    prefix text not null check (prefix ~ '^[0-9]{1,13}$')
);
comment on table reference.destination_group is
'Destinations by name: prefixes of the rated number.';

create table reference.allowance (
    allowance_code text not null,
    allowance_name text not null,
    plan_code text,
    unit text not null check (unit in ('seconds', 'messages', 'bytes', 'money', 'calls')),
    size numeric(24, 4) not null check (size >= 0),
    currency_code text,
    grant_rule text not null default 'each_period' check (grant_rule in ('each_period', 'once')),
    granted_per text not null default 'service' check (granted_per in ('service', 'account')),
    shared_by text not null default 'service' check (shared_by in ('service', 'account', 'pool')),
    eligible_plans text not null default 'own' check (eligible_plans in ('own', 'any')),
    priority integer,
    rollover_priority integer not null default 300,
    consumes text not null default 'billed' check (consumes in ('billed', 'real')),
    overage text not null default 'split' check (overage in ('split', 'whole_call')),
    waives_connection_fee boolean not null default false,
    proration text not null default 'none' check (proration in ('none', 'start', 'end', 'both')),
    proration_unit numeric(24, 4) not null default 1 check (proration_unit > 0),
    proration_rounding text not null default 'up'
    check (proration_rounding in ('up', 'half_up', 'down')),
    rollover_percent numeric(9, 4) not null default 0 check (rollover_percent between 0 and 100),
    rollover_limit numeric(24, 4) check (rollover_limit >= 0),
    rollover_maximum numeric(24, 4) check (rollover_maximum >= 0),
    rollover_periods integer check (rollover_periods > 0),
    constraint allowance_of_money_has_currency
    check ((unit = 'money') = (currency_code is not null)),
    constraint allowance_real_is_seconds check (consumes = 'billed' or unit = 'seconds'),
    constraint allowance_of_account_is_shared
    check (granted_per = 'service' or shared_by <> 'service'),
    constraint allowance_of_plan_is_each_period
    check (plan_code is null or grant_rule = 'each_period'),
    constraint allowance_once_does_not_roll
    check (grant_rule = 'each_period' or rollover_percent = 0)
);
comment on table reference.allowance is
'Units of usage that cost nothing: included in a plan, or bought as a pack (allowance_purchase).';
comment on column reference.allowance.plan_code is
'Plan that includes it; empty: only who bought it has it.';
comment on column reference.allowance.grant_rule is
'each_period: anew in each billing period. once: when bought, until the purchase ends.';
comment on column reference.allowance.granted_per is
'Of a plan: each service on the plan brings the size, or each account with the plan.';
comment on column reference.allowance.shared_by is
'Of a plan: whose usage takes from it: the service''s, its account''s, or that of all members of
its pool (allowance_pool; without a pool: of the account).';
comment on column reference.allowance.eligible_plans is
'Of a plan: only usage rated by that plan takes from it (own), or usage by any plan.';
comment on column reference.allowance.priority is
'The lowest is used first. Empty: 100 if of a plan, 200 if bought.';
comment on column reference.allowance.rollover_priority is
'The same for what rolled over from earlier periods.';
comment on column reference.allowance.consumes is
'Billed units (after minimum and increments) or real seconds are taken.';
comment on column reference.allowance.overage is
'Usage that does not fit: split into a free and a paid part, or paid as a whole.';
comment on column reference.allowance.waives_connection_fee is
'The connection fee of a call whose first units come from it is free too.';
comment on column reference.allowance.proration is
'Where service or account hold the plan for part of a period: less for days before its start, after
its end, both, or none: the whole size.';
comment on column reference.allowance.proration_unit is
'Prorated units are rounded to a multiple of it.';
comment on column reference.allowance.rollover_percent is
'Part of what is left at the end of a period that goes on to the next ones.';
comment on column reference.allowance.rollover_limit is 'Most that rolls over from one period.';
comment on column reference.allowance.rollover_maximum is
'Most that may be rolled over altogether, from all periods.';
comment on column reference.allowance.rollover_periods is
'Periods for which it can be used; empty: it does not expire.';

create table reference.allowance_rule (
    allowance_code text not null,
    usage_type text not null default 'any'
    check (usage_type in ('any', 'voice', 'sms', 'mms', 'data')),
    charge_class text not null default 'any' check (
        charge_class in (
            'any', 'local', 'intrastate', 'interstate', 'indeterminate', 'international',
            'toll_free', 'premium', 'directory', 'operator', 'inbound', 'messages', 'data'
        )
    ),
    direction text not null default 'any' check (direction in ('any', 'outbound', 'inbound')),
    destination_group_code text not null default 'any',
    is_included boolean not null default true,
    multiplier numeric(9, 4) not null default 1 check (multiplier > 0)
);
comment on table reference.allowance_rule is
'What an allowance may be used for; one without rules: for everything in its unit.';
comment on column reference.allowance_rule.is_included is 'False: not for this.';
comment on column reference.allowance_rule.multiplier is
'Units taken for one unit used, such as 1.5.';

create table reference.allowance_pool (
    pool_code text not null,
    member_kind text not null check (member_kind in ('account', 'service')),
    member_code text not null
);
comment on table reference.allowance_pool is
'Services and accounts that share their allowances, as far as these are shared by pool.';

create table reference.allowance_purchase (
    purchase_code text not null,
    allowance_code text not null,
    account_code text,
    service_code text,
    pool_code text,
    counts_as text not null default 'pack' check (counts_as in ('pack', 'rollover')),
    quantity numeric(18, 4) not null default 1 check (quantity > 0),
    size numeric(24, 4) check (size >= 0),
    constraint allowance_purchase_has_one_holder
    check (num_nonnulls(account_code, service_code, pool_code) = 1)
);
comment on table reference.allowance_purchase is
'Packs that an account, service or pool bought, valid while the row is; units brought along from
elsewhere.';
comment on column reference.allowance_purchase.counts_as is
'rollover: units left from before, granted once, used as such.';
comment on column reference.allowance_purchase.size is
'Units of one; empty: the size of the allowance.';

select reference.date_twice(
    'destination_group', 'destination_group_code || chr(31) || prefix'
);
select reference.date_twice('allowance', 'allowance_code');
select reference.date_twice(
    'allowance_rule',
    'allowance_code || chr(31) || usage_type || chr(31) || charge_class || chr(31) || direction'
    || ' || chr(31) || destination_group_code'
);
select reference.date_twice('allowance_pool', 'member_kind || chr(31) || member_code');
select reference.date_twice('allowance_purchase', 'purchase_code');

-- Whole calls or nothing: what the calls before took of a room, as far as each fits in what they
-- left. A running sum cannot say that.
create function reference.add_whole(taken numeric, demand numeric, room numeric)
returns numeric language sql immutable strict parallel safe
return case when taken + demand <= room then taken + demand else taken end;
create aggregate reference.taken_whole (demand numeric, room numeric)(
    sfunc = reference.add_whole, stype = numeric, initcond = '0', parallel = safe
);
comment on aggregate reference.taken_whole (numeric, numeric) is
'Units taken of a room by calls that take all they need or nothing, in their order.';

reset role;
