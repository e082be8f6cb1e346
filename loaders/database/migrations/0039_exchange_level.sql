-- Contracts that convert each call or charge by itself.

set role ratehouse_owner;

alter table reference.account
add column exchange_level text not null default 'line'
check (exchange_level in ('line', 'record'));
comment on column reference.account.exchange_level is
'line: converted once, after the line was added up. record: each call or charge is converted and
rounded by itself.';

reset role;
