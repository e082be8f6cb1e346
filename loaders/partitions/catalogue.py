"""Which partitions there are: facts that run_fact (macros/run_fact.sql) keeps by month."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

_LAYERS = ("rating", "billing")
_SUFFIX = re.compile(r"_(\d{4})(\d{2})$")


@dataclass(frozen=True)
class Partition:
    """One partition of one fact; without a month it takes rows that have no time."""

    fact: str
    relation: str
    month: date | None
    rows: int
    byte_count: int
    index_bytes: int
    is_closed: bool


def schemas(build_schema: str) -> dict[str, str]:
    """Layer by schema."""
    return {f"{build_schema}_{layer}" if build_schema else layer: layer for layer in _LAYERS}


def facts(cursor: Any, build_schema: str = "") -> dict[str, str]:
    """Partitioned facts: schema-qualified relation by plain name (`rating.rated_usage`)."""
    by_schema = schemas(build_schema)
    cursor.execute(
        "select n.nspname, c.relname from pg_catalog.pg_class as c "
        "inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid "
        "where c.relkind = 'p' and n.nspname = any(%s) order by 1, 2",
        (list(by_schema),),
    )
    return {f"{by_schema[schema]}.{name}": f"{schema}.{name}" for schema, name in cursor.fetchall()}


def partitions(connection: Any, build_schema: str = "") -> list[Partition]:
    """Every partition with its size, oldest month first."""
    found = []
    with connection, connection.cursor() as cursor:
        for fact, parent in facts(cursor, build_schema).items():
            cursor.execute(
                "select c.oid::regclass::text, c.relname, greatest(c.reltuples, 0)::bigint, "
                "pg_total_relation_size(c.oid), pg_indexes_size(c.oid) "
                "from pg_catalog.pg_inherits as i "
                "inner join pg_catalog.pg_class as c on i.inhrelid = c.oid "
                "where i.inhparent = %s::regclass",
                (parent,),
            )
            for relation, name, rows, size, indexes in cursor.fetchall():
                month = month_of(name)
                closed = month is not None and not open_periods(cursor, [month], build_schema)
                found.append(Partition(fact, relation, month, rows, size, indexes, closed))
    return sorted(found, key=lambda p: (p.fact, p.month or date.max))


def month_of(name: str) -> date | None:
    """The month in the name of a partition."""
    match = _SUFFIX.search(name)
    return date(int(match[1]), int(match[2]), 1) if match else None


def open_periods(cursor: Any, periods: list[date], build_schema: str) -> list[str]:
    """Billing periods among these that are not closed for every bill group billed in them.

    A period that no group closed is open, whatever was billed in it.
    """
    cursor.execute(
        """
        select to_char(p.month, 'YYYY-MM') || coalesce(', bill group ' || r.bill_group, '')
        from unnest(%(periods)s::date[]) as p (month)
        left join (
            select distinct period_month, bill_group from control.invoice_run
            where build_schema = %(build_schema)s
        ) as r on p.month = r.period_month
        where not exists (
            select from control.closed_period as c
            where c.period_month = p.month and c.bill_group = coalesce(r.bill_group, c.bill_group)
        )
        order by 1
        """,
        {"periods": periods, "build_schema": build_schema},
    )
    return [words for (words,) in cursor.fetchall()]


def next_month(month: date) -> date:
    """The first day of the month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def create_partition(cursor: Any, parent: str, month: date) -> str:
    """Make the partition of a month (UTC) unless it is there; its relation."""
    relation = f"{parent}_{month:%Y%m}"
    cursor.execute("select to_regclass(%s) is null", (relation,))
    if cursor.fetchone()[0]:
        # Bounds as in macros/run_fact.sql.
        cursor.execute(
            f"create table {relation} partition of {parent} "
            f"for values from ('{month} 00:00:00+00') to ('{next_month(month)} 00:00:00+00')"
        )
    return relation
