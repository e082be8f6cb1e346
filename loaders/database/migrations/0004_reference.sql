-- reference: everything usage is rated against, dated twice.
--   validity  [valid_from, valid_to)        when it holds in the world
--   recorded  [recorded_from, recorded_to)  when we knew it
-- A correction closes the recorded range of the old row and inserts a new one. Two rows of one
-- key may never hold at the same instant as known at the same instant: exclusion constraints.

set role ratehouse_owner;

-- Codes are the user's; ids are ours, never reused, never changed, and small enough to pack.
create table reference.account_key (
    account_id bigint generated always as identity primary key,
    account_code text not null unique
);
create table reference.service_key (
    service_id bigint generated always as identity primary key,
    service_code text not null unique
);
create table reference.plan_key (
    plan_id integer generated always as identity primary key,
    plan_code text not null unique
);
create table reference.deck_key (
    deck_id integer generated always as identity primary key,
    deck_code text not null unique
);
create table reference.source_key (
    source_id integer generated always as identity primary key,
    source_code text not null unique
);

create table reference.source (
    source_id integer not null references reference.source_key (source_id),
    source_code text not null,
    carrier_code text not null,
    file_kind text not null check (file_kind in ('cdr', 'sdr')),
    layout_code text not null,
    time_zone text not null default 'UTC',
    date_order text not null default 'ymd' check (date_order in ('ymd', 'dmy', 'mdy')),
    decimal_mark text not null default '.' check (decimal_mark in ('.', ',')),
    number_plan text not null default 'nanp',
    direction_mode text not null default 'indeterminate'
    check (direction_mode in ('outbound', 'inbound', 'indeterminate')),
    classify_mode text not null default 'npanxx'
    check (classify_mode in ('none', 'npanxx')),
    rating_mode text not null default 'rate' check (rating_mode in ('none', 'rate')),
    cost_deck_code text,
    currency_code text not null default 'USD',
    charge_tariff_code text,
    column_map jsonb not null default '{}'::jsonb,
    reject_ceiling_percent numeric(5, 2) not null default 50
    check (reject_ceiling_percent between 0 and 100)
);
create table reference.account (
    account_id bigint not null references reference.account_key (account_id),
    account_code text not null,
    customer_name text not null,
    bill_group text not null default 'main',
    time_zone text not null default 'UTC',
    anchor_day integer not null default 1 check (anchor_day between 1 and 31),
    currency_code text not null default 'USD',
    plan_code text,
    is_reseller boolean not null default false
);
create table reference.service (
    service_id bigint not null references reference.service_key (service_id),
    service_code text not null,
    account_code text not null,
    service_type text not null default 'voice'
    check (service_type in ('voice', 'messages', 'data', 'fixed', 'any')),
    plan_code text
);
create table reference.service_identifier (
    service_code text not null,
    identifier_kind text not null
    check (identifier_kind in ('number', 'pattern', 'account_key', 'circuit')),
    identifier_value text not null,
    direction text not null default 'both' check (direction in ('outbound', 'inbound', 'both'))
);
create table reference.plan (
    plan_id integer not null references reference.plan_key (plan_id),
    plan_code text not null,
    plan_name text not null,
    deck_code text not null,
    inbound_deck_code text,
    is_default boolean not null default false,
    duration_rounding text not null default 'up'
    check (duration_rounding in ('up', 'half_up', 'down', 'half_down')),
    increment_base text not null default 'after_minimum'
    check (increment_base in ('after_minimum', 'whole_duration')),
    rounding_level text not null default 'call'
    check (rounding_level in ('call', 'line', 'invoice')),
    rounding_decimals integer not null default 4 check (rounding_decimals between 0 and 10),
    rounding_mode text not null default 'half_up'
    check (rounding_mode in ('up', 'half_up', 'half_even', 'down'))
);
create table reference.deck (
    deck_id integer not null references reference.deck_key (deck_id),
    deck_code text not null,
    deck_name text not null,
    side text not null check (side in ('retail', 'wholesale')),
    carrier_code text,
    currency_code text not null,
    is_jurisdictional boolean not null default false,
    minimum_seconds integer not null default 0 check (minimum_seconds >= 0),
    increment_seconds integer not null default 1 check (increment_seconds > 0),
    rounding_decimals integer not null default 6 check (rounding_decimals between 0 and 10),
    rounding_mode text not null default 'half_up'
    check (rounding_mode in ('up', 'half_up', 'half_even', 'down'))
);
create table reference.rate (
    rate_id bigint generated always as identity primary key,
    deck_code text not null,
    prefix text not null check (prefix ~ '^[0-9]{1,13}$'),
    jurisdiction text not null default 'any'
    check (jurisdiction in ('any', 'interstate', 'intrastate', 'indeterminate')),
    destination_name text not null default '',
    status text not null default 'open' check (status in ('open', 'blocked')),
    price_per_minute numeric(18, 10) check (price_per_minute >= 0),
    connection_fee numeric(18, 10) not null default 0 check (connection_fee >= 0),
    minimum_seconds integer check (minimum_seconds >= 0),
    increment_seconds integer check (increment_seconds > 0),
    check (status = 'blocked' or price_per_minute is not null)
);
create table reference.npa (
    npa integer not null check (npa between 200 and 999),
    location text,
    country text,
    service text,
    usage_class text not null check (usage_class in ('geographic', 'non_geographic')),
    is_in_service boolean not null,
    time_zone_letters text
);
create table reference.npanxx (
    npanxx integer not null check (npanxx between 200000 and 999999),
    state_code text not null,
    ocn text,
    company text,
    rate_centre text,
    is_in_service boolean not null,
    is_pooled boolean
);
create table reference.charge_tariff (
    charge_tariff_code text not null,
    product_code text not null,
    product_name text not null,
    charge_class text not null default 'recurring',
    price_mode text not null
    check (price_mode in ('list', 'pass_through', 'markup', 'included', 'excluded')),
    unit_price numeric(18, 10),
    markup_percent numeric(9, 4),
    currency_code text not null default 'USD',
    proration text not null default 'none' check (proration in ('none', 'actual_days')),
    rounding_decimals integer not null default 2 check (rounding_decimals between 0 and 10),
    rounding_mode text not null default 'half_up'
    check (rounding_mode in ('up', 'half_up', 'half_even', 'down')),
    check (price_mode <> 'list' or unit_price is not null),
    check (price_mode <> 'markup' or markup_percent is not null)
);

