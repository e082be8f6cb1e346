"""Money never passes through a floating-point number: there is none in tables or rules."""

from __future__ import annotations

import re
from pathlib import Path

from psycopg2.extensions import connection as Connection  # noqa: N812 - a type, not a function

from loaders.settings import project_root

_FLOAT = re.compile(r"\b(double\s+precision|float[48]?|real|money)\b", re.IGNORECASE)
# A length of time, as PostgreSQL wants it.
_SECONDS = re.compile(r"make_interval\s*\(\s*secs\s*=>.*$")
_SQL = ("dbt_project/models", "dbt_project/tests", "macros", "loaders/database/migrations")


def _code(text: str) -> str:
    """SQL without comments, words in quotes and lengths of time."""
    text = re.sub(r"{#.*?#}", "", text, flags=re.DOTALL)
    text = re.sub(r"'(?:[^']|'')*'", "''", re.sub(r"--.*$", "", text, flags=re.MULTILINE))
    return "\n".join(_SECONDS.sub("", line) for line in text.splitlines())


def _sql_files() -> list[Path]:
    return sorted(path for folder in _SQL for path in (project_root() / folder).rglob("*.sql"))


def test_no_sql_works_with_floats() -> None:
    found = [
        f"{path.relative_to(project_root())}: {hit[0]}"
        for path in _sql_files()
        for hit in [_FLOAT.search(_code(path.read_text(encoding="utf-8")))]
        if hit
    ]
    assert found == []
    assert len(_sql_files()) > 150
    for bad in ("x::float", "cast(x as double precision)", "price real,"):
        assert _FLOAT.search(_code(bad)), bad


def test_no_column_is_a_float(connection: Connection) -> None:
    """Of the tables that dbt does not build; contracts name the types of the others."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select table_schema || '.' || table_name || '.' || column_name "
            "from information_schema.columns "
            "where table_schema not in ('pg_catalog', 'information_schema') "
            "and data_type in ('real', 'double precision', 'money')"
        )
        assert cursor.fetchall() == []
        cursor.execute(
            "select count(*) from information_schema.columns where data_type = 'numeric'"
        )
        assert cursor.fetchone()[0] > 20
