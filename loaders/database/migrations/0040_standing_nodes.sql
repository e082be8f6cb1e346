-- control.standing_nodes: what a run found of the dbt project when it had built and tested all of
-- it, so that the next run builds only what belongs to a run (orchestration/lib/standing.py).

set role ratehouse_owner;

create table control.standing_nodes (
    build_schema text not null,
    selection text not null,
    part text not null check (part in ('project', 'reference')),
    fingerprint text not null,
    found_at timestamptz not null default clock_timestamp(),
    primary key (build_schema, selection, part)
);
comment on table control.standing_nodes is
'Seeds, views and lookups of the dbt project as the last complete run left them.';
comment on column control.standing_nodes.selection is
'What was built: tag:rating or tag:billing, and whether its data tests were left out.';
comment on column control.standing_nodes.part is
'project: follows from the code alone. reference: follows from the reference data too.';
comment on column control.standing_nodes.fingerprint is
'Hash of the code, the landing columns, the relations and the reference load they were made from.';

grant select, insert, update, delete on control.standing_nodes to ratehouse_transformer;
grant select on control.standing_nodes to ratehouse_loader;

reset role;
