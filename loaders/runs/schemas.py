"""Where dbt builds: the layer's schema, with the build schema as a prefix outside production."""

from __future__ import annotations

from typing import Any

from psycopg2 import sql


def build_schema_name(build_schema: str, layer: str) -> str:
    """`marts` in production, `<build_schema>_marts` in a build of its own."""
    return f"{build_schema}_{layer}" if build_schema else layer


def build_relation(build_schema: str, layer: str, name: str) -> sql.Identifier:
    """A quoted relation of a layer, for sql.SQL(...).format."""
    return sql.Identifier(build_schema_name(build_schema, layer), name)


def relation_exists(cursor: Any, build_schema: str, layer: str, name: str) -> bool:
    """Whether dbt has built this relation yet."""
    cursor.execute(
        "select to_regclass(format('%%I.%%I', %s::text, %s::text)) is not null",
        (build_schema_name(build_schema, layer), name),
    )
    return cursor.fetchone()[0]
