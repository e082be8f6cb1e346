-- Number classes, jurisdiction as each deck reads it, local calling areas, universal service.

set role ratehouse_owner;

alter table reference.source
drop constraint source_classify_mode_check,
add constraint source_classify_mode_check
check (classify_mode in ('none', 'npanxx', 'npa', 'pre_classified'));
comment on column reference.source.classify_mode is
'How the jurisdiction of a call is told. npanxx: the states of both exchanges. npa: those of the
area codes, where an exchange is not in the table. pre_classified: the record brings its class in words
of the seed class_words. none: not at all.';

alter table reference.service
add column state_code text check (state_code ~ '^[A-Z]{2}$');
comment on column reference.service.state_code is
'State of the service address: the end of an inbound toll-free call.';

alter table reference.deck
add column indeterminate_policy text not null default 'own'
check (indeterminate_policy in ('own', 'intrastate', 'interstate', 'highest')),
add column canada_policy text not null default 'international'
check (canada_policy in ('international', 'interstate', 'indeterminate')),
add column foreign_origin_policy text not null default 'international'
check (foreign_origin_policy in ('international', 'interstate', 'indeterminate')),
add column territory_policy text not null default 'state'
check (territory_policy in ('state', 'indeterminate')),
add column lrn_policy text not null default 'ignore'
check (lrn_policy in ('ignore', 'rate', 'jurisdiction', 'both')),
add column operator_deck_code text,
add column calling_area_code text,
add column local_deck_code text;
comment on column reference.deck.indeterminate_policy is
'Which rows price a call of undetermined jurisdiction: own (of jurisdiction indeterminate), those of
intrastate or interstate calls, or the dearer of the two.';
comment on column reference.deck.canada_policy is
'Calls between the United States and Canada, in either direction.';
comment on column reference.deck.foreign_origin_policy is
'Calls to the United States from any other country but Canada.';
comment on column reference.deck.territory_policy is
'Calls from or to a territory: the territory counts as a state, or they are indeterminate.';
comment on column reference.deck.lrn_policy is
'Whether a location routing number in the record replaces the called number: in the look-up of the
price (rate), in the comparison of the states (jurisdiction), in both, or not at all.';
comment on column reference.deck.operator_deck_code is
'The deck that prices operator assisted calls. Without one they have no price.';
comment on column reference.deck.calling_area_code is
'Pairs of local_calling_area by which a call is local; null: no call is.';
comment on column reference.deck.local_deck_code is
'The deck that prices local calls; null: this one.';

alter table reference.charge_tariff
add column usf_category text
check (usf_category in (
    'local_service', 'wireless', 'voip_local', 'toll', 'operator_toll', 'prepaid_card',
    'satellite', 'private_line', 'pass_through', 'non_telecommunications'
)),
add column usf_jurisdiction text
check (usf_jurisdiction in ('intrastate', 'interstate', 'international')),
add column usf_safe_harbour text,
-- itemised toll and charges passed through are reported by what they are
add constraint charge_tariff_harbour_is_for_lines check (
    usf_safe_harbour is null
    or (usf_category in ('local_service', 'wireless', 'voip_local') and usf_jurisdiction is null)
);
comment on column reference.charge_tariff.usf_category is
'Revenue category of the seed usf_categories; null: no telecommunications.';
comment on column reference.charge_tariff.usf_jurisdiction is
'Jurisdiction of the whole product, where no safe harbour divides it.';
comment on column reference.charge_tariff.usf_safe_harbour is
'Safe harbour that divides the product (usf_safe_harbour); only line charges and bundles may.';

create table reference.lata (
    npanxx integer not null check (npanxx between 200000 and 999999),
    lata integer not null check (lata between 100 and 99999)
);
create table reference.local_calling_area (
    calling_area_code text not null,
    from_state text not null,
    from_rate_centre text not null,
    to_state text not null,
    to_rate_centre text not null
);
create table reference.usf_factor (
    fund_code text not null,
    factor_percent numeric(9, 4) not null check (factor_percent between 0 and 100),
    revenue_requirement numeric(20, 6) check (revenue_requirement >= 0),
    projected_revenue numeric(20, 6) check (projected_revenue > 0),
    uncollectible_percent numeric(9, 4) not null default 1
    check (uncollectible_percent between 0 and 100),
    notice text not null default ''
);
create table reference.usf_safe_harbour (
    harbour_code text not null,
    interstate_percent numeric(9, 4) not null check (interstate_percent between 0 and 100),
    notice text not null default ''
);
comment on table reference.lata is
'LATA of central office codes: licensed data, where there is any.';
comment on table reference.local_calling_area is
'Pairs of rate centres between which a call is local. Not symmetric: each direction is a row.';
comment on table reference.usf_factor is
'Contribution factors of universal service funds, by quarter.';
comment on table reference.usf_safe_harbour is
'Share of a kind of line charge that counts as interstate without a traffic study.';
comment on column reference.usf_factor.revenue_requirement is
'Of the quarter''s notice, with projected_revenue in one unit: the base follows from them.';

select reference.date_twice('lata', 'npanxx::text');
select reference.date_twice(
    'local_calling_area',
    'calling_area_code || chr(31) || from_state || chr(31) || from_rate_centre '
    '|| chr(31) || to_state || chr(31) || to_rate_centre'
);
select reference.date_twice('usf_factor', 'fund_code');
select reference.date_twice('usf_safe_harbour', 'harbour_code');

-- What the regulator has published; later quarters and changes are loaded like any other data.
insert into reference.usf_factor (fund_code, factor_percent, notice, valid_from, valid_to)
values
('federal', 36.3, 'first quarter of 2025', '2025-01-01 00:00+00', '2025-04-01 00:00+00'),
('federal', 36.0, 'third quarter of 2025', '2025-07-01 00:00+00', '2025-10-01 00:00+00'),
('federal', 38.1, 'fourth quarter of 2025', '2025-10-01 00:00+00', '2026-01-01 00:00+00'),
('federal', 37.6, 'first quarter of 2026', '2026-01-01 00:00+00', '2026-04-01 00:00+00');
insert into reference.usf_safe_harbour (harbour_code, interstate_percent, notice)
values
('interconnected_voip', 64.9, 'Interconnected VoIP'),
('cellular', 37.1, 'Cellular, broadband PCS and digital SMR'),
('paging', 12, 'Paging'),
('analog_dispatch', 1, 'Analog SMR dispatch');

-- The facts are dbt's, under its role: a database that has history gets the columns here.
reset role;
set role ratehouse_transformer;

alter table if exists rating.rated_usage
add column number_class text,
add column dialling text,
add column carrier_access_code text,
add column lata_scope text,
add column is_local boolean,
add column lrn_number bigint,
add column lrn_state text,
add column retail_jurisdiction text,
add column cost_jurisdiction text,
add column cost_rated_number bigint;

alter table if exists rating.rated_charge
add column usf_category text,
add column usf_jurisdiction text,
add column usf_safe_harbour text;

reset role;
