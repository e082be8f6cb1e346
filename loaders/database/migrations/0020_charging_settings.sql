-- How a call is charged beyond price, minimum and increment: settings of the deck, which a rate
-- row may override, and of the plan. The components of each charge stand on the rated row.

set role ratehouse_owner;

alter table reference.deck
add column minute_seconds integer not null default 60 check (minute_seconds > 0),
add column grace_seconds integer not null default 0 check (grace_seconds >= 0),
add column included_seconds integer not null default 0 check (included_seconds >= 0),
add column additional_seconds integer not null default 0 check (additional_seconds >= 0),
add column minimum_charge numeric(18, 10) check (minimum_charge >= 0),
add column maximum_charge numeric(18, 10) check (maximum_charge >= 0),
add column maximum_charge_rule text not null default 'rest_free'
check (maximum_charge_rule in ('rest_free', 'call_ended', 'per_period')),
add column cap_period_seconds integer check (cap_period_seconds > 0),
add column duration_rounding text not null default 'up'
check (duration_rounding in ('up', 'half_up', 'down', 'half_down')),
add column increment_base text not null default 'after_minimum'
check (increment_base in ('after_minimum', 'whole_duration')),
add column rounding_unit numeric(18, 10) check (rounding_unit > 0),
add constraint deck_cap_has_period
check (maximum_charge_rule <> 'per_period' or cap_period_seconds is not null),
drop constraint deck_rounding_mode_check,
add constraint deck_rounding_mode_check
check (rounding_mode in ('up', 'half_up', 'half_even', 'half_down', 'down'));

alter table reference.rate
add column minute_seconds integer check (minute_seconds > 0),
add column grace_seconds integer check (grace_seconds >= 0),
add column included_seconds integer check (included_seconds >= 0),
add column additional_seconds integer check (additional_seconds >= 0),
add column minimum_charge numeric(18, 10) check (minimum_charge >= 0),
add column maximum_charge numeric(18, 10) check (maximum_charge >= 0),
add column price_per_call numeric(18, 10) check (price_per_call >= 0),
drop constraint rate_check,
add constraint rate_has_one_price check (
    status = 'blocked' or (price_per_minute is null) <> (price_per_call is null)
);

alter table reference.plan
add column rounding_unit numeric(18, 10) check (rounding_unit > 0),
add column discount_percent numeric(9, 4) not null default 0
check (discount_percent between 0 and 100),
add column rounding_place text not null default 'after_discount'
check (rounding_place in ('after_discount', 'before_discount')),
drop constraint plan_rounding_mode_check,
add constraint plan_rounding_mode_check
check (rounding_mode in ('up', 'half_up', 'half_even', 'half_down', 'down'));

alter table reference.charge_tariff
drop constraint charge_tariff_rounding_mode_check,
add constraint charge_tariff_rounding_mode_check
check (rounding_mode in ('up', 'half_up', 'half_even', 'half_down', 'down'));

comment on column reference.deck.minute_seconds is 'Seconds that the price per minute is for.';
comment on column reference.deck.grace_seconds is
'A call not longer is free, without connection fee; a longer one pays from its first second.';
comment on column reference.deck.included_seconds is
'Taken off every call before minimum and increments.';
comment on column reference.deck.additional_seconds is
'Added to every call before minimum and increments.';
comment on column reference.deck.minimum_charge is 'Least a call costs, connection fee included.';
comment on column reference.deck.maximum_charge is 'Most a call costs, connection fee included.';
comment on column reference.deck.maximum_charge_rule is
'rest_free: the rest of the call is free. call_ended: the switch ends the call, rating does not
cap. per_period: each cap_period_seconds of a call costs at most the maximum charge.';
comment on column reference.deck.rounding_unit is
'Costs are rounded to a multiple of it (null: to rounding_decimals).';
comment on column reference.plan.rounding_unit is
'Amounts are rounded to a multiple of it, such as 0.10 (null: to rounding_decimals).';
comment on column reference.plan.discount_percent is 'Percentage off every call.';
comment on column reference.plan.rounding_place is
'Whether the amount is rounded after the discount or before it.';
comment on column reference.rate.price_per_call is
'Price of a call whatever its length, instead of a price per minute.';

-- The facts are dbt's, under its role: a database that has history gets the columns here.
reset role;
set role ratehouse_transformer;

alter table if exists rating.rated_usage
add column retail_has_terms boolean,
add column retail_unit_price numeric(18, 10),
add column retail_usage_amount numeric(28, 14),
add column retail_minimum_top_up numeric(28, 14),
add column retail_maximum_reduction numeric(28, 14),
add column retail_discount_amount numeric(28, 14),
add column cost_price_per_minute numeric(18, 10),
add column cost_unit_price numeric(18, 10),
add column cost_connection_fee numeric(18, 10),
add column cost_usage_amount numeric(28, 14),
add column cost_minimum_top_up numeric(28, 14),
add column cost_maximum_reduction numeric(28, 14);

reset role;
