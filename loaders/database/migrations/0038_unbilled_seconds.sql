-- What plans without rounding of durations leave unbilled of last seconds, added up exactly.

set role ratehouse_transformer;

alter table if exists rating.usage_total
add column unbilled_seconds numeric(20, 3);

reset role;
