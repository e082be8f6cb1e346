-- Messages and data are priced by decks of their own usage type, per message or per unit of bytes.

set role ratehouse_owner;

alter table reference.deck
add column usage_type text not null default 'voice'
check (usage_type in ('voice', 'sms', 'mms', 'data')),
add column unit_bytes bigint not null default 1000000 check (unit_bytes > 0);
comment on column reference.deck.usage_type is
'What the deck prices. Of sms, mms and data, minimum, increment, grace, included and additional
seconds are numbers of messages, or of bytes for each session.';
comment on column reference.deck.unit_bytes is
'Bytes that a price per unit of data is for: 1000000 or 1048576 for a megabyte.';

alter table reference.plan
add column sms_deck_code text,
add column mms_deck_code text,
add column data_deck_code text,
add column inbound_sms_deck_code text;
comment on column reference.plan.inbound_sms_deck_code is
'Without one, received text messages are included where the plan prices sent ones.';

alter table reference.rate
add column price_per_unit numeric(18, 10) check (price_per_unit >= 0),
drop constraint rate_has_one_price,
add constraint rate_has_one_price check (
    status = 'blocked' or num_nonnulls(price_per_minute, price_per_call, price_per_unit) = 1
);
comment on column reference.rate.price_per_unit is
'Price of a message, or of unit_bytes of data, in decks of those usage types.';

reset role;
set role ratehouse_transformer;

alter table if exists rating.rated_usage
add column retail_billed_units bigint,
add column cost_billed_units bigint;

reset role;
