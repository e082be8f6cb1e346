"""A shadow billing run says to the last digit what a change would do, and changes nothing."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from loaders.database import connect
from loaders.errors import RatehouseError
from loaders.runs import locks
from loaders.runs import shadow as engine
from loaders.runs.dry import DryModels
from orchestration.cli.main import app
from orchestration.lib import code_trees
from orchestration.lib.dry_models import dry_models
from orchestration.lib.shadow import Request, Result, parse_reference, rehearse
from tests.end_to_end.small import write_kind, write_small_reference
from tests.end_to_end.test_withdraw import _HEADER
from tests.end_to_end.warehouse import Warehouse

_PRICE = Decimal("0.06") / 60
# Customer and seconds of each call to a number with a price.
_CALLS = (("acme", 3605), ("acme", 60), ("acme", 1), ("beta", 61), ("beta", 120))
_MINUTES = (
    "int_rating__tariffed",
    "retail_rates.increment_seconds as retail_increment",
    "greatest(retail_rates.increment_seconds, 60) as retail_increment",
)
_SCHEMAS = "select nspname from pg_namespace where starts_with(nspname::text, 'shadow_')"
_NEVER = ("customer_percent.fail=never",)


def row(minute: int, called: str, seconds: int, key: str) -> str:
    return f"2026-10-05 10:{minute:02d}:00,12125550100,{called},{seconds},{key},\n"


@pytest.fixture(scope="module")
def billed(
    make_warehouse: Callable[[], Warehouse], tmp_path_factory: pytest.TempPathFactory
) -> Warehouse:
    """Two customers at 0.06 a minute, by the second; one call has no price, one no customer."""
    warehouse = make_warehouse()
    folder = tmp_path_factory.mktemp("shadow")
    reference = write_small_reference(folder / "reference")
    accounts = [
        {"account_code": code, "customer_name": name, "plan_code": "P"}
        for code, name in (("ACME", "<b>Acme</b> | [x](y)"), ("BETA", "Beta"))
    ]
    write_kind(reference, "account", accounts)
    keys = ("acme", "beta")
    services = [{"service_code": f"{k.upper()}-1", "account_code": k.upper()} for k in keys]
    write_kind(reference, "service", services)
    identifiers = [
        {
            "service_code": f"{key.upper()}-1",
            "identifier_kind": "account_key",
            "identifier_value": key,
        }
        for key in keys
    ]
    write_kind(reference, "service_identifier", identifiers)
    warehouse.load_reference(reference)
    path = folder / "one.csv"
    path.write_text(
        _HEADER
        + "".join(row(i, "12125550123", s, key) for i, (key, s) in enumerate(_CALLS))
        + row(20, "+33123456789", 60, "acme")
        + row(21, "12125550123", 60, "nobody")
    )
    warehouse.load(path, source_code="carrier")
    warehouse.rate()
    warehouse.bill(groups=["main"])
    return warehouse


@pytest.fixture
def at(billed: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """The warehouse of this process; the home of the session has the compiled models."""
    monkeypatch.setenv("RATEHOUSE_DATABASE_URL", billed.url)
    return billed


@pytest.fixture
def rehearsed(
    at: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Result]:
    """A function that rehearses a change of the compiled SQL: model, old text, new text."""
    monkeypatch.setattr(code_trees, "commit_of", lambda ref, root=None: "0" * 40)
    monkeypatch.setattr(code_trees, "changed_files", lambda base, proposed: [])

    def rehearse_change(*change: str, **asked: Any) -> Result:
        models = dry_models(at.url)
        proposed = edited(models, *change) if change else models
        monkeypatch.setattr(code_trees, "models_at", lambda _, ref: models if ref else proposed)
        return rehearse(
            Request("2026-10", **{"out": tmp_path / "out", "thresholds": _NEVER, **asked}),
            requested_by="tester",
        )

    return rehearse_change


def edited(models: DryModels, name: str, old: str, new: str) -> DryModels:
    def edit(part: Any) -> Any:
        return tuple(
            replace(model, sql=model.sql.replace(old, new)) if model.name == name else model
            for model in part
        )

    changed = replace(models, models=edit(models.models), billing=edit(models.billing))
    assert changed != models, f"{old} does not stand in {name}"
    return changed


def production(warehouse: Warehouse) -> tuple[Any, ...]:
    """Everything a shadow could have changed, its own register left out."""
    return (
        warehouse.rows("select * from control.fact_checksums('rating.rated_usage')"),
        warehouse.rows("select to_jsonb(l) from billing.draft_invoice_line as l order by 1"),
        warehouse.rows("select to_jsonb(r) from control.rating_run as r"),
        warehouse.rows("select to_jsonb(r) from control.invoice_run as r"),
        warehouse.rows("select count(*) from control.rating_run_record"),
        warehouse.rows("select to_jsonb(r) from reference.rate as r order by rate_id"),
        warehouse.rows("select max(reference_load_id) from control.reference_load"),
        warehouse.rows("select count(*) from control.event"),
        warehouse.rows(
            "select count(*) from pg_namespace where starts_with(nspname::text, 'shadow_')"
        ),
    )


def facts(result: Result, title: str) -> list[dict[str, Any]]:
    assert result.outcome is not None
    table = result.outcome.table(title)
    return [dict(zip(table.columns, values, strict=True)) for values in table.rows]


def expected(key: str) -> Decimal:
    """What full minutes add for a customer, worked out here."""
    seconds = [duration for name, duration in _CALLS if name == key]
    return sum(((-s % 60) * _PRICE for s in seconds), Decimal(0))


def test_a_comment_builds_nothing_and_passes(
    at: Warehouse, rehearsed: Callable[..., Result]
) -> None:
    before = production(at)
    runs = at.value("select count(*) from control.shadow_run")
    said = rehearsed("int_rating__tariffed", "select", "select -- a remark\n   ")
    assert (said.verdict, said.outcome, said.plan.changed) == ("pass", None, ())
    assert "nothing was built" in said.sentences[-1]
    assert said.files["html"].exists()
    assert production(at) == before
    assert at.value("select count(*) from control.shadow_run") == runs


def test_another_increment_is_told_per_customer_to_the_last_digit(
    at: Warehouse, rehearsed: Callable[..., Result]
) -> None:
    before = production(at)
    with closing(connect(url=at.url)) as connection:
        # a run of production at work stands in nobody's way
        assert locks.take_lock(connection, "")
        result = rehearsed(*_MINUTES)
    assert production(at) == before
    assert result.verdict == "look" and result.passes
    customers = {row["account"]: row for row in facts(result, "Customers")}
    assert {code: row["rated_difference"] for code, row in customers.items()} == {
        "ACME": expected("acme"),
        "BETA": expected("beta"),
    }
    for key in ("acme", "beta"):
        invoice = customers[key.upper()]
        assert abs(invoice["invoice_difference"] - expected(key)) <= Decimal("0.01")
        assert invoice["invoice_before"] == at.value(
            "select invoice_total from billing.draft_invoice as i inner join reference.account_key "
            "as k using (account_id) where k.account_code = %s",
            key.upper(),
        )
    assert {row["cause"] for row in facts(result, "Rules")} == {"other increment"}
    assert len(facts(result, "Invoice lines")) >= 2
    assert result.outcome is not None and result.outcome.counts["changed_records"] == 3
    with result.files["calls.csv"].open() as stream:
        calls = list(csv.DictReader(stream))
    assert [(c["billed_seconds_before"], c["billed_seconds_after"]) for c in calls] == [
        ("1", "60"), ("61", "120"), ("3605", "3660"),
    ]  # fmt: skip
    assert sum(Decimal(c["difference"]) for c in calls) == expected("acme") + expected("beta")
    kept = at.rows("select status, result ->> 'verdict' from control.shadow_run order by 1")
    assert kept[-1] == ("look", "look")

    page, text = result.files["html"].read_text(), result.files["md"].read_text()
    assert "<b>Acme" not in page + text and "&lt;b&gt;Acme&lt;/b&gt; | [x](y)" in page
    assert "\\| \\[x](y)" in text
    assert json.loads(result.files["json"].read_text())["verdict"] == "look"


def test_an_account_or_a_threshold_alone(rehearsed: Callable[..., Result]) -> None:
    result = rehearsed(
        *_MINUTES, accounts=("BETA",), thresholds=(*_NEVER, "customer_amount.fail=0.05")
    )
    (customer,) = facts(result, "Customers")
    assert (customer["account"], customer["rated_difference"]) == ("BETA", expected("beta"))
    assert result.verdict == "fail" and not result.passes


def test_proposed_prices_stay_in_the_shadow(
    at: Warehouse, rehearsed: Callable[..., Result], tmp_path: Path
) -> None:
    before = production(at)
    rates = [
        {"deck_code": "D", "prefix": "1", "price_per_minute": "0.03"},
        {"deck_code": "D", "prefix": "33", "price_per_minute": "0.5"},
    ]
    path = write_kind(tmp_path, "rate", rates)
    result = rehearsed(reference=parse_reference([str(path)]))
    assert production(at) == before
    assert result.plan.changed == () and "int_reference__rates" in result.plan.touched
    customers = {row["account"]: row["rated_difference"] for row in facts(result, "Customers")}
    seconds = {key: sum(s for name, s in _CALLS if name == key) for key in ("acme", "beta")}
    assert customers == {
        "ACME": -seconds["acme"] * _PRICE / 2 + Decimal("0.5"),
        "BETA": -seconds["beta"] * _PRICE / 2,
    }
    assert result.outcome is not None and result.outcome.counts["newly_billed"] == 1


def test_a_price_that_goes_fails_the_gate(
    at: Warehouse, rehearsed: Callable[..., Result], tmp_path: Path
) -> None:
    rehearsed("int_rating__tariffed", "select", "select -- the command gets the same models\n")
    rates = [{"deck_code": "D", "prefix": "44", "price_per_minute": "0.12"}]
    path = write_kind(tmp_path, "rate", rates)
    done = CliRunner().invoke(
        app, ["shadow", "2026-10", "--reference", f"rate={path}", "--full", "--json",
              "--out", str(tmp_path / "out")],
    )  # fmt: skip
    assert done.exit_code == 3, done.output
    said = json.loads(done.stdout[done.stdout.index("{") :])
    assert said["verdict"] == "fail"
    assert said["counts"]["new_errors"] == said["counts"]["no_longer_billed"] == len(_CALLS)
    (error,) = said["tables"]["New errors"]
    assert (error["reason"], error["was"], error["records"]) == ("missing_rate", "billed", 5)


def test_a_change_of_billing_leaves_rating_to_production(
    at: Warehouse, rehearsed: Callable[..., Result]
) -> None:
    result = rehearsed(
        "int_billing__usage_lines",
        "coalesce(charge_classes.description, usage_sums.charge_class) as description",
        "'Calls' as description",
    )
    assert not result.plan.rates and result.plan.changes_billing
    assert "rated_usage" in result.plan.deferred
    lines = facts(result, "Invoice lines")
    assert lines and {line["description"] for line in lines} == {"Calls"}
    assert {line["difference"] for line in lines} == {Decimal(0)}


def test_what_a_killed_shadow_left_goes_with_the_next(at: Warehouse) -> None:
    asked = {
        "config": {}, "base_code": "", "proposed_code": "", "requested_by": "tester",
        "is_kept": False,
    }  # fmt: skip
    scope = engine.Scope(date(2026, 10, 1), ("main",))
    with closing(connect(url=at.url)) as connection:
        killed = engine.begin(connection, scope, **asked)
        at.execute(
            f"create schema {killed.build_schema}_rating authorization ratehouse_transformer"
        )
    with closing(connect(url=at.url)) as connection:
        following = engine.begin(connection, scope, **asked)
        with closing(connect(url=at.url)) as other:
            beside = engine.begin(other, scope, **asked)
            engine.fail(other, beside, "enough")
        engine.fail(connection, following, "enough")
    states = at.rows(
        "select status, result ->> 'failure' from control.shadow_run "
        "where shadow_run_id >= %s order by shadow_run_id",
        killed.shadow_run_id,
    )
    assert states == [("failed", "killed"), ("failed", "enough"), ("failed", "enough")]
    assert (
        at.rows("select nspname from pg_namespace where starts_with(nspname::text, 'shadow_')")
        == []
    )


def test_what_cannot_be_rehearsed_is_said(rehearsed: Callable[..., Result]) -> None:
    for asked, words in (
        ({"accounts": ("NOBODY",)}, "there is no account NOBODY"),
        ({"bill_groups": ("none",)}, "no account belongs to bill group"),
        ({"every": 0}, "every n-th account"),
        ({"thresholds": ("speed.fail=1",)}, "no threshold 'speed'"),
    ):
        with pytest.raises(RatehouseError, match=words):
            rehearsed(*_MINUTES, **asked)
    with pytest.raises(RatehouseError, match="is not a file"):
        parse_reference(["rate=nowhere.csv"])
