-- Money on the invoice: conversion into the account's currency, discounts, surcharges, taxes.

set role ratehouse_owner;

create table reference.exchange_rate (
    rate_source text not null check (rate_source ~ '\S'),
    from_currency text not null,
    to_currency text not null,
    rate numeric(20, 10) not null check (rate > 0),
    constraint exchange_rate_has_two_currencies check (from_currency <> to_currency)
);
comment on table reference.exchange_rate is
'What one unit of a currency is in another, by source. A rate is never turned round or chained.';
comment on column reference.exchange_rate.rate_source is
'Who publishes or agreed the rate; accounts name the source they are billed by.';

create table reference.discount (
    discount_code text not null,
    discount_name text not null,
    price_scope text not null default 'list'
    check (price_scope in ('account', 'plan', 'list')),
    scope_code text not null default '',
    percent numeric(9, 4) check (percent > 0 and percent <= 100),
    amount numeric(18, 10) check (amount > 0),
    currency_code text not null default 'USD',
    line_kinds text not null default 'usage allowance volume'
    check (line_kinds ~ '^(usage|charge|allowance|volume)( (usage|charge|allowance|volume))*$'),
    charge_classes text not null default '',
    rounding_decimals integer not null default 2 check (rounding_decimals between 0 and 10),
    rounding_mode text not null default 'half_up'
    check (rounding_mode in ('up', 'half_up', 'half_even', 'half_down', 'down')),
    constraint discount_has_percent_or_amount check (num_nonnulls(percent, amount) = 1),
    constraint discount_scope_is_whole check ((price_scope = 'list') = (scope_code = ''))
);
comment on table reference.discount is 'Discounts on the invoice: a percentage or an amount.';
comment on column reference.discount.price_scope is
'Whose discount: of an account, of the accounts of a plan, or everybody''s (list). The first of
these that has a row of the code wins.';
comment on column reference.discount.amount is
'Taken off once per invoice, never more than there is to take off.';
comment on column reference.discount.line_kinds is
'Kinds of invoice lines it is worked out on, with a space between them.';
comment on column reference.discount.charge_classes is
'Charge classes of these lines, with a space between them; empty: all.';

create table reference.surcharge (
    surcharge_code text not null,
    surcharge_name text not null,
    price_scope text not null default 'list'
    check (price_scope in ('account', 'plan', 'jurisdiction', 'list')),
    scope_code text not null default '',
    charge_rule text not null check (
        charge_rule in (
            'percent', 'fund', 'per_record', 'per_minute', 'per_number', 'per_service',
            'per_invoice'
        )
    ),
    percent numeric(12, 6) check (percent >= 0),
    fund_code text,
    unit_amount numeric(18, 10),
    currency_code text not null default 'USD',
    base_rule text not null default 'lines' check (base_rule in ('lines', 'usf')),
    share_percent numeric(9, 4) not null default 100 check (share_percent between 0 and 100),
    harbour_code text,
    line_kinds text not null default 'usage charge allowance volume discount commitment cap'
    check (
        string_to_array(line_kinds, ' ') <@ array[
            'usage', 'charge', 'allowance', 'volume', 'discount', 'commitment', 'cap'
        ]
        and line_kinds <> ''
    ),
    charge_classes text not null default '',
    rounding_decimals integer not null default 2 check (rounding_decimals between 0 and 10),
    rounding_mode text not null default 'half_up'
    check (rounding_mode in ('up', 'half_up', 'half_even', 'half_down', 'down')),
    constraint surcharge_percent_has_percent
    check ((charge_rule = 'percent') = (percent is not null)),
    constraint surcharge_fund_has_code check ((charge_rule = 'fund') = (fund_code is not null)),
    constraint surcharge_unit_has_amount
    check ((charge_rule in ('percent', 'fund')) = (unit_amount is null)),
    constraint surcharge_scope_is_whole check ((price_scope = 'list') = (scope_code = ''))
);
comment on table reference.surcharge is
'Charges on top of others, each a line of its own: universal service, regulatory recovery, payphone,
number portability.';
comment on column reference.surcharge.price_scope is
'Whose surcharge: of an account, of the accounts of a plan, of a tax jurisdiction and those
inside it (the innermost that has a row wins), or everybody''s (list). The first of these that has a
row of the code wins.';
comment on column reference.surcharge.charge_rule is
'percent of the base; fund: the factor of fund_code of it; or unit_amount for each record or
minute of the base, each number or service of the account, or each invoice.';
comment on column reference.surcharge.base_rule is
'lines: the amounts of the lines. usf: their interstate and international part, as universal service
reports it.';
comment on column reference.surcharge.share_percent is
'Part of the base that counts, such as the interstate share that the company found.';
comment on column reference.surcharge.harbour_code is
'Safe harbour (usf_safe_harbour) whose interstate share counts, in place of share_percent.';

