-- Draft invoices carry the lines of every stage of billing: allowances, volume prices, discounts,
-- commitments, caps, surcharges and taxes beside usage, charges and rounding.

-- The facts are dbt's, under its role: a database that has history gets the columns here.
set role ratehouse_transformer;

alter table if exists billing.draft_invoice_line
add column product_code text,
add column unit text,
add column detail jsonb;

alter table if exists billing.draft_invoice
add column allowance_amount numeric(28, 14) not null default 0,
add column volume_amount numeric(28, 14) not null default 0,
add column discount_amount numeric(28, 14) not null default 0,
add column commitment_amount numeric(28, 14) not null default 0,
add column cap_amount numeric(28, 14) not null default 0,
add column surcharge_amount numeric(28, 14) not null default 0,
add column tax_amount numeric(28, 14) not null default 0;

reset role;
