-- Who sends invoices, to whom, and how documents look. What stands on them is decided elsewhere.

set role ratehouse_owner;

create table reference.seller (
    legal_entity text not null default '*',
    seller_name text not null check (seller_name ~ '\S'),
    seller_address text not null default '',
    seller_tax_id text not null default '',
    seller_contact text not null default '',
    payment_details text not null default '',
    payment_days integer check (payment_days between 0 and 366),
    footer_note text not null default '',
    logo_path text not null default '',
    accent_colour text not null default '#1F4E79' check (accent_colour ~ '^#[0-9A-Fa-f]{6}$'),
    date_style text not null default 'iso' check (date_style in ('iso', 'dmy', 'mdy', 'words')),
    number_style text not null default 'comma_point'
    check (number_style in ('comma_point', 'point_comma', 'space_comma', 'quote_point', 'plain')),
    currency_style text not null default 'code' check (currency_style in ('code', 'symbol')),
    page_size text not null default 'A4' check (page_size in ('A4', 'letter')),
    number_display text not null default 'whole' check (number_display in ('whole', 'masked')),
    is_itemised boolean not null default true
);
comment on table reference.seller is
'A legal entity that sends invoices: what stands on its documents, and how they look. `*` is every
entity without a row of its own.';
comment on column reference.seller.legal_entity is
'As invoice_numbering names it; * for all others.';
comment on column reference.seller.seller_address is 'Lines, with | between them.';
comment on column reference.seller.seller_contact is 'Lines, with | between them.';
comment on column reference.seller.payment_details is
'Lines, with | between them: bank, account, terms.';
comment on column reference.seller.payment_days is
'An invoice is due so many days after its date; empty: it does not say.';
comment on column reference.seller.logo_path is
'PNG or JPEG on the machine that writes documents; empty: none.';
comment on column reference.seller.number_style is
'comma_point 1,234.50; point_comma 1.234,50; space_comma 1 234,50; quote_point 1''234.50; plain
1234.50.';
comment on column reference.seller.number_display is
'masked: numbers in the register lose their last four digits.';
comment on column reference.seller.is_itemised is
'False: documents come without the register of calls, messages, data and charges.';

create table reference.billing_address (
    account_code text not null,
    addressee text not null default '',
    address text not null default '',
    tax_id text not null default '',
    customer_reference text not null default ''
);
comment on table reference.billing_address is 'Where the invoices of an account go.';
comment on column reference.billing_address.addressee is
'Name on the document; empty: that of the account.';
comment on column reference.billing_address.address is 'Lines, with | between them.';
comment on column reference.billing_address.customer_reference is
'What the customer wants to read: an order number, a cost centre.';

select reference.date_twice('seller', 'legal_entity');
select reference.date_twice('billing_address', 'account_code');

reset role;
