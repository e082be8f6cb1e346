"""Conditions an analyst puts together: rules on any column, in groups of all or any, nested.

    ["retail_amount", ">", 1]
    {"all": [["direction", "=", "outbound"], {"any": [["charge_class", "=", "international"],
        ["called_number", "starts with", "44"]]}]}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from loaders.export.question import ExportRefused, require_one_of

OPERATORS = (
    "=", "!=", "<", "<=", ">", ">=", "in", "not in", "starts with", "contains", "is empty",
    "is not empty",
)  # fmt: skip
# What marts.fct_rated_usage shows to members of bi_unmasked only.
PERSONAL = ("calling_number", "called_number", "rated_number", "cost_rated_number")
_GROUPS = {"all": " and ", "any": " or "}
_MAXIMUM_DEPTH = 10
_MAXIMUM_RULES = 200
_FORM = (
    'a condition is [column, operator, value] or {"all": [...]} or {"any": [...]}, as '
    '{"any": [["state", "=", "error"], ["retail_amount", ">", 1]]}'
)


def read_rules(text: str) -> Any:
    """The JSON of a condition; refused where its form is wrong."""
    try:
        rules = json.loads(text, parse_float=str)
    except json.JSONDecodeError as error:
        raise ExportRefused(
            f"the condition is no JSON ({error.msg} at character {error.pos + 1}); {_FORM}"
        ) from error
    if _check(rules, 1) > _MAXIMUM_RULES:
        raise ExportRefused(f"a condition has at most {_MAXIMUM_RULES} rules")
    return rules


def _check(rule: Any, depth: int) -> int:
    if depth > _MAXIMUM_DEPTH:
        raise ExportRefused(f"groups stand in each other at most {_MAXIMUM_DEPTH} deep")
    if isinstance(rule, dict) and len(rule) == 1:
        (word, members), *_ = rule.items()
        if word in _GROUPS and isinstance(members, list) and members:
            return sum(_check(member, depth + 1) for member in members)
    if isinstance(rule, list) and len(rule) in (2, 3) and all(type(w) is str for w in rule[:2]):
        require_one_of("operator", rule[1], OPERATORS)
        if ("empty" in rule[1]) is (len(rule) == 2):
            return 1
    raise ExportRefused(f"{json.dumps(rule)} is not understood: {_FORM}")


def condition(
    cursor: Cursor,
    rule: Any,
    types: Mapping[str, str],
    places: Mapping[str, sql.Composable],
    *,
    unmasked: bool,
) -> sql.Composable:
    """The condition in SQL; columns and values are checked by what the database knows."""
    if isinstance(rule, dict):
        (word, members), *_ = rule.items()
        parts = [condition(cursor, r, types, places, unmasked=unmasked) for r in members]
        return sql.SQL("(") + sql.SQL(_GROUPS[word]).join(parts) + sql.SQL(")")
    name, operator, *values = rule
    require_one_of("column", name, tuple(types))
    if name in PERSONAL and not unmasked:
        raise ExportRefused(
            f"{name} is personal data and not seen: ask for it unmasked (--unmasked), or use "
            f"{name}_masked"
        )
    place = places[name]
    if operator == "is empty":
        return sql.SQL("{} is null").format(place)
    if operator == "is not empty":
        return sql.SQL("{} is not null").format(place)
    (value,) = values
    if operator in ("starts with", "contains"):
        begins = operator == "starts with"
        form = "starts_with({}::text, {})" if begins else "strpos({}::text, {}) > 0"
        return sql.SQL(form).format(place, sql.Literal(str(value)))
    if operator in ("in", "not in"):
        if not isinstance(value, list) or not value:
            raise ExportRefused(f"{name} {operator}: a list of values is needed")
        listed = sql.SQL(", ").join(_value(cursor, name, types[name], v) for v in value)
        found = sql.SQL("{} in ({})").format(place, listed)
        # Empty is in no list.
        return found if operator == "in" else sql.SQL("({}) is not true").format(found)
    literal = _value(cursor, name, types[name], value)
    if operator == "!=":
        return sql.SQL("{} is distinct from {}").format(place, literal)
    return sql.SQL("{} " + operator + " {}").format(place, literal)


def _value(cursor: Cursor, name: str, kind: str, value: Any) -> sql.Composable:
    """A value of the column's type, or a refusal in words."""
    if isinstance(value, (dict, list)) or value is None:
        raise ExportRefused(f"{name}: {json.dumps(value)} is no value; ask `is empty` for nothing")
    text = json.dumps(value) if isinstance(value, bool) else str(value)
    literal = sql.SQL("{}::" + kind).format(sql.Literal(text))
    cursor.execute("savepoint of_a_value")
    try:
        cursor.execute(sql.SQL("select ") + literal)
    except psycopg2.DataError as error:
        cursor.execute("rollback to savepoint of_a_value")
        raise ExportRefused(f"'{text}' is no value for {name}, which is {kind}") from error
    cursor.execute("release savepoint of_a_value")
    return literal