create table reference.tax_rate (
    tax_code text not null,
    tax_name text not null,
    jurisdiction text not null check (jurisdiction ~ '^[^/ ][^/]*(/[^/ ][^/]*)*$'),
    percent numeric(9, 6) not null check (percent between 0 and 100),
    line_kinds text not null default 'usage charge allowance volume discount commitment cap'
    check (
        string_to_array(line_kinds, ' ') <@ array[
            'usage', 'charge', 'allowance', 'volume', 'discount', 'commitment', 'cap'
        ]
        and line_kinds <> ''
    ),
    charge_classes text not null default '',
    on_surcharges boolean not null default true,
    on_taxes boolean not null default false,
    tax_order integer not null default 1 check (tax_order between 1 and 3),
    is_inclusive boolean not null default false,
    rounding_level text not null default 'invoice' check (rounding_level in ('line', 'invoice')),
    rounding_decimals integer not null default 2 check (rounding_decimals between 0 and 10),
    rounding_mode text not null default 'half_up'
    check (rounding_mode in ('up', 'half_up', 'half_even', 'half_down', 'down')),
    constraint tax_rate_inclusive_is_simple check (not (is_inclusive and on_taxes))
);
comment on table reference.tax_rate is 'Taxes of a jurisdiction, by what they apply to.';
comment on column reference.tax_rate.jurisdiction is
'US, or US/NY, or US/NY/New York: it taxes the accounts of that jurisdiction and of those in it.';
comment on column reference.tax_rate.on_taxes is
'The base includes the taxes of lower tax_order (tax on tax).';
comment on column reference.tax_rate.is_inclusive is
'The prices contain the tax: it is shown, and taken off again on a line of its own.';
comment on column reference.tax_rate.rounding_level is
'line: the tax of each invoice line is rounded, then added up. invoice: rounded once.';

create table reference.exemption (
    account_code text not null,
    exempt_from text not null check (exempt_from in ('tax', 'surcharge')),
    exempt_code text not null default '*',
    jurisdiction text not null default '',
    certificate text not null check (certificate ~ '\S')
);
comment on table reference.exemption is 'Accounts that do not pay a tax or surcharge, and why.';
comment on column reference.exemption.exempt_code is 'Tax or surcharge code; * for all of them.';
comment on column reference.exemption.jurisdiction is
'Of taxes: only those of this jurisdiction and inside it; empty: everywhere.';
comment on column reference.exemption.certificate is 'Number or name of the certificate on file.';

select reference.date_twice(
    'exchange_rate', 'rate_source || chr(31) || from_currency || chr(31) || to_currency'
);
select reference.date_twice(
    'discount', 'discount_code || chr(31) || price_scope || chr(31) || scope_code'
);
select reference.date_twice(
    'surcharge', 'surcharge_code || chr(31) || price_scope || chr(31) || scope_code'
);
select reference.date_twice('tax_rate', 'tax_code || chr(31) || jurisdiction');
select reference.date_twice(
    'exemption',
    'account_code || chr(31) || exempt_from || chr(31) || exempt_code || chr(31) || jurisdiction'
);

alter table reference.account
add column exchange_source text not null default 'main',
add column exchange_date text not null default 'period_end'
check (exchange_date in ('call_date', 'period_end', 'period_average')),
add column exchange_decimals integer not null default 2 check (exchange_decimals between 0 and 10),
add column exchange_rounding_mode text not null default 'half_up'
check (exchange_rounding_mode in ('up', 'half_up', 'half_even', 'half_down', 'down')),
add column tax_jurisdiction text check (tax_jurisdiction ~ '^[^/ ][^/]*(/[^/ ][^/]*)*$');
comment on column reference.account.exchange_source is
'Source of the exchange rates (exchange_rate) by which prices in other currencies are billed.';
comment on column reference.account.exchange_date is
'Which rate: the one in force at each call or on the first day of a charge, at the end of the
period, or the average of the period by time.';
comment on column reference.account.exchange_decimals is
'Decimals a converted line is rounded to, after the conversion.';
comment on column reference.account.tax_jurisdiction is
'Where the account is taxed, from the outside in: US/NY/New York. Null: nobody has said.';

-- The facts are dbt's, under its role: a database that has history gets the columns here.
reset role;
set role ratehouse_transformer;

alter table if exists billing.draft_invoice_line
add column source_currency_code text,
add column source_amount numeric(28, 14),
add column exchange_rate numeric(20, 10),
add column exchange_source text,
add column exchange_rate_from timestamptz;

alter table if exists billing.draft_invoice
add column hold_reason text;

reset role;
