"""The role of BI tools reads every mart and nothing else."""

from __future__ import annotations

import json

import psycopg2
import pytest
from psycopg2 import sql

from orchestration.lib.manifest import ensure_manifest
from tests.end_to_end.conftest import Month

_SYSTEM = "('pg_catalog', 'information_schema', 'pg_toast')"


def _marts(month: Month) -> set[str]:
    manifest = json.loads(ensure_manifest().read_text())
    return {
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] == "marts"
    }


def _refusal(
    month: Month, statement: sql.Composable, role: str = "bi_reader"
) -> str | None:
    """What the server says to bi_reader; None if it obeys."""
    session = psycopg2.connect(month.warehouse.url)
    try:
        with session.cursor() as cursor:
            cursor.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            cursor.execute(statement)
    except psycopg2.errors.InsufficientPrivilege as error:
        return str(error)
    finally:
        session.close()
    return None


def _relations(month: Month, condition: str) -> list[tuple[str, str]]:
    return month.warehouse.rows(
        "select n.nspname, c.relname from pg_class as c "
        "inner join pg_namespace as n on c.relnamespace = n.oid "
        f"where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in {_SYSTEM} "
        f"and {condition} order by 1, 2"
    )


# What was posted, and reports of what is wrong or missing: a drafted month may have nothing of it.
_MAY_BE_EMPTY = {
    "fct_ledger_invoice", "fct_ledger_line", "rpt_account_balance", "rpt_alert",
    "rpt_carrier_reconciliation", "rpt_carrier_reconciliation_call",
    "rpt_charge_absent", "rpt_charge_exception", "rpt_charge_overlap", "rpt_ledger__charge",
    "rpt_ledger__usage", "rpt_missing_file", "rpt_pre_rated", "rpt_rerated_usage",
    "rpt_source_health",
}  # fmt: skip

# Raw lines and numbers, whole.
_UNMASKED = {"rpt_explain__record", "rpt_explain__usage", "rpt_rerated_usage"}


def test_every_mart_is_readable_and_filled(month: Month) -> None:
    marts = _marts(month)
    assert {"fct_rated_usage", "fct_invoice_line", "rpt_reconciliation__file"} <= marts
    assert {name for _, name in _relations(month, "n.nspname = 'marts'")} == marts
    for name in sorted(marts):
        statement = sql.SQL("select * from {} limit 1").format(sql.Identifier("marts", name))
        assert _refusal(month, statement, "bi_unmasked") is None, name
        assert (_refusal(month, statement) is None) == (name not in _UNMASKED), name
        if name not in _MAY_BE_EMPTY:
            assert month.warehouse.value(f"select count(*) > 0 from marts.{name}"), name


def test_nothing_else_is_readable(month: Month) -> None:
    others = _relations(month, "n.nspname <> 'marts'")
    schemas = {schema for schema, _ in others}
    assert {"landing", "control", "reference", "ledger", "rating", "billing", "usage"} <= schemas
    for schema, name in others:
        statement = sql.SQL("select from {} limit 1").format(sql.Identifier(schema, name))
        assert "permission denied" in (_refusal(month, statement) or ""), f"{schema}.{name}"


@pytest.mark.parametrize("statement", ["create table marts.mine (a integer)", "create schema mine"])
def test_nothing_can_be_made(month: Month, statement: str) -> None:
    assert "permission denied" in (_refusal(month, sql.SQL(statement)) or "")


@pytest.mark.parametrize("role", ["bi_reader", "bi_unmasked", "bi_account"])
def test_nothing_is_writable(month: Month, role: str) -> None:
    writable = _relations(
        month,
        f"has_table_privilege('{role}', c.oid, 'insert, update, delete, truncate, references')",
    )
    assert writable == []


def test_bi_reader_can_become_no_other_role(month: Month) -> None:
    reachable = month.warehouse.rows(
        "select rolname from pg_roles where rolname <> 'bi_reader' "
        "and pg_has_role('bi_reader', oid, 'MEMBER')"
    )
    assert reachable == []
