"""Landing tables and built-in sources, made from the layout profiles when migrations run.

control.layout remembers what was made of each layout: without a change there is nothing to do.
"""

from __future__ import annotations

import hashlib
import json
import re

from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - a type, not a function
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from loaders.events import record_event
from loaders.layouts import LAYOUTS, Layout


def layouts_to_make(connection: Connection) -> list[Layout]:
    """The layouts whose table or defaults are not those of this code."""
    with connection, connection.cursor() as cursor:
        # Through the catalogue: to_regclass raises where the schema may not be used.
        cursor.execute(
            "select exists (select from pg_class as c join pg_namespace as n "
            "on n.oid = c.relnamespace where n.nspname = 'control' and c.relname = 'layout')"
        )
        if not cursor.fetchone()[0]:
            return []
        cursor.execute("select layout_code, checksum from control.layout")
        known = dict(cursor.fetchall())
    return [
        layout for layout in LAYOUTS.values() if known.get(layout.code) != checksum(layout)
    ]


def make_landing(connection: Connection, layouts: list[Layout]) -> None:
    """Bring tables and sources to what the layouts say, in one transaction."""
    with connection, connection.cursor() as cursor:
        cursor.execute("set local role ratehouse_owner")
        # As a load of reference data: rating runs fix what they know under the same lock.
        cursor.execute("lock table control.reference_load in exclusive mode")
        cursor.execute(
            "select greatest(clock_timestamp(), "
            "max(recorded_at) + interval '1 microsecond') from control.reference_load"
        )
        clock = cursor.fetchone()[0]
        for layout in layouts:
            _make_table(cursor, layout)
            _make_source(cursor, layout, clock)
            cursor.execute(
                "insert into control.layout (layout_code, title, file_kind, reader, "
                "unassigned_source, defaults, checksum) values (%s, %s, %s, %s, %s, %s, %s) "
                "on conflict (layout_code) do update set title = excluded.title, "
                "file_kind = excluded.file_kind, reader = excluded.reader, "
                "unassigned_source = excluded.unassigned_source, defaults = excluded.defaults, "
                "checksum = excluded.checksum, changed_at = clock_timestamp()",
                (
                    layout.code, layout.title, layout.file_kind, layout.reader,
                    layout.unassigned_source, json.dumps(layout.defaults), checksum(layout),
                ),
            )  # fmt: skip
        made = {"layouts": [layout.code for layout in layouts]}
        record_event(cursor, "database", None, "layouts_made", made)


def checksum(layout: Layout) -> str:
    """Of everything that is made from a layout."""
    made = {
        "columns": layout.table_columns,
        "descriptions": layout.descriptions,
        "title": layout.title,
        "file_kind": layout.file_kind,
        "reader": layout.reader,
        "unassigned_source": layout.unassigned_source,
        "defaults": layout.defaults,
        "indexes": layout.indexes,
    }
    return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()


def _make_table(cursor: Cursor, layout: Layout) -> None:
    table = sql.Identifier("landing", layout.code)
    cursor.execute(
        "select a.attname from pg_attribute as a join pg_class as c on c.oid = a.attrelid "
        "join pg_namespace as n on n.oid = c.relnamespace "
        "where n.nspname = 'landing' and c.relname = %s and a.attnum > 0 and not a.attisdropped",
        (layout.code,),
    )
    present = {name for (name,) in cursor.fetchall()}
    if not present:
        columns = [sql.SQL("{} text").format(sql.Identifier(c)) for c in layout.table_columns]
        cursor.execute(
            sql.SQL(
                "create table {table} (file_id bigint not null, line_no bigint not null, "
                "{columns});"
                "create index {index} on {table} using brin (file_id, line_no) "
                "with (pages_per_range = 32, autosummarize = on);"
                "create trigger {trigger} before update or delete or truncate on {table} "
                "for each statement execute function control.refuse_change();"
                "grant select, insert on {table} to ratehouse_loader;"
                "grant select on {table} to ratehouse_transformer"
            ).format(
                table=table,
                columns=sql.SQL(", ").join(columns),
                index=sql.Identifier(f"{layout.code}_by_file"),
                trigger=sql.Identifier(f"{layout.code}_is_immutable"),
            )
        )
        cursor.execute(
            sql.SQL("comment on table {} is {}").format(table, sql.Literal(layout.title))
        )
    else:
        for name in layout.table_columns:
            if name not in present:
                cursor.execute(
                    sql.SQL("alter table {} add column {} text").format(
                        table, sql.Identifier(name)
                    )
                )
    for columns in layout.indexes:
        _make_index(cursor, layout, columns)
    for name, description in layout.descriptions.items():
        cursor.execute(
            sql.SQL("comment on column {} is {}").format(
                sql.Identifier("landing", layout.code, name), sql.Literal(description)
            )
        )


