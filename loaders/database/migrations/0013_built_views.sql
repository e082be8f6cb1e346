-- control.built_view: from what each view of the dbt project was made last, so that a run leaves
-- the many alone that did not change (macros/stable_view.sql).

set role ratehouse_owner;

create table control.built_view (
    relation text primary key,
    definition_hash text not null,
    built_at timestamptz not null default clock_timestamp()
);
comment on table control.built_view is
'Views of the dbt project as last built: hash of SQL, descriptions and grants.';

grant select, insert, update on control.built_view to ratehouse_transformer;
grant select on control.built_view to ratehouse_loader;

reset role;
