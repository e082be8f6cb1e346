"""Each rule goes red on made-up SQL that breaks it, and stays green beside it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scale.compare import pulled
from tests.scale.rules import Node, check

_COLUMNS = {
    "account_id": {"data_type": "bigint", "constraints": [{"type": "not_null"}]},
    "usage_id": {"data_type": "bigint"},
}


def fact(name: str = "usage", **changes: Any) -> Node:
    given = {"schema": "rating", "distribution": "account_id", "columns": _COLUMNS} | changes
    return Node(name, "model", "run_fact", **given)


def view(sql: str, name: str = "a_view", *, feeds: bool = True, **changes: Any) -> Node:
    given = {"schema": "rating", "parents": frozenset({"usage", "total"})} | changes
    return Node(name, "model", "view", sql=sql, feeds_a_fact=feeds, **given)


def broken(*nodes: Node, migrations: dict[str, str] | None = None) -> list[tuple[int, str]]:
    found = check([fact(), fact("total"), *nodes], migrations)
    return sorted({(violation.rule, violation.node) for violation in found})


USAGE = 'select * from "w"."rating"."usage"'


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"distribution": "local"}, 1),
        ({"columns": {"usage_id": {"data_type": "bigint"}}}, 1),
        ({"columns": {"account_id": {"data_type": "integer", "constraints": []}}}, 1),
        ({"columns": {"account_id": {"data_type": "bigint", "constraints": []}}}, 1),
        ({"constraints": [{"type": "primary_key", "columns": ["usage_id"]}]}, 2),
        ({"indexes": [{"columns": ["usage_id"], "unique": True}]}, 2),
        ({"unique_keys": [["usage_id"]]}, 2),
        (
            {"columns": _COLUMNS | {"usage_id": {"constraints": [{"type": "unique"}]}}},
            2,
        ),
        (
            {"columns": _COLUMNS | {"plan_id": {"constraints": [{"type": "foreign_key"}]}}},
            3,
        ),
        ({"constraints": [{"type": "foreign_key", "columns": ["account_id"]}]}, 3),
    ],
)
def test_settings_of_a_fact(changes: dict[str, Any], rule: int) -> None:
    assert broken(fact("other", **changes)) == [(rule, "other")]


def test_keys_with_the_account_pass() -> None:
    keys = {
        "constraints": [{"type": "primary_key", "columns": ["account_id", "usage_id"]}],
        "indexes": [{"columns": ["account_id", "usage_id"], "unique": True}, {"columns": ["a"]}],
        "unique_keys": [["account_id", "usage_id"]],
    }
    assert broken(fact("other", **keys)) == []


def test_reference_data_have_a_copy_everywhere_and_work_tables_none() -> None:
    lookup = Node("rates", "model", "reference_lookup", distribution="local")
    seed = Node("words", "seed", "seed", distribution="reference")
    work = Node("work", "model", "work_table", distribution="reference")
    assert broken(lookup, seed, work) == [(3, "rates"), (5, "work")]


JOINED = (
    'select u.account_id, u.usage_id from "w"."rating"."usage" as u '
    'inner join "w"."rating"."total" as t on u.usage_id = t.usage_id '
)


@pytest.mark.parametrize(
    "sql",
    [
        JOINED,
        # the account of a server of one's own is not that of a fact
        JOINED + " and u.account_id = 7",
        JOINED.replace("on u.usage_id = t.usage_id", "using (usage_id)"),
        # an account that hangs on a condition is no key
        JOINED + " and (u.account_id = t.account_id or u.usage_id = 0)",
        f"with a as ({USAGE}) select a.account_id from a "
        'inner join "w"."rating"."total" as t on a.usage_id = t.account_id',
        'select u.account_id from "w"."rating"."usage" as u where exists '
        '(select 1 from "w"."rating"."total" as t where t.usage_id = u.usage_id)',
        'select usage_id, count(*) from "w"."rating"."usage" group by usage_id',
        'select distinct usage_id from "w"."rating"."usage"',
        'select account_id, row_number() over (partition by usage_id) from "w"."rating"."usage"',
    ],
)
def test_rule_2_statements(sql: str) -> None:
    assert broken(view(sql)) == [(2, "a_view")]


@pytest.mark.parametrize(
    "sql",
    [
        JOINED + " and u.account_id = t.account_id",
        JOINED + " where t.account_id = u.account_id and u.usage_id > 0",
        JOINED.replace("on u.usage_id = t.usage_id", "using (account_id, usage_id)"),
        # by way of a third
        JOINED.replace(" inner", ' inner join "w"."rating"."usage" as v using (account_id) inner')
        + " and v.account_id = t.account_id",
        'select u.account_id from "w"."rating"."usage" as u where exists '
        '(select 1 from "w"."rating"."total" as t where t.account_id = u.account_id)',
        'select account_id, count(*) from "w"."rating"."usage" group by account_id',
        'select account_id, sum(1) over (partition by account_id) from "w"."rating"."usage"',
        # of one fact with what the coordinator holds
        'select u.account_id from "w"."rating"."usage" as u inner join "w"."control"."run" as r '
        "on u.usage_id = r.run_id",
    ],
)
def test_rule_2_keeps_still(sql: str) -> None:
    assert broken(view(sql)) == []


def test_reports_may_add_up_accounts_but_not_join_without_them() -> None:
    assert broken(view("select count(*) from " + USAGE[14:], feeds=False)) == []
    assert broken(view(JOINED, feeds=False)) == [(2, "a_view")]


def test_what_a_view_carries_is_known_to_those_who_read_it() -> None:
    through = view(JOINED.replace('"usage" as u', '"a_view" as u'), "reader")
    assert broken(view(USAGE), through) == [(2, "reader")]


@pytest.mark.parametrize(
    "sql",
    [
        f"with a as ({USAGE}) select x.account_id from a as x "
        "inner join a as y on x.account_id = y.account_id",
        "with recursive a as (select account_id, usage_id from "
        '"w"."rating"."usage" union all select account_id, usage_id from '
        '"w"."rating"."total") select account_id from a',
        'select account_id, count(*) from "w"."rating"."usage" group by rollup (account_id)',
        'select account_id, count(*) from "w"."rating"."usage" '
        "group by grouping sets ((account_id), ())",
        USAGE + " for update",
    ],
)
def test_rule_4_statements(sql: str) -> None:
    assert (4, "a_view") in broken(view(sql, feeds=False))


def test_rule_4_sums_may_be_used_twice() -> None:
    sums = "with a as (select count(*) as n from " + USAGE[14:] + ") select 1 from a as x, a as y"
    assert broken(view(sums, feeds=False)) == []


def test_rule_4_triggers() -> None:
    trigger = "create trigger t before update or delete\non rating.usage for each row execute f();"
    assert broken(migrations={"0001": trigger}) == [(4, "0001")]
    assert broken(migrations={"0001": trigger.replace("rating.usage", "control.file")}) == []


@pytest.mark.parametrize(
    "sql",
    [
        "create table x as select 1 as a",
        "create temporary table x on commit drop as select 1 as a",
        "select nextval('numbers') as a",
        "select pg_advisory_xact_lock(1) as a",
    ],
)
def test_rule_5(sql: str) -> None:
    # dbt's own: a model is one select; others get in by macros and hooks
    node = Node("a_table", "model", "work_table", raw=sql, distribution="local")
    assert broken(node) == [(5, "a_table")]


def test_rule_6_readers_stand_before_or_behind_the_writer() -> None:
    beside = view(USAGE, parents=frozenset())
    before = view(USAGE, "history", parents=frozenset())
    assert broken(beside) == [(6, "a_view")]
    assert broken(before, fact("later", parents=frozenset({"history"}))) == [(6, "history")]
    writer = fact("usage", parents=frozenset({"history"}))
    assert [v.rule for v in check([writer, before])] == []


SUBPLAN = """
Custom Scan (Citus Adaptive)
  ->  Distributed Subplan 12_1
        ->  Custom Scan (Citus Adaptive)
              Task Count: 32
              Tasks Shown: One of 32
              ->  Task
                    Node: host=worker port=5432 dbname=ratehouse
                    ->  {}Seq Scan on rated_usage_202610_102104 rated_usage
  Task Count: 1
"""


def test_a_plan_that_pulls_a_fact_is_seen() -> None:
    assert [p.fact for p in pulled(SUBPLAN.format(""))] == ["rated_usage"]
    summed = "HashAggregate\n                          ->  "
    assert pulled(SUBPLAN.format(summed)) == []
    assert pulled(SUBPLAN.format("").replace("Task Count: 32", "Task Count: 1")) == []
    assert pulled("  INSERT/SELECT method: pull to coordinator") != []
