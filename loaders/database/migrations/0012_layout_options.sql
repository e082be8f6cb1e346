-- What a layout leaves open and only the sender of the files knows, per source: the profile names
-- the options and their values (loaders/layouts/profiles/<code>.toml, [options]).

set role ratehouse_owner;

alter table reference.source
add column layout_options jsonb not null default '{}'::jsonb
check (jsonb_typeof(layout_options) = 'object');
comment on column reference.source.layout_options is
'Readings of its layout that differ between senders, like {"conversation_time": "whole_seconds"}.
The layout''s page in docs/layouts/ names them; what is not named is read as the layout''s default.';

reset role;
