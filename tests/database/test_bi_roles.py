"""Logins of BI tools: what limits they start with, and what they may become."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2.errors import InsufficientPrivilege, QueryCanceled, ReadOnlySqlTransaction

from loaders.database import connect
from loaders.settings import connection_parameters


@pytest.fixture(scope="module")
def login(module_database: str) -> Iterator[tuple[str, dict[str, str]]]:
    """A login of bi_reader as docs/bi.md says to make one; how to connect as it."""
    name, password = f"bi_t_{secrets.token_hex(4)}", secrets.token_hex(8)
    with closing(connect(url=module_database)) as session, session.cursor() as cursor:
        cursor.execute(f"create role {name} login password '{password}' in role bi_reader")
        cursor.execute("select control.settle_reader(%s)", (name,))
        session.commit()
        yield name, connection_parameters(module_database) | {"user": name, "password": password}
        cursor.execute(f"drop role {name}")
        session.commit()


def test_a_login_starts_with_limits(login: tuple[str, dict[str, str]]) -> None:
    with closing(psycopg2.connect(**login[1])) as session, session.cursor() as cursor:
        for setting, value in (
            ("default_transaction_read_only", "on"), ("statement_timeout", "1min"),
            ("work_mem", "64MB"), ("idle_in_transaction_session_timeout", "5min"),
            ("timezone", "UTC"),
        ):  # fmt: skip
            cursor.execute(f"show {setting}")
            assert cursor.fetchone() == (value,), setting
        with pytest.raises(ReadOnlySqlTransaction):
            cursor.execute("create temporary table mine (n integer)")
        session.rollback()
        cursor.execute("set local statement_timeout = '50ms'")
        with pytest.raises(QueryCanceled):
            cursor.execute("select pg_sleep(5)")


@pytest.mark.parametrize(
    "role", ["bi_unmasked", "bi_account", "ratehouse_transformer", "ratehouse_owner"]
)
def test_a_login_becomes_nobody_else(login: tuple[str, dict[str, str]], role: str) -> None:
    with (
        closing(psycopg2.connect(**login[1])) as session,
        session.cursor() as cursor,
        pytest.raises(InsufficientPrivilege),
    ):
        cursor.execute(f"set role {role}")


def test_who_sees_which_account_is_for_the_owner_to_say(module_database: str) -> None:
    grant = "insert into control.account_reader (login_name, account_id) values ('x', 1)"
    for role in ("ratehouse_loader", "ratehouse_transformer", "bi_reader", "bi_account"):
        with (
            closing(connect(role, module_database)) as session,
            session.cursor() as cursor,
            pytest.raises(InsufficientPrivilege),
        ):
            cursor.execute(grant)
    with closing(connect("ratehouse_owner", module_database)) as session:
        session.cursor().execute(grant)
        session.rollback()
