-- Prices that come from an amount: records that the supplier has priced, and charges that are a
-- percentage of each event. Segments of messages, data rounded over several records, roaming.

set role ratehouse_owner;

alter table reference.source
drop constraint source_rating_mode_check,
add constraint source_rating_mode_check check (rating_mode in ('none', 'rate', 'pre_rated')),
add column cost_multiplier numeric(18, 10) not null default 1 check (cost_multiplier >= 0),
add constraint source_pre_rated_is_usage
check (rating_mode <> 'pre_rated' or (file_kind <> 'sdr' and cost_deck_code is null));
comment on column reference.source.rating_mode is
'none: for information, not billed. rate: by our decks. pre_rated: the records carry the supplier''s
amount, which is the cost; the plan says whether it is also what the price is worked out from.';
comment on column reference.source.cost_multiplier is
'Of a pre-rated source: the cost is the supplier''s amount times this.';

alter table reference.plan
add column pre_rated_price text not null default 'supplier'
check (pre_rated_price in ('supplier', 'deck')),
add column charge_multiplier numeric(18, 10) not null default 1 check (charge_multiplier >= 0),
add column markup_percent numeric(9, 4) not null default 0 check (markup_percent >= 0),
add column markup_floor numeric(18, 10) not null default 0 check (markup_floor >= 0),
add column markup_fee numeric(18, 10) not null default 0 check (markup_fee >= 0);
comment on column reference.plan.pre_rated_price is
'Price of a record of a pre-rated source: worked out from the supplier''s amount, or by the plan''s
deck. The other one is kept beside it.';
comment on column reference.plan.charge_multiplier is
'The price is the supplier''s amount times this, with the markup and the fee added.';
comment on column reference.plan.markup_percent is 'Percentage of the supplier''s amount, added.';
comment on column reference.plan.markup_floor is 'Least that markup_percent adds to a record.';
comment on column reference.plan.markup_fee is 'Added to every record.';

alter table reference.deck
add column message_count text not null default 'stated'
check (message_count in ('stated', 'text', 'message')),
add column message_billing text not null default 'submitted'
check (message_billing in ('submitted', 'delivered')),
add column data_rounding text not null default 'record'
check (data_rounding in ('record', 'session', 'day', 'period')),
add constraint deck_messages_are_counted
check (
    usage_type in ('sms', 'mms')
    or (message_count = 'stated' and message_billing = 'submitted')
),
add constraint deck_data_is_rounded check (usage_type = 'data' or data_rounding = 'record');
comment on column reference.deck.message_count is
'stated: segments as the source counts them, by the text where it does not. text: by the text, where
there is one. message: one for each message.';
comment on column reference.deck.message_billing is
'delivered: a message of which the record says that it was not delivered costs nothing.';
comment on column reference.deck.data_rounding is
'What minimum and increment are for: each record, all records of a session (charging id, the call
group of the record), of a service and day, or of a service and billing period.';

create table reference.visited_network (
    network_code text not null
    check (network_code ~ '^([A-Z]{3}[A-Z0-9]{2}|[0-9]{5,6})$'),
    zone_code text not null check (zone_code <> ''),
    network_name text not null default ''
);
select reference.date_twice('visited_network', 'network_code');
comment on table reference.visited_network is
'Networks abroad by TADIG code or MCC and MNC, and the zone of each. Zone home: no roaming.';

create table reference.roaming_deck (
    plan_code text not null,
    zone_code text not null check (zone_code not in ('', 'home')),
    usage_type text not null check (usage_type in ('voice', 'sms', 'mms', 'data')),
    deck_code text,
    inbound_deck_code text,
    constraint roaming_deck_has_one check (num_nonnulls(deck_code, inbound_deck_code) > 0)
);
select reference.date_twice(
    'roaming_deck', 'plan_code || chr(31) || zone_code || chr(31) || usage_type'
);
comment on table reference.roaming_deck is
'Decks by which a plan prices usage in a roaming zone, in place of its own.';

alter table reference.charge_tariff
add column percentage numeric(12, 6) check (percentage >= 0),
add column event_fee numeric(18, 10) not null default 0 check (event_fee >= 0),
add column maximum_price numeric(18, 10) check (maximum_price >= 0),
add column free_events integer check (free_events > 0),
add column free_total numeric(18, 4) check (free_total > 0),
drop constraint charge_tariff_price_mode_check,
add constraint charge_tariff_price_mode_check
check (
    price_mode in (
        'list', 'pass_through', 'markup', 'margin', 'add_on', 'percentage', 'included', 'excluded'
    )
),
add constraint charge_tariff_percentage_has_percent
check (price_mode <> 'percentage' or percentage is not null),
add constraint charge_tariff_events_are_percentage
check (
    price_mode = 'percentage'
    or (event_fee = 0 and free_events is null and free_total is null)
),
add constraint charge_tariff_maximum_is_above_minimum check (maximum_price >= minimum_price);
comment on column reference.charge_tariff.percentage is
'Of percentage: the part of the amount of an event that is charged.';
comment on column reference.charge_tariff.event_fee is
'Of percentage: added to every event, before minimum and maximum price.';
comment on column reference.charge_tariff.maximum_price is 'Most that a unit costs.';
comment on column reference.charge_tariff.free_events is
'Of percentage: events of an account and period that cost nothing, in the order in which they
happened; they end with free_total where that comes first.';
comment on column reference.charge_tariff.free_total is
'Of percentage: amount of the events of an account and period that costs nothing.';

-- The facts are dbt's, under its role: a database that has history gets the columns here.
reset role;
set role ratehouse_transformer;

alter table if exists rating.rated_usage
add column price_basis text,
add column supplier_amount numeric(28, 14),
add column supplier_currency_code text,
add column supplier_terms jsonb,
add column compared_amount numeric(28, 14),
add column compared_currency_code text,
add column visited_network text,
add column zone_code text,
add column rounding_group jsonb;

alter table if exists rating.rated_charge
add column event_terms jsonb;

reset role;