def _make_index(cursor: Cursor, layout: Layout, columns: tuple[str, ...]) -> None:
    """By what the records of one call or session are found in other files, whatever the history.

    A layout that has none pays nothing: an index of this kind doubles the time of landing.
    """
    found_by = "_".join(re.sub(r"[^a-z0-9]+", "_", name.lower()) for name in columns)
    cursor.execute(
        sql.SQL("create index if not exists {} on {} ({})").format(
            sql.Identifier(f"{layout.code}_by_{found_by}"[:63]),
            sql.Identifier("landing", layout.code),
            sql.SQL(", ").join(key_expression(name) for name in columns),
        )
    )


def key_expression(name: str, table: str | None = None) -> sql.Composable:
    """A column, or a value of one that holds JSON, as the index and staging write it.

    Only the same expression finds the index.
    """
    column, dot, inside = name.partition(".")
    identifier = sql.Identifier(*([table] if table else []), column)
    if not dot:
        return identifier
    return sql.SQL("(({}::jsonb) ->> {})").format(identifier, sql.Literal(inside))


def _make_source(cursor: Cursor, layout: Layout, clock: object) -> None:
    """The source of files nobody declared: it follows the profile, not what a user set."""
    code = layout.unassigned_source
    cursor.execute(
        "insert into reference.source_key (source_code) values (%s) "
        "on conflict (source_code) do nothing",
        (code,),
    )
    cursor.execute(
        "select exists (select from reference.source where source_code = %s "
        "and recorded_to = 'infinity')",
        (code,),
    )
    defaults = dict(layout.defaults)
    if not cursor.fetchone()[0]:
        names = ["carrier_code", "file_kind", "layout_code", *defaults]
        cursor.execute(
            sql.SQL(
                "insert into reference.source (source_id, source_code, recorded_from, {names}) "
                "select source_id, source_code, %s, {values} from reference.source_key "
                "where source_code = %s"
            ).format(
                names=sql.SQL(", ").join(map(sql.Identifier, names)),
                values=sql.SQL(", ").join([sql.Placeholder()] * len(names)),
            ),
            [clock, "unassigned", layout.file_kind, layout.code, *defaults.values(), code],
        )
        return
    cursor.execute(
        "select defaults from control.layout where layout_code = %s", (layout.code,)
    )
    before = cursor.fetchone()
    if before is None or before[0] == defaults:
        return
    _change_source(cursor, code, before[0], defaults, clock)


def _change_source(
    cursor: Cursor, code: str, before: dict[str, str], defaults: dict[str, str], clock: object
) -> None:
    """Close what was known and record the new defaults; what a user set in between stays."""
    cursor.execute(
        "select a.attname from pg_attribute as a where a.attrelid = 'reference.source'::regclass "
        "and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attnum"
    )
    names = [name for (name,) in cursor.fetchall()]
    cursor.execute(
        "select a.attname, pg_get_expr(d.adbin, d.adrelid) from pg_attribute as a "
        "join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum "
        "where a.attrelid = 'reference.source'::regclass and a.attgenerated = ''"
    )
    table_defaults = dict(cursor.fetchall())
    replaced: dict[str, sql.Composable] = {"recorded_from": sql.Literal(clock)}
    for name in {*before, *defaults}:
        if before.get(name) == defaults.get(name):
            continue
        old, new = (
            sql.Literal(values[name]) if name in values else sql.SQL(table_defaults[name])
            for values in (before, defaults)
        )
        replaced[name] = sql.SQL("case when {0} = {1} then {2} else {0} end").format(
            sql.Identifier(name), old, new
        )
    closed = sql.SQL(
        "update reference.source set recorded_to = {clock} "
        "where source_code = {code} and recorded_to = 'infinity' returning {names}"
    ).format(
        clock=sql.Literal(clock),
        code=sql.Literal(code),
        names=sql.SQL(", ").join(map(sql.Identifier, names)),
    )
    replaced["recorded_to"] = sql.SQL("'infinity'::timestamptz")
    cursor.execute(
        sql.SQL(
            "with closed as ({closed}) insert into reference.source ({names}) "
            "select {values} from closed"
        ).format(
            closed=closed,
            names=sql.SQL(", ").join(map(sql.Identifier, names)),
            values=sql.SQL(", ").join(
                [replaced.get(name, sql.Identifier(name)) for name in names]
            ),
        )
    )