comment on table reference.source is 'A supplier''s feed: its layout and how to read its values.';
comment on table reference.account is 'The party that is invoiced: zone, anchor day, currency.';
comment on table reference.service is 'What an account has: a line, a trunk, a circuit.';
comment on table reference.service_identifier is
'How usage names a service: a number (E.164 digits), a pattern (digits ending in {!}: every
number that starts so), an account key, a circuit reference.';
comment on table reference.plan is 'How a service is rated: deck, increment reading, rounding.';
comment on table reference.deck is 'A rate deck: retail price list or carrier cost list.';
comment on table reference.rate is
'Rows of the decks. Price per minute, E.164 prefix. Blocked: the call may not be priced.';
comment on table reference.npa is 'Area codes: the numbering administrator''s NPA report.';
comment on table reference.npanxx is 'Central office codes: state, carrier, rate centre.';
comment on table reference.charge_tariff is 'Retail prices of fixed-fee (SDR) products.';

-- The dating columns, constraints and guards, the same for every kind. key_columns makes one text
-- key: the unit separator keeps ('a', 'bc') and ('ab', 'c') apart. Exclusion constraints on plain
-- keys need the btree_gist extension; without it a key k becomes the range [k, k], of its hash:
-- ranges of text have no distance function, so their index degenerates (replacing 200,000 rates
-- took more than 200 s, by hash 18 s). Two keys with one hash would be refused, never admitted.
do $$
declare
    kind record;
