"""History cannot be changed, whoever tries; and each role sees what it is for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.errors import InsufficientPrivilege, RestrictViolation

from loaders.database import connect
from loaders.errors import DatabaseUnavailable

# None: the user of the connection, a superuser on the test server.
ROLES = (None, "ratehouse_owner", "ratehouse_loader", "ratehouse_transformer", "bi_reader")
LANDING = ("asterisk_cdr", "mapped_usage", "carrier_charge", "non_data_line", "quarantine")
REFERENCE = {
    "source": {
        "source_id": 1, "source_code": "another", "carrier_code": "c",
        "file_kind": "cdr", "layout_code": "asterisk_cdr",
    },
    "account": {"account_id": 1, "account_code": "a", "customer_name": "A"},
    "service": {"service_id": 1, "service_code": "s", "account_code": "a"},
    "service_identifier": {
        "service_code": "s", "identifier_kind": "number", "identifier_value": "12025550100",
    },
    "plan": {"plan_id": 1, "plan_code": "p", "plan_name": "P", "deck_code": "d"},
    "deck": {
        "deck_id": 1, "deck_code": "d", "deck_name": "D", "side": "retail",
        "currency_code": "USD",
    },
    "rate": {"deck_code": "d", "prefix": "1", "price_per_minute": "0.01"},
    "calendar": {"calendar_code": "c", "time_zone": "Europe/London"},
    "calendar_day": {"calendar_code": "c", "calendar_date": "2026-12-25"},
    "time_band": {"deck_code": "d", "band_code": "peak"},
    "band_rate": {
        "deck_code": "d", "prefix": "1", "band_code": "peak", "price_per_minute": "0.02",
    },
    "rate_step": {
        "deck_code": "d", "prefix": "1", "from_second": 60, "price_per_minute": "0.02",
    },
    "tier_schedule": {"schedule_code": "t", "schedule_name": "T", "pricing": "graduated"},
    "tier": {"schedule_code": "t", "above": 0, "unit_price": "0.02"},
    "volume_price": {"volume_code": "v", "volume_name": "V", "schedule_code": "t"},
    "destination_group": {"destination_group_code": "g", "prefix": "1"},
    "allowance": {"allowance_code": "a", "allowance_name": "A", "unit": "calls", "size": 1},
    "allowance_rule": {"allowance_code": "a"},
    "allowance_pool": {"pool_code": "p", "member_kind": "account", "member_code": "a"},
    "allowance_purchase": {"purchase_code": "b", "allowance_code": "a", "account_code": "a"},
    "spend_limit": {"limit_code": "l", "limit_name": "L", "limit_rule": "minimum", "amount": 1},
    "collector": {
        "collector_code": "c", "protocol": "folder", "directory": "/srv/outbox",
        "rules": '[{"name": "*.csv"}]',
    },
    "fraud_range": {"prefix": "252", "range_name": "R", "list_name": "L"},
    "spend_alarm": {"account_code": "*", "per_period": "day", "amount": 1},
    "confirmed_fraud": {"case_code": "f", "account_code": "a", "description": "D"},
    "npa": {"npa": 202, "usage_class": "geographic", "is_in_service": True},
    "npanxx": {"npanxx": 202555, "state_code": "DC", "is_in_service": True},
    "charge_tariff": {
        "charge_tariff_code": "t", "product_code": "x", "product_name": "X",
        "price_mode": "pass_through",
    },
}  # fmt: skip
# Statement-level guards: they speak before a row is looked for.
HISTORY = (
    *(f"landing.{name}" for name in LANDING),
    "control.event",
    "control.reference_load",
    "control.collection",
    "control.collected_file",
    "control.alert_scan",
    "control.alert",
    "control.mail_alert",
    "control.invoice_approval",
    "control.closed_period",
    "control.duration_correction",
    "control.deck_choice",
    "ledger.posting",
    "ledger.invoice",
    "ledger.invoice_line",
    "ledger.carried_line",
    "ledger.issued_number",
)
NEVER_DELETED = (
    *(f"reference.{name}" for name in REFERENCE),
    "control.file",
    "control.rating_run",
    "ledger.number_sequence",
)


@pytest.fixture(scope="module")
def url(module_database: str) -> Iterator[str]:
    """A database with one row of everything, and a mart as dbt would make it."""
    with closing(connect(url=module_database)) as session, session, session.cursor() as cursor:
        for kind, key in (("account", "a"), ("service", "s"), ("plan", "p"), ("deck", "d")):
            cursor.execute(
                f"insert into reference.{kind}_key ({kind}_id, {kind}_code) "
                "overriding system value values (1, %s)",
                (key,),
            )
        for kind, values in REFERENCE.items():
            insert(cursor, f"reference.{kind}", values)
        for name in LANDING:
            extra = {
                "non_data_line": {"kind": "blank", "raw_line": ""},
                "quarantine": {
                    "reason_code": "nul_byte", "reason": "r", "raw_bytes": b"", "raw_length": 0,
                },
            }  # fmt: skip
            insert(cursor, f"landing.{name}", {"file_id": 1, "line_no": 1} | extra.get(name, {}))
        insert(cursor, "control.event", {"subject": "database", "event": "test"})
        cursor.execute("set role ratehouse_transformer")
        cursor.execute("create table marts.fct_sample as select 1 as n")
        cursor.execute("grant select on marts.fct_sample to bi_reader")
    yield module_database


def insert(cursor: psycopg2.extensions.cursor, table: str, values: dict[str, object]) -> None:
    statement = sql.SQL("insert into {} ({}) values ({})").format(
        sql.Identifier(*table.split(".")),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(sql.Placeholder() * len(values)),
    )
    cursor.execute(statement, list(values.values()))


def refuse(url: str, role: str | None, statement: str) -> None:
    """The statement fails, by the guard for those who hold the right, by the right otherwise."""
    expected = (
        RestrictViolation
        if role in (None, "ratehouse_owner")
        else (RestrictViolation, InsufficientPrivilege)
    )
    with (
        closing(connect(role, url)) as session,
        session.cursor() as cursor,
        pytest.raises(expected),
    ):
        cursor.execute(statement)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("table", HISTORY)
def test_history_is_refused_every_change(url: str, table: str, role: str | None) -> None:
    with closing(connect(url=url)) as session, session.cursor() as cursor:
        cursor.execute(
            "select attname from pg_attribute where attrelid = %s::regclass "
            "and attnum > 0 and attidentity = '' limit 1",
            (table,),
        )
        column = cursor.fetchone()[0]
    refuse(url, role, f"update {table} set {column} = {column}")
    refuse(url, role, f"delete from {table}")
    refuse(url, role, f"truncate {table} cascade")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("table", NEVER_DELETED)
def test_registers_and_reference_rows_are_never_deleted(
    url: str, table: str, role: str | None
) -> None:
    refuse(url, role, f"delete from {table}")
    refuse(url, role, f"truncate {table} cascade")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", REFERENCE)
def test_a_reference_row_is_never_rewritten(url: str, kind: str, role: str | None) -> None:
    column = next(iter(REFERENCE[kind]))
    refuse(url, role, f"update reference.{kind} set {column} = {column}")
    refuse(url, role, f"update reference.{kind} set valid_to = '2020-01-01'")
    refuse(
        url,
        role,
        f"update reference.{kind} set recorded_to = clock_timestamp(), valid_from = '2020-01-01'",
    )


@pytest.mark.parametrize("kind", REFERENCE)
def test_the_loader_closes_what_was_recorded_once(url: str, kind: str) -> None:
    with closing(connect("ratehouse_loader", url)) as session, session.cursor() as cursor:
        cursor.execute(f"update reference.{kind} set recorded_to = clock_timestamp()")
        assert cursor.rowcount >= 1
        with pytest.raises(RestrictViolation, match="only its recorded_to may be closed, once"):
            cursor.execute(f"update reference.{kind} set recorded_to = 'infinity'")
        session.rollback()


def test_the_message_names_operation_and_table(url: str) -> None:
    with (
        closing(connect(url=url)) as session,
        session.cursor() as cursor,
        pytest.raises(RestrictViolation, match=r"DELETE on landing\.quarantine is refused"),
    ):
        cursor.execute("delete from landing.quarantine")


def test_bi_reader_reads_marts_and_nothing_else(url: str) -> None:
    with closing(connect(url=url)) as session, session.cursor() as cursor:
        cursor.execute(
            "select format('%I.%I', n.nspname, c.relname) from pg_class as c "
            "join pg_namespace as n on n.oid = c.relnamespace "
            "where c.relkind in ('r', 'v', 'm', 'p') "
            "and n.nspname not in ('marts', 'pg_catalog', 'information_schema', 'pg_toast')"
        )
        closed = [name for (name,) in cursor.fetchall()]
    schemas = {name.split(".")[0] for name in closed}
    assert {"control", "landing", "reference", "ledger", "migration"} <= schemas
    with closing(connect("bi_reader", url)) as session, session.cursor() as cursor:
        cursor.execute("select n from marts.fct_sample")
        assert cursor.fetchall() == [(1,)]
        session.commit()
        for table in closed:
            with pytest.raises(InsufficientPrivilege):
                cursor.execute(f"select 1 from {table}")
            session.rollback()
        for statement in (
            "insert into marts.fct_sample values (2)",
            "create table marts.mine (n int)",
            "create table public.mine (n int)",
            "create schema mine",
            "set role ratehouse_loader",
        ):
            # SET ROLE looks at the user of the session: only a real login shows its refusal.
            if statement.startswith("set role"):
                cursor.execute("select pg_has_role('bi_reader', 'ratehouse_loader', 'SET')")
                assert cursor.fetchone() == (False,)
                continue
            with pytest.raises(InsufficientPrivilege):
                cursor.execute(statement)
            session.rollback()


def test_the_loader_lands_and_the_transformer_only_reads(url: str) -> None:
    with closing(connect("ratehouse_loader", url)) as session, session.cursor() as cursor:
        insert(cursor, "landing.mapped_usage", {"file_id": 2, "line_no": 1})
        insert(cursor, "control.event", {"subject": "file", "event": "landed"})
        session.rollback()
    with closing(connect("ratehouse_transformer", url)) as session, session.cursor() as cursor:
        cursor.execute("select count(*) from landing.mapped_usage")
        for statement in (
            "insert into landing.mapped_usage (file_id, line_no) values (2, 1)",
            "insert into control.event (subject, event) values ('file', 'landed')",
            "insert into ledger.number_sequence values ('main', 1)",
            "update control.file set status = 'landed'",
        ):
            session.rollback()
            with pytest.raises(InsufficientPrivilege):
                cursor.execute(statement)


def test_a_role_that_is_not_there_is_told(url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="has no role ratehouse_ghost: it was not set up"):
        connect("ratehouse_ghost", url)


def test_events_keep_who_and_when(url: str) -> None:
    with closing(connect("ratehouse_loader", url)) as session, session.cursor() as cursor:
        insert(
            cursor,
            "control.event",
            {"subject": "file", "event": "held", "detail": json.dumps({"why": "test"})},
        )
        cursor.execute(
            "select actor = session_user, occurred_at between now() and clock_timestamp() "
            "from control.event order by event_id desc limit 1"
        )
        assert cursor.fetchone() == (True, True)
