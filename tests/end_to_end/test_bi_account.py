"""Customers see their own rows and no others, masked or whole; and the same totals as we do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from psycopg2.errors import InsufficientPrivilege, ObjectNotInPrerequisiteState

from tests.end_to_end.conftest import Month

_OWN = ("own_account", "own_charge", "own_invoice", "own_invoice_line", "own_service", "own_usage")


@pytest.fixture
def cursor(month: Month) -> Iterator[Any]:
    """A superuser of the shared month whose changes, roles included, are taken back."""
    with closing(psycopg2.connect(month.warehouse.url)) as session, session.cursor() as cursor:
        for role in ("bi_t_one", "bi_t_two", "bi_t_none"):
            cursor.execute(f"create role {role} in role bi_account")
        yield cursor
        session.rollback()


@pytest.fixture
def accounts(cursor: Any) -> tuple[int, int]:
    """The two accounts with most usage: bi_t_one sees the first, bi_t_two both and numbers."""
    cursor.execute(
        "select account_id from marts.fct_rated_usage where state = 'billed' "
        "group by 1 order by count(*) desc, 1 limit 2"
    )
    first, second = (row[0] for row in cursor.fetchall())
    cursor.execute(
        "insert into control.account_reader (login_name, account_id, sees_personal_data) values "
        "('bi_t_one', %s, false), ('bi_t_two', %s, true), ('bi_t_two', %s, true)",
        (first, first, second),
    )
    return first, second


def _ask(cursor: Any, role: str, statement: str, **values: Any) -> list[tuple]:
    cursor.execute(f"set local role {role}")
    cursor.execute(statement, values)
    rows = cursor.fetchall()
    cursor.execute("reset role")
    return rows


def _refused(cursor: Any, role: str, statement: str) -> bool:
    cursor.execute("savepoint before")
    cursor.execute(f"set local role {role}")
    try:
        cursor.execute(statement)
        return False
    except (InsufficientPrivilege, ObjectNotInPrerequisiteState):  # the latter: no view to update
        return True
    finally:
        cursor.execute("rollback to savepoint before")


def test_each_reader_sees_own_accounts(cursor: Any, accounts: tuple[int, int]) -> None:
    for view in _OWN:
        seen = f"select distinct account_id from marts_account.{view} order by 1"
        assert _ask(cursor, "bi_t_one", seen) == [(accounts[0],)], view
        assert {row[0] for row in _ask(cursor, "bi_t_two", seen)} == set(accounts), view
        assert _ask(cursor, "bi_t_none", seen) == [], view
        # The role itself is nobody, and who may see all sees nothing here by that.
        assert _ask(cursor, "bi_account", seen) == [], view


def test_nothing_else_can_be_read_or_changed(cursor: Any, accounts: tuple[int, int]) -> None:
    cursor.execute(
        "select format('%I.%I', n.nspname, c.relname) from pg_class as c "
        "inner join pg_namespace as n on c.relnamespace = n.oid "
        "where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in "
        "('pg_catalog', 'information_schema', 'pg_toast', 'marts_account') order by 1"
    )
    others = [row[0] for row in cursor.fetchall()]
    assert {"marts.fct_rated_usage", "rating.rated_usage", "control.account_reader"} <= set(others)
    assert [name for name in others if not _refused(cursor, "bi_t_one", f"table {name}")] == []
    for statement in (
        "insert into control.account_reader (login_name, account_id) values ('bi_t_one', 2)",
        "update marts_account.own_account set account_id = account_id",
        "delete from marts_account.own_usage",
        "create table marts_account.mine (n integer)",
        "select control.settle_reader('bi_t_one')",
        "alter view marts_account.own_usage reset (security_barrier)",
    ):
        assert _refused(cursor, "bi_t_one", statement), statement
    # Nothing that runs with its owner's rights could be asked instead.
    cursor.execute(
        "select p.oid::regprocedure::text from pg_proc as p "
        "where p.prosecdef and p.prorettype <> 'trigger'::regtype "
        "and has_function_privilege('bi_t_one', p.oid, 'execute')"
    )
    assert cursor.fetchall() == []
    cursor.execute(
        "select rolname from pg_roles where rolname not in ('bi_t_one', 'bi_account') "
        "and pg_has_role('bi_t_one', oid, 'member')"
    )
    assert cursor.fetchall() == []


def test_a_condition_of_the_reader_is_not_asked_about_other_rows(
    cursor: Any, accounts: tuple[int, int]
) -> None:
    """A cheap function that tells what it is given: without security_barrier it comes first."""
    cursor.execute("set local role bi_t_one")
    cursor.execute(
        "create function pg_temp.tell(account bigint) returns boolean language plpgsql "
        "cost 0.0000001 as $$begin raise notice 'account %', account; return true; end$$"
    )
    # No index that would choose the rows first.
    cursor.execute("set local enable_indexscan = off")
    cursor.execute("set local enable_bitmapscan = off")
    for view in _OWN:
        del cursor.connection.notices[:]
        cursor.execute(f"select count(*) from marts_account.{view} where pg_temp.tell(account_id)")
        told = set(cursor.connection.notices)
        assert len(told) == 1, view
        assert f"account {accounts[0]}\n" in next(iter(told)), view


@pytest.mark.parametrize(
    ("role", "usage"),
    [
        ("bi_t_one", "marts_account.own_usage where"),
        ("bi_reader", "marts.fct_rated_usage where account_id = 1 and"),
    ],
)
def test_a_month_of_an_account_is_found_by_index(
    cursor: Any, accounts: tuple[int, int], role: str, usage: str
) -> None:
    cursor.execute("set local enable_seqscan = off")  # few rows here
    plan = "\n".join(
        row[0]
        for row in _ask(
            cursor,
            role,
            f"explain select sum(retail_amount) from {usage} "
            "started_at >= '2026-10-01' and started_at < '2026-11-01'",
        )
    )
    assert "rated_usage_202610" in plan
    assert "rated_usage_202611" not in plan and "rated_usage_undated" not in plan
    assert "Index Cond: (account_id = " in plan


def test_numbers_and_names_are_masked_by_default(cursor: Any, accounts: tuple[int, int]) -> None:
    seen = (
        "select count(called_number), count(calling_number), count(called_number_masked) > 0, "
        "bool_and(called_number_masked like '%%****') from {} where account_id = %(account)s"
    )
    first, second = accounts
    own, all_usage = seen.format("marts_account.own_usage"), seen.format("marts.fct_rated_usage")
    assert _ask(cursor, "bi_t_one", own, account=first) == [(0, 0, True, True)]
    assert _ask(cursor, "bi_t_two", own, account=second)[0][0] > 0
    assert _ask(cursor, "bi_reader", all_usage, account=first) == [(0, 0, True, True)]
    assert _ask(cursor, "bi_unmasked", all_usage, account=first)[0][0] > 0
    # A condition on what is masked finds nothing either.
    guess = "select count(*) from marts.fct_rated_usage where called_number > 0 or rated_number > 0"
    assert _ask(cursor, "bi_reader", guess) == [(0,)]

    name = "select customer_name from {} where account_id = %(account)s"
    whole = _ask(cursor, "bi_unmasked", name.format("marts.dim_account"), account=first)
    assert whole != _ask(cursor, "bi_reader", name.format("marts.dim_account"), account=first)
    assert whole == _ask(
        cursor, "bi_t_one", name.format("marts_account.own_account"), account=first
    )


def test_customer_and_admin_and_invoice_agree(cursor: Any, accounts: tuple[int, int]) -> None:
    """For every account: one mart feeds what the customer sees, what we see and the invoice."""
    cursor.execute(
        "insert into control.account_reader select 'bi_t_none', account_id "
        "from marts.dim_account where account_id <> 0"
    )
    by_account = (
        "select account_id, period_month, currency_code, {counted}, sum({amount}) from {relation} "
        "{where} group by 1, 2, 3 order by 1, 2, 3"
    )
    billed = {"counted": "count(*)", "amount": "retail_amount", "where": "where state = 'billed'"}
    customer = _ask(
        cursor, "bi_t_none", by_account.format(relation="marts_account.own_usage", **billed)
    )
    ours = _ask(
        cursor,
        "bi_reader",
        by_account.format(
            relation="marts.fct_rated_usage",
            **billed | {"where": "where state = 'billed' and account_id <> 0"},
        ),
    )
    assert customer == ours
    assert len(customer) > 50

    usage = {
        "counted": "sum(record_count)",
        "amount": "line_amount",
        "where": "where line_kind = 'usage'",
    }
    invoiced = _ask(
        cursor, "bi_reader", by_account.format(relation="marts.fct_invoice_line", **usage)
    )
    assert [row[:4] for row in invoiced] == [
        row[:4] for row in customer if row[1] == invoiced[0][1]
    ]

    lines = {"counted": "count(*)", "amount": "line_amount", "where": ""}
    own_lines = _ask(
        cursor, "bi_t_none", by_account.format(relation="marts_account.own_invoice_line", **lines)
    )
    totals = "select account_id, period_month, currency_code, line_count, invoice_total from {} {}"
    for role, relation, where in (
        ("bi_t_none", "marts_account.own_invoice", ""),
        ("bi_reader", "marts.fct_invoice", "where hold_reason is null"),
    ):
        assert own_lines == _ask(
            cursor, role, totals.format(relation, where + " order by 1, 2, 3")
        ), relation
