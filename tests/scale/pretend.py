"""A PostgreSQL that answers like a Citus coordinator as far as the macros ask.

It remembers what was placed where, and refuses what Citus refuses of the tables it is given.
"""

from __future__ import annotations

PRETEND = """
create table public.pg_dist_partition (
    logicalrelid regclass, partmethod "char", partkey text, colocationid integer, repmodel "char"
);
create table public.pg_dist_node (groupid integer);
create table public.placed (
    place_no bigint generated always as identity, relation text, statement text
);
create function public.column_to_column_name(regclass, text) returns text
language sql as 'select $2';

create function public.refuse_what_citus_refuses(fact regclass, column_name text) returns void
language plpgsql as $$
begin
    if exists (select from pg_trigger where tgrelid = fact and not tgisinternal) then
        raise exception 'triggers are not supported on distributed or reference tables: %', fact;
    end if;
    if exists (
        select from pg_index as i
        where i.indrelid = fact and i.indisunique and column_name is not null and not exists (
            select from pg_attribute as a
            where a.attrelid = fact and a.attnum = any(i.indkey) and a.attname = column_name
        )
    ) then
        raise exception 'a unique index of % leaves out %', fact, column_name;
    end if;
    if exists (
        select from pg_constraint where contype = 'f' and (conrelid = fact or confrelid = fact)
    ) then
        raise exception '% has foreign keys', fact;
    end if;
    if (select relispartition or relpersistence = 't' from pg_class where oid = fact) then
        raise exception '% is a partition or temporary', fact;
    end if;
end
$$;
create function public.create_reference_table(table_name regclass) returns void
language plpgsql security definer as $$
begin
    perform public.refuse_what_citus_refuses(table_name, null);
    insert into public.pg_dist_partition values (table_name, 'n', null, 2, 't');
    insert into public.placed (relation, statement) values (table_name::text, 'reference');
end
$$;
create function public.create_distributed_table(
    table_name regclass, distribution_column text, colocate_with text default 'default'
) returns void
language plpgsql security definer as $$
begin
    if colocate_with <> 'default' and not exists (
        select from public.pg_dist_partition
        where logicalrelid = colocate_with::regclass and partmethod = 'h'
    ) then
        raise exception 'relation % is not distributed', colocate_with;
    end if;
    perform public.refuse_what_citus_refuses(table_name, distribution_column);
    insert into public.pg_dist_partition values (table_name, 'h', distribution_column, 1, 's');
    insert into public.placed (relation, statement)
    values (table_name::text, distribution_column || ' beside ' || colocate_with);
end
$$;
grant select on public.pg_dist_partition, public.pg_dist_node to public;
"""
