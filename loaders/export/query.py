"""The query of an export: over marts alone, every column by name, in an order that is total."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from loaders.export.question import ExportRefused, Question, require_one_of
from loaders.export.rules import condition

# Codes people know instead of numbers: column, alias of the mart it stands in.
_JOINED = {
    "account_code": "account", "customer_name": "account", "service_code": "service",
    "source_code": "source", "carrier_code": "source",
}  # fmt: skip
_JOINS = """
    left join marts.dim_account as account on fact.account_id = account.account_id
    left join marts.dim_service as service on fact.service_id = service.service_id
    left join marts.dim_source as source on fact.source_id = source.source_id
"""
# A spreadsheet takes a text that starts so for a formula; the wide forms too, in some languages.
FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"
# What starts so and is none: numbers with a sign, telephone numbers with a plus.
NUMBER = r"^([+-]?[0-9]+([.,][0-9]+)?|\+[0-9][0-9 ]*)$"


@dataclass(frozen=True)
class Column:
    """A column of an export, as the database describes it."""

    name: str
    # Without length or precision, and with it.
    base_type: str
    full_type: str
    description: str | None


@dataclass(frozen=True)
class Query:
    """The question in SQL: as a person would run it, and as the values of a CSV file."""

    question: Question
    columns: tuple[Column, ...]
    plain: str
    as_text: str
    runs: str


def available_columns(cursor: Cursor, question: Question) -> dict[str, Column]:
    """Every column of the mart in its order, then the codes of what it refers to."""
    cursor.execute(
        """
        select c.relname, a.attname, format_type(a.atttypid, null),
            format_type(a.atttypid, a.atttypmod), col_description(c.oid, a.attnum)
        from pg_catalog.pg_class as c
        inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
        inner join pg_catalog.pg_attribute as a on c.oid = a.attrelid
        where n.nspname = 'marts' and a.attnum > 0 and not a.attisdropped
            and (
                c.relname = %(mart)s
                or c.relname = any(array['dim_account', 'dim_service', 'dim_source'])
                and a.attname = any(%(joined)s)
            )
        order by c.relname <> %(mart)s, c.relname, a.attnum
        """,
        {"mart": question.mart.relation, "joined": list(_JOINED)},
    )
    rows = cursor.fetchall()
    if not any(relation == question.mart.relation for relation, *_ in rows):
        raise ExportRefused(
            f"marts.{question.mart.relation} does not exist yet: rate something first "
            "(ratehouse rate)"
        )
    found: dict[str, Column] = {}
    for _, name, base, full, description in rows:
        found.setdefault(name, Column(name, base, full, description))
    return found


def make_query(cursor: Cursor, question: Question) -> Query:
    """Check the question against the marts and put it in SQL."""
    known = available_columns(cursor, question)
    for name in question.columns:
        require_one_of("column", name, tuple(known))
    if len(set(question.columns)) < len(question.columns):
        raise ExportRefused("a column is named twice; each can stand in the file once")
    chosen = tuple(known[name] for name in question.columns or known)
    body = _body(cursor, question, known)
    order = sql.SQL(", ").join(
        sql.SQL("fact.{}").format(sql.Identifier(name)) for name in question.mart.order
    )
    order = sql.SQL("\norder by ") + order

    def statement(items: list[sql.Composable], end: sql.Composable) -> str:
        return (
            (sql.SQL("select\n    ") + sql.SQL(",\n    ").join(items) + body + end)
            .as_string(cursor)
            .strip()
        )

    return Query(
        question=question,
        columns=chosen,
        plain=statement([_place(c) for c in chosen], order),
        as_text=statement([_text(c, _place(c)) for c in chosen], order),
        runs=statement(
            [sql.SQL("array_agg(distinct fact.rating_run_id order by fact.rating_run_id)")],
            sql.SQL(""),
        ),
    )


def _place(column: Column) -> sql.Composable:
    alias = _JOINED.get(column.name, "fact")
    return sql.Identifier(alias) + sql.SQL(".") + sql.Identifier(column.name)


def _text(column: Column, place: sql.Composable) -> sql.Composable:
    """A value as it stands in a CSV file: UTC, no needless zeros, nothing a spreadsheet runs."""
    name = sql.SQL(" as {}").format(sql.Identifier(column.name))
    if column.base_type == "timestamp with time zone":
        return (
            sql.SQL(
                "regexp_replace(to_char({} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), "
                "'\\.?0+$', '') || 'Z'"
            ).format(place)
            + name
        )
    if column.base_type == "numeric":
        return sql.SQL("trim_scale({})").format(place) + name
    if column.base_type == "boolean":
        return (
            sql.SQL("case {} when true then 'true' when false then 'false' end").format(place)
            + name
        )
    if column.base_type in ("text", "character varying", "jsonb", "json"):
        value = sql.SQL("{}::text").format(place)
        return (
            sql.SQL("case when {v} ~ {f} and {v} !~ {n} then '''' || {v} else {v} end").format(
                v=value, f=sql.Literal(FORMULA), n=sql.Literal(NUMBER)
            )
            + name
        )
    return place + name


def _body(cursor: Cursor, question: Question, known: dict[str, Column]) -> sql.Composable:
    conditions: list[sql.Composable] = []

    def add(column: str, value: Any) -> None:
        conditions.append(_place(known[column]) + sql.SQL(" = ") + sql.Literal(value))

    month = question.period_month
    if month is not None:
        add("period_month", month)
        if "started_at" in known:
            # Usage is kept by month of its start: a period ends before the end of the next month.
            end = (month.replace(day=1) + timedelta(days=62)).replace(day=1)
            conditions += [
                sql.SQL("fact.started_at >= {}::timestamptz").format(
                    sql.Literal(f"{month - timedelta(days=1)} 00:00+00")
                ),
                sql.SQL("fact.started_at < {}::timestamptz").format(
                    sql.Literal(f"{end + timedelta(days=1)} 00:00+00")
                ),
            ]
    if question.usage_type:
        add("usage_type", question.usage_type)
    if question.state:
        add("state", question.state)
    for what, column, relation, value in (
        ("account", "account_code", "dim_account", question.account),
        ("carrier", "carrier_code", "dim_source", question.carrier),
        ("source", "source_code", "dim_source", question.source),
    ):
        if value:
            cursor.execute(
                sql.SQL(
                    "select distinct {c} from marts.{r} where {c} is not null order by 1"
                ).format(c=sql.Identifier(column), r=sql.Identifier(relation))
            )
            require_one_of(what, value, tuple(row[0] for row in cursor.fetchall()))
            add(column, value)
    if question.rules is not None:
        types = {name: column.base_type for name, column in known.items()}
        places = {name: _place(column) for name, column in known.items()}
        unmasked = question.unmasked
        conditions.append(condition(cursor, question.rules, types, places, unmasked=unmasked))
    where = sql.SQL("\nwhere\n    ") if conditions else sql.SQL("")
    return (
        sql.SQL("\nfrom marts.{} as fact" + _JOINS.rstrip()).format(
            sql.Identifier(question.mart.relation)
        )
        + where
        + sql.SQL("\n    and ").join(conditions)
    )
