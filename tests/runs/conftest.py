"""A scratch database with the control tables and hand-made stand-ins for what dbt builds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest

from loaders.database import connect as connect_to

# What the runs read of dbt's relations, with the columns they read.
_STAND_INS = """
create schema if not exists marts;
create schema rating;
create schema billing;
create table marts.rpt_reconciliation__run (
    rating_run_id bigint, landed_count bigint, rated_count bigint, is_balanced boolean
);
create table marts.rpt_reconciliation__file (
    file_id bigint, data_count bigint, accounted_count bigint, is_balanced boolean
);
create table rating.current_rated_usage (
    file_id bigint, line_no bigint, leg_no integer, source_id integer, account_id bigint,
    started_at timestamptz, state text, reason text, currency_code text, at_risk_amount numeric
);
create table rating.current_rated_charge (
    file_id bigint, line_no bigint, source_id integer, account_id bigint, period_from date,
    state text, reason text, currency_code text, carrier_amount numeric
);
create table billing.draft_invoice (
    invoice_run_id bigint, account_id bigint, currency_code text, invoice_total numeric(18, 4),
    hold_reason text
);
create table billing.draft_invoice_line (
    invoice_run_id bigint, account_id bigint, line_no integer, description text,
    line_amount numeric(24, 10), currency_code text
);
"""


@pytest.fixture
def scratch_url(database: str) -> str:
    """A migrated database of this test's own, with the stand-ins."""
    session = psycopg2.connect(database)
    with session, session.cursor() as cursor:
        cursor.execute(_STAND_INS)
    session.close()
    return database


@pytest.fixture
def connect(scratch_url: str) -> Iterator[Callable[[], Any]]:
    """Connections as the runs use them, closed at the end."""
    opened: list[Any] = []

    def open_one() -> Any:
        opened.append(connect_to(url=scratch_url))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def land(connect: Callable[[], Any]) -> Callable[..., int]:
    """Register a landed file and return its id."""
    connection = connect()

    def land_one(name: str, lines: int = 3, status: str = "landed") -> int:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                """
                insert into control.file (
                    source_code, file_kind, file_name, origin, sha256, byte_count, status,
                    record_count, data_count
                )
                values ('unassigned_asterisk', 'cdr', %s, %s, encode(sha256(%s), 'hex'), 1, %s,
                    %s, %s)
                returning file_id
                """,
                (name, name, name.encode(), status, lines, lines),
            )
            return cursor.fetchone()[0]

    return land_one


@pytest.fixture
def balance(connect: Callable[[], Any]) -> Callable[..., None]:
    """Say for a run (and its files) whether their counts agree, as the marts would."""
    connection = connect()

    def set_balance(run_id: int, is_balanced: bool = True) -> None:
        with connection, connection.cursor() as cursor:
            cursor.execute("delete from marts.rpt_reconciliation__run")
            cursor.execute("delete from marts.rpt_reconciliation__file")
            cursor.execute(
                "insert into marts.rpt_reconciliation__run values (%s, 10, %s, %s)",
                (run_id, 10 if is_balanced else 9, is_balanced),
            )
            cursor.execute(
                "insert into marts.rpt_reconciliation__file "
                "select file_id, 10, %s, %s from control.rating_run_file "
                "where rating_run_id = %s",
                (10 if is_balanced else 9, is_balanced, run_id),
            )

    return set_balance
