"""The warehouse and a second, slow implementation of the rules agree on every field."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from loaders import settings
from loaders.demo.generate import DemoOptions
from orchestration.lib.dbt_environment import dbt_executable
from tests.end_to_end.balance import assert_balanced
from tests.end_to_end.conftest import Month
from tests.end_to_end.warehouse import Warehouse
from tests.oracle.compare import report


@pytest.fixture(scope="module")
def dirty_month(make_month: Callable[..., Month]) -> Month:
    """Every third line is damaged."""
    return make_month(DemoOptions(cdrs=3000, charges=120, seed=7, dirt_share=0.35), checks=False)


@pytest.fixture(params=["month", "dirty_month"])
def any_month(request: pytest.FixtureRequest) -> Month:
    return request.getfixturevalue(request.param)


def test_warehouse_and_oracle_agree_on_every_field(any_month: Month) -> None:
    differences = any_month.warehouse.differences(any_month.folder)
    assert differences == [], report(differences)


def test_every_record_of_every_file_is_accounted_for_once(any_month: Month) -> None:
    files = [path for path in Path(any_month.folder, "files").rglob("*") if path.is_file()]
    assert assert_balanced(any_month.warehouse) == len(files)
    assert any_month.control_totals["is_balanced"] is True
    landed = any_month.warehouse.value(
        "select sum(data_count)::bigint from control.file where status = 'landed'"
    )
    assert any_month.control_totals["rated_count"] == landed


def test_the_month_holds_what_the_rules_speak_of(any_month: Month) -> None:
    """Agreement about nothing would be worth nothing."""
    states = dict(
        any_month.warehouse.rows(
            "select state, count(*) from rating.current_rated_usage group by state"
        )
    )
    assert set(states) == {"billed", "not_billable", "duplicate", "error"}
    assert states["billed"] > 1000
    held = any_month.warehouse.rows(
        "select status_reason from control.file where status = 'held' order by 1"
    )
    assert held == [("same_bytes",), ("truncated_archive",), ("unknown_layout",)]
    assert any_month.warehouse.value("select count(*) from billing.draft_invoice_line") > 100


def test_the_dirty_month_is_dirtier(month: Month, dirty_month: Month) -> None:
    def unusable(of: Month) -> int:
        return of.warehouse.value(
            "select (select count(*) from landing.quarantine) "
            "+ (select count(*) from rating.current_rated_usage where state = 'error')"
        )

    assert unusable(dirty_month) > 2 * unusable(month)


def test_the_unit_tests_beside_the_models_pass(warehouse: Warehouse) -> None:
    """Runs leave them out. They ask a built warehouse which columns its models have."""
    project = settings.project_root() / "dbt_project"
    target = warehouse.target
    done = subprocess.run(
        [
            dbt_executable(), "--no-use-colors", "--log-path", target, "test",
            "--project-dir", project, "--profiles-dir", project, "--target", "prod",
            "--target-path", target, "--select", "test_type:unit",
        ],
        env={**os.environ, **settings.dbt_environment(warehouse.url)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert " PASS " in done.stdout