begin
    for kind in
        select * from (values
            ('source', 'source_code'),
            ('account', 'account_code'),
            ('service', 'service_code'),
            ('service_identifier',
             'identifier_kind || chr(31) || identifier_value'),
            ('plan', 'plan_code'),
            ('deck', 'deck_code'),
            ('rate', 'deck_code || chr(31) || prefix || chr(31) || jurisdiction'),
            ('npa', 'npa::text'),
            ('npanxx', 'npanxx::text'),
            ('charge_tariff', 'charge_tariff_code || chr(31) || product_code')
        ) as k (table_name, key_expression)
    loop
        execute format($sql$
            alter table reference.%1$I
                add column valid_from timestamptz not null default '-infinity',
                add column valid_to timestamptz not null default 'infinity',
                add column recorded_from timestamptz not null default clock_timestamp(),
                add column recorded_to timestamptz not null default 'infinity',
                add column reference_load_id bigint
                    references control.reference_load (reference_load_id),
                add column valid_during tstzrange not null
                    generated always as (tstzrange(valid_from, valid_to)) stored,
                add column recorded_during tstzrange not null
                    generated always as (tstzrange(recorded_from, recorded_to)) stored,
                add constraint %2$I check (valid_from < valid_to),
                add constraint %3$I check (recorded_from <= recorded_to)
        $sql$, kind.table_name, kind.table_name || '_validity_is_not_empty',
        kind.table_name || '_recorded_is_ordered');
        if kind.table_name = 'service_identifier' then
            -- An identifier may belong to one service outbound and another inbound.
            execute $sql$
                alter table reference.service_identifier
                add column direction_range int4range not null generated always as (
                    case direction
                        when 'outbound' then int4range(1, 2)
                        when 'inbound' then int4range(2, 3)
                        else int4range(1, 3)
                    end
                ) stored,
                add constraint service_identifier_is_unambiguous exclude using gist (
                    int8range(
                        hashtextextended(identifier_kind || chr(31) || identifier_value, 0),
                        hashtextextended(identifier_kind || chr(31) || identifier_value, 0), '[]'
                    ) with &&,
                    direction_range with &&,
                    valid_during with &&,
                    recorded_during with &&
                )
            $sql$;
        elsif kind.table_name in ('npa', 'npanxx') then
            execute format($sql$
                alter table reference.%1$I add constraint %2$I exclude using gist (
                    int4range(%1$I, %1$I, '[]') with &&,
                    valid_during with &&,
                    recorded_during with &&
                )
            $sql$, kind.table_name, kind.table_name || '_is_unambiguous');
        else
            execute format($sql$
                alter table reference.%1$I add constraint %2$I exclude using gist (
                    int8range(hashtextextended(%3$s, 0), hashtextextended(%3$s, 0), '[]') with &&,
                    valid_during with &&,
                    recorded_during with &&
                )
            $sql$, kind.table_name, kind.table_name || '_is_unambiguous', kind.key_expression);
        end if;
        execute format(
            'create trigger %I before update on reference.%I '
            'for each row execute function reference.allow_only_recorded_close()',
            kind.table_name || '_closes_only', kind.table_name
        );
        execute format(
            'create trigger %I before delete or truncate on reference.%I '
            'for each statement execute function control.refuse_change()',
            kind.table_name || '_is_never_deleted', kind.table_name
        );
    end loop;
end
$$;

grant select, insert, update on all tables in schema reference to ratehouse_loader;
grant usage on all sequences in schema reference to ratehouse_loader;
grant select on all tables in schema reference to ratehouse_transformer;

-- Account 0 is suspense: usage that belongs to nobody yet. Facts need an account on every row.
insert into reference.account_key (account_id, account_code) overriding system value
values (0, '(suspense)');
insert into reference.account (account_id, account_code, customer_name, bill_group)
values (0, '(suspense)', '(suspense)', '(none)');

-- Sources for files nobody declared yet: they land and are normalised; their usage waits in
-- suspense until a service matches.
insert into reference.source_key (source_code)
values ('unassigned_asterisk'), ('unassigned_mapped'), ('unassigned_charges');
insert into reference.source (source_id, source_code, carrier_code, file_kind, layout_code)
with unassigned (source_code, file_kind, layout_code) as (
    values
    ('unassigned_asterisk', 'cdr', 'asterisk_cdr'),
    ('unassigned_mapped', 'cdr', 'mapped_usage'),
    ('unassigned_charges', 'sdr', 'carrier_charge')
)

select
    k.source_id,
    k.source_code,
    'unassigned' as carrier_code,
    u.file_kind,
    u.layout_code
from reference.source_key as k
inner join unassigned as u on k.source_code = u.source_code;

reset role;
