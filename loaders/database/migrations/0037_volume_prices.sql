-- Prices that depend on how much was used in a period, and what is spent at least and at most.

set role ratehouse_owner;

create table reference.tier_schedule (
    schedule_code text not null,
    schedule_name text not null,
    pricing text not null check (pricing in ('graduated', 'volume', 'package')),
    measure text not null default 'billed_units'
    check (measure in ('billed_units', 'real_seconds', 'records', 'amount')),
    unit_size numeric(18, 6) not null default 1 check (unit_size > 0),
    unit_name text not null default 'units',
    free_units numeric(24, 6) not null default 0 check (free_units >= 0),
    package_size numeric(24, 6) check (package_size > 0),
    package_price numeric(18, 10) check (package_price >= 0),
    zero_quantity_rule text not null default 'nothing'
    check (zero_quantity_rule in ('nothing', 'first_flat')),
    currency_code text not null default 'USD',
    rounding_decimals integer not null default 10 check (rounding_decimals between 0 and 10),
    rounding_mode text not null default 'half_up'
    check (rounding_mode in ('up', 'half_up', 'half_even', 'half_down', 'down')),
    constraint tier_schedule_package_is_whole check (
        (pricing = 'package' and package_size is not null and package_price is not null)
        or (pricing <> 'package' and package_size is null and package_price is null)
    )
);
comment on table reference.tier_schedule is
'How a quantity of a period is priced: by tiers (kind tier) or by packages.';
comment on column reference.tier_schedule.pricing is
'graduated: each unit at the price of its own tier. volume: all units at the price of the tier that
the total reaches. package: a price for each package begun.';
comment on column reference.tier_schedule.measure is
'What is counted: billed_units (seconds, messages or bytes after increments), real_seconds (of
calls, before increments), records, or amount (money of the rated usage).';
comment on column reference.tier_schedule.unit_size is
'Seconds, messages, bytes, records or money that make one unit: 60 for minutes.';
comment on column reference.tier_schedule.free_units is
'Units of the counter''s period that come first and cost nothing.';
comment on column reference.tier_schedule.zero_quantity_rule is
'first_flat: the flat fee of the first tier is due even if nothing was used.';

create table reference.tier (
    schedule_code text not null,
    above numeric(24, 6) not null check (above >= 0),
    up_to numeric(24, 6),
    unit_price numeric(18, 10),
    flat_fee numeric(18, 10),
    rate_percent numeric(12, 6),
    constraint tier_is_not_empty check (up_to > above),
    constraint tier_has_price check (num_nonnulls(unit_price, flat_fee, rate_percent) > 0)
);
comment on table reference.tier is
'Tiers of a schedule: quantities above one bound, up to and including the other.';
comment on column reference.tier.above is 'Lower bound, which belongs to the tier before.';
comment on column reference.tier.up_to is 'Upper bound, inclusive; empty: the last tier, open.';
comment on column reference.tier.flat_fee is 'Due once, as soon as the tier is entered.';
comment on column reference.tier.rate_percent is 'Percentage of the amount, of measure amount.';

create table reference.volume_price (
    volume_code text not null,
    volume_name text not null,
    price_scope text not null default 'list'
    check (price_scope in ('account', 'plan', 'group', 'list')),
    scope_code text not null default '',
    schedule_code text not null,
    usage_type text check (usage_type in ('voice', 'sms', 'mms', 'data')),
    charge_classes text not null default '',
    destination_group_code text,
    counter text not null default 'account' check (counter in ('service', 'account', 'group')),
    counter_period text not null default 'month'
    check (counter_period in ('month', 'quarter', 'half_year', 'year')),
    anchor_month integer not null default 1 check (anchor_month between 1 and 12),
    effect text not null default 'replace' check (effect in ('replace', 'add')),
    priority integer not null default 1,
    constraint volume_price_scope_is_whole check ((price_scope = 'list') = (scope_code = ''))
);
comment on table reference.volume_price is
'Which usage is priced by which schedule, and how it is counted.';
comment on column reference.volume_price.price_scope is
'Whose price: of an account, of usage rated by a plan, of the accounts of a bill group, or
everybody''s (list). The first of these that has a row of the code wins.';
comment on column reference.volume_price.charge_classes is
'Charge classes counted, with a space between them; empty: all.';
comment on column reference.volume_price.destination_group_code is
'Only usage to this destination group counts.';
comment on column reference.volume_price.counter is
'What has a counter of its own: each service, each account, or the bill group; accounts share the
price of the group by their quantities.';
comment on column reference.volume_price.counter_period is
'Billing periods after which the counter begins again; invoices within it go on counting.';
comment on column reference.volume_price.anchor_month is
'A month in which a counter period begins (fiscal or contract year).';
comment on column reference.volume_price.effect is
'replace: in place of the rated price of the usage counted. add: on top of it.';
comment on column reference.volume_price.priority is
'Usage counts in the volume price of the lowest number only, for each effect.';

create table reference.spend_limit (
    limit_code text not null,
    limit_name text not null,
    limit_rule text not null check (limit_rule in ('minimum', 'maximum')),
    price_scope text not null default 'list'
    check (price_scope in ('account', 'plan', 'group', 'list')),
    scope_code text not null default '',
    amount numeric(18, 10) not null check (amount >= 0),
    currency_code text not null default 'USD',
    limit_period text not null default 'month'
    check (limit_period in ('month', 'quarter', 'half_year', 'year')),
    anchor_month integer not null default 1 check (anchor_month between 1 and 12),
    line_kinds text not null default 'usage allowance volume discount'
    check (
        string_to_array(line_kinds, ' ')
        <@ array['usage', 'charge', 'allowance', 'volume', 'discount', 'commitment']
    ),
    charge_classes text not null default '',
    proration text not null default 'none' check (proration in ('none', 'days')),
    rounding_decimals integer not null default 2 check (rounding_decimals between 0 and 10),
    rounding_mode text not null default 'half_up'
    check (rounding_mode in ('up', 'half_up', 'half_even', 'half_down', 'down')),
    constraint spend_limit_scope_is_whole check ((price_scope = 'list') = (scope_code = '')),
    constraint spend_limit_minimum_comes_first
    check (limit_rule = 'maximum' or line_kinds !~ 'commitment')
);
comment on table reference.spend_limit is
'What an account spends at least (commitment) or at most (cap) in a period.';
comment on column reference.spend_limit.line_kinds is
'Kinds of invoice lines that count, with a space between them: usage only, or charges too; with
discount: after discounts.';
comment on column reference.spend_limit.charge_classes is
'Charge classes of these lines that count, with a space between them; empty: all.';
comment on column reference.spend_limit.limit_period is
'Billing periods the amount is for; a minimum is settled on the last invoice of them.';
comment on column reference.spend_limit.proration is
'days: of a period in which the limit or the account held only in part, that part of the amount.';

select reference.date_twice('tier_schedule', 'schedule_code');
select reference.date_twice('tier', 'schedule_code || chr(31) || trim_scale(above)::text');
select reference.date_twice(
    'volume_price', 'volume_code || chr(31) || price_scope || chr(31) || scope_code'
);
select reference.date_twice(
    'spend_limit', 'limit_code || chr(31) || price_scope || chr(31) || scope_code'
);

reset role;
