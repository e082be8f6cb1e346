"""Partitions ahead, settings of autovacuum, statistics, and what the indexes are used for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from loaders.partitions.catalogue import create_partition, facts, next_month, schemas
from loaders.runs import locks

# Facts are only ever added to. The server's defaults look at a table when a fifth of it is new,
# which for a month of 100 million rows is too late for its statistics and its visibility map (index
# only scans); nothing is ever freed, so vacuuming need not be eager beyond that.
_SETTINGS = {
    "autovacuum_analyze_scale_factor": "0.02",
    "autovacuum_vacuum_insert_scale_factor": "0.05",
    "autovacuum_vacuum_insert_threshold": "10000",
}
_SMALLEST_UNUSED = 8 * 1024 * 1024
_SCANNED_ROWS = 1_000_000


def keep(connection: Any, *, ahead: int, today: date, build_schema: str = "") -> list[str]:
    """Make the months to come, set what should be set, renew statistics; what was done, in words.

    Waits for nobody: refused while a run is at work.
    """
    is_own = locks.take_lock(connection, build_schema)
    done: list[str] = []
    try:
        with connection, connection.cursor() as cursor:
            for fact, parent in facts(cursor, build_schema).items():
                month = today.replace(day=1)
                for _ in range(ahead + 1):
                    cursor.execute("select to_regclass(%s) is null", (f"{parent}_{month:%Y%m}",))
                    if cursor.fetchone()[0]:
                        create_partition(cursor, parent, month)
                        done.append(f"{fact}: made {month:%Y-%m}")
                    month = next_month(month)
                done += _set(cursor, fact, parent)
        with connection, connection.cursor() as cursor:
            for fact, parent in facts(cursor, build_schema).items():
                # Autovacuum never looks at the partitioned table itself.
                cursor.execute(f"analyze {parent}")
                done.append(f"{fact}: statistics renewed")
    finally:
        if is_own:
            locks.release_lock(connection, build_schema)
    return done


def _set(cursor: Any, fact: str, parent: str) -> list[str]:
    wanted = [f"{name}={value}" for name, value in _SETTINGS.items()]
    cursor.execute(
        "select c.oid::regclass::text from pg_catalog.pg_inherits as i "
        "inner join pg_catalog.pg_class as c on i.inhrelid = c.oid "
        "where i.inhparent = %s::regclass and not coalesce(c.reloptions, '{}') @> %s::text[]",
        (parent, wanted),
    )
    relations = [relation for (relation,) in cursor.fetchall()]
    for relation in relations:
        cursor.execute(f"alter table {relation} set ({', '.join(wanted)})")
    return [f"{fact}: autovacuum set for {len(relations)} partition(s)"] if relations else []


@dataclass(frozen=True)
class IndexUse:
    """One index, or a table that is read whole, and what may be wrong."""

    relation: str
    index: str
    byte_count: int
    scans: int
    remark: str


def index_use(connection: Any, build_schema: str = "") -> list[IndexUse]:
    """Indexes of the facts, those of all partitions together, and large tables without one.

    Counted since the server's statistics were last reset.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            with every as (
                select coalesce(pi.inhparent, i.indexrelid) as top_index,
                    coalesce(pt.inhparent, i.indrelid) as top_table, i.indexrelid, i.indisunique
                from pg_catalog.pg_index as i
                inner join pg_catalog.pg_class as t on i.indrelid = t.oid
                inner join pg_catalog.pg_namespace as n on t.relnamespace = n.oid
                left join pg_catalog.pg_inherits as pi on i.indexrelid = pi.inhrelid
                left join pg_catalog.pg_inherits as pt on i.indrelid = pt.inhrelid
                where n.nspname = any(%(schemas)s) and t.relkind = 'r'
            )
            select top_table::regclass::text, top_index::regclass::text,
                sum(pg_relation_size(e.indexrelid))::bigint, coalesce(sum(s.idx_scan), 0)::bigint,
                bool_or(e.indisunique)
            from every as e
            left join pg_catalog.pg_stat_user_indexes as s on e.indexrelid = s.indexrelid
            group by 1, 2 order by 1, 2
            """,
            {"schemas": list(schemas(build_schema))},
        )
        found = [
            IndexUse(
                table, index, size, scans,
                "never used: may go" if not (scans or unique) and size >= _SMALLEST_UNUSED
                else "never used yet" if not (scans or unique) else "",
            )
            for table, index, size, scans, unique in cursor.fetchall()
        ]  # fmt: skip
        cursor.execute(
            """
            select coalesce(i.inhparent, s.relid)::regclass::text,
                sum(pg_relation_size(s.relid))::bigint, sum(s.seq_scan)::bigint
            from pg_catalog.pg_stat_user_tables as s
            left join pg_catalog.pg_inherits as i on s.relid = i.inhrelid
            where s.schemaname = any(%s)
            group by 1
            having sum(s.seq_scan) > 100 and sum(s.seq_tup_read) / sum(s.seq_scan) > %s
            order by 1
            """,
            (list(schemas(build_schema)), _SCANNED_ROWS),
        )
        found += [
            IndexUse(table, "(none)", size, scans, "often read whole: an index may be missing")
            for table, size, scans in cursor.fetchall()
        ]
    return found
