-- Fixed fees to the depth of real contracts: whose price it is, how cost becomes a price, which
-- part of a fee is charged and on which invoice it stands.

set role ratehouse_owner;

alter table reference.charge_tariff
add column price_scope text not null default 'list'
check (price_scope in ('service', 'account', 'group', 'list')),
add column scope_code text not null default '',
add column margin_percent numeric(9, 4) check (margin_percent < 100),
add column add_on_amount numeric(18, 10),
add column markup_floor numeric(18, 10) check (markup_floor >= 0),
add column minimum_price numeric(18, 10) check (minimum_price >= 0),
add column price_point numeric(18, 10) check (price_point > 0),
add column rounding_level text not null default 'line' check (rounding_level in ('line', 'unit')),
add column fee_period text not null default 'month'
check (fee_period in ('month', 'quarter', 'half_year', 'year', 'week', 'days')),
add column fee_period_days integer check (fee_period_days > 0),
add column fee_period_count integer not null default 1 check (fee_period_count > 0),
add column days_in_month integer not null default 30 check (days_in_month between 1 and 31),
add column full_month_rule text not null default 'any_day'
check (full_month_rule in ('any_day', 'first_day', 'fifteenth')),
add column end_rule text not null default 'stated' check (end_rule in ('stated', 'period_end')),
add column trial_days integer not null default 0 check (trial_days >= 0),
add column invoice_timing text not null default 'first_day'
check (invoice_timing in ('first_day', 'last_day', 'period_before')),
drop constraint charge_tariff_price_mode_check,
add constraint charge_tariff_price_mode_check
check (
    price_mode in ('list', 'pass_through', 'markup', 'margin', 'add_on', 'included', 'excluded')
),
drop constraint charge_tariff_proration_check,
add constraint charge_tariff_proration_check
check (
    proration in (
        'none', 'full_month', 'actual_days', 'actual_actual', 'days_30', 'annualised', 'seconds'
    )
),
add constraint charge_tariff_margin_has_percent
check (price_mode <> 'margin' or margin_percent is not null),
add constraint charge_tariff_add_on_has_amount
check (price_mode <> 'add_on' or add_on_amount is not null),
add constraint charge_tariff_period_has_days
check (fee_period <> 'days' or fee_period_days is not null),
add constraint charge_tariff_scope_is_whole
check ((price_scope = 'list') = (scope_code = '')),
drop constraint charge_tariff_is_unambiguous,
add constraint charge_tariff_is_unambiguous exclude using gist (
    int8range(
        hashtextextended(
            charge_tariff_code || chr(31) || product_code || chr(31) || price_scope || chr(31)
            || scope_code, 0
        ),
        hashtextextended(
            charge_tariff_code || chr(31) || product_code || chr(31) || price_scope || chr(31)
            || scope_code, 0
        ), '[]'
    ) with &&,
    valid_during with &&,
    recorded_during with &&
);

comment on column reference.charge_tariff.product_code is
'Code of the carrier''s product; * prices the products that have no row (a markup rule).';
comment on column reference.charge_tariff.price_scope is
'Whose price: of a service, an account, the accounts of a bill group, or everybody (list). The
first of these that has a row of the product wins.';
comment on column reference.charge_tariff.scope_code is
'Code of the service or account, or the bill group; empty for a list price.';
comment on column reference.charge_tariff.margin_percent is
'Share of the price that is not cost: the price is the cost / (1 - margin).';
comment on column reference.charge_tariff.add_on_amount is 'Added to the cost of each unit.';
comment on column reference.charge_tariff.markup_floor is
'Least that a markup adds to the cost of a unit.';
comment on column reference.charge_tariff.minimum_price is 'Least that a unit costs.';
comment on column reference.charge_tariff.price_point is
'The price of a unit is brought up to a multiple of it, such as 0.05.';
comment on column reference.charge_tariff.rounding_level is
'line: rounded once, after the quantity. unit: the price of a unit is rounded first.';
comment on column reference.charge_tariff.fee_period is 'What the unit price is the fee for.';
comment on column reference.charge_tariff.fee_period_days is
'Length of a fee period that is counted in days and drifts against the calendar.';
comment on column reference.charge_tariff.fee_period_count is
'Fee periods that a line charges which names only its first day.';
comment on column reference.charge_tariff.days_in_month is 'Days of a month for days_30.';
comment on column reference.charge_tariff.full_month_rule is
'Of full_month: a period is charged if any day of it is, or its first, or its fifteenth.';
comment on column reference.charge_tariff.end_rule is
'period_end: a period that is begun is charged to its end.';
comment on column reference.charge_tariff.trial_days is
'Days from the start of the service that cost nothing.';
comment on column reference.charge_tariff.invoice_timing is
'Invoice that a charge stands on: of the period of its first day, of its last day (arrears), or of
the period before its first day (advance).';

alter table reference.service_identifier
drop constraint service_identifier_identifier_kind_check,
add constraint service_identifier_identifier_kind_check
check (
    identifier_kind in (
        'number', 'pattern', 'account_key', 'circuit', 'account_product', 'customer_reference'
    )
);

-- The facts are dbt's, under its role: a database that has history gets the columns here.
reset role;
set role ratehouse_transformer;

alter table if exists rating.rated_charge
add column charge_type text,
add column price_scope text,
add column proration text,
add column charged_from date,
add column charged_to date,
add column leading_part numeric(28, 14),
add column full_periods integer,
add column trailing_part numeric(28, 14),
add column charged_part numeric(28, 14),
add column charged_days integer,
add column unit_price numeric(28, 14),
add column markup_percent numeric(9, 4),
add column margin_amount numeric(28, 14),
add column ceased_service_id bigint;

reset role;
