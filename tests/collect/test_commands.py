"""The commands, the health view and the sensor: what an operator sees of the collectors."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import typer
from typer.testing import CliRunner

from loaders.collect import due_collectors
from loaders.database import connect
from loaders.errors import RatehouseError
from orchestration.cli import collect
from orchestration.lib import paths
from orchestration.lib.dbt_environment import dbt_executable, process_environment
from tests.collect import servers
from tests.collect.conftest import Warehouse, calls


@pytest.fixture
def run(
    warehouse: Warehouse, database: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str]]:
    """Run a command against this test's database; return exit code and output."""
    monkeypatch.setenv("RATEHOUSE_DATABASE_URL", database)
    app = typer.Typer()
    collect.register(app)

    def invoke(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, arguments)
        if isinstance(result.exception, RatehouseError):
            return 2, str(result.exception)
        return result.exit_code, result.stdout

    return invoke


def test_collect_and_its_exit_codes(
    warehouse: Warehouse, run: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    assert "reference load collector" in run("collect")[1]
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    warehouse.collector("folder", directory=outbox)
    (outbox / "daily_1.csv").write_bytes(calls(0))
    code, output = run("collect", "--dry-run")
    assert (code, "daily_1.csv" in output, "wanted" in output) == (0, True, True)
    code, output = run("collect", "c", "--json")
    (result,) = json.loads(output)
    assert (code, result["files"][0]["state"], result["files"][0]["load_status"]) == (
        0, "taken", "landed",
    )  # fmt: skip
    assert "nothing new" in run("collect")[1]
    (outbox / "daily_2.csv").write_text("no layout\nat all\n")
    assert run("collect")[0] == 3
    warehouse.collector("folder", directory=tmp_path / "away")
    code, output = run("collect")
    assert (code, "there is no folder" in output) == (2, True)
    assert "there is no collector 'x'" in run("collect", "x")[1]


def test_a_test_lists_everything_and_takes_nothing(
    warehouse: Warehouse, run: Callable[..., tuple[int, str]], start: Callable[..., Any]
) -> None:
    server = start(servers.openssh)
    settings = {
        "host": "127.0.0.1", "port": server.port, "username": server.user,
        "directory": server.root, "private_key_from": f"file:{server.user_key}",
        "is_enabled": "false",
    }  # fmt: skip
    warehouse.collector("sftp", **settings)
    code, output = run("collect", "test", "c")
    assert (code, server.fingerprint in output, "host_key is empty" in output) == (2, True, True)
    (server.root / "daily_1.csv").write_bytes(calls(0))
    (server.root / "readme.txt").write_text("hello")
    warehouse.collector("sftp", host_key=server.fingerprint, **settings)
    code, output = run("collect", "test", "c")
    assert code == 0
    assert "1 wanted, 1 ignored" in output and "no rule of the collector fits" in output
    assert warehouse.landed() == []
    assert "which one?" in run("collect", "test")[1]


def test_due_by_its_own_clock(warehouse: Warehouse, tmp_path: Path) -> None:
    assert due_collectors(warehouse.connection) == []
    warehouse.collector("folder", directory=tmp_path, poll_minutes=30)
    assert due_collectors(warehouse.connection) == [("c", 30)]
    warehouse.collect()
    assert due_collectors(warehouse.connection) == []
    warehouse.collector("folder", directory=tmp_path, poll_minutes=30, is_enabled="no")
    warehouse.rows(
        "insert into control.collection (collector_code, status, seen_count, taken_count, "
        "ignored_count, failed_count, started_at) values ('d', 'done', 0, 0, 0, 0, now()) "
        "returning 1"
    )
    assert due_collectors(warehouse.connection) == []


def test_the_sensor_starts_the_job_that_collects(
    warehouse: Warehouse, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.defs.collect.jobs import collect_now
    from orchestration.defs.collect.sensors import collect_sensor

    monkeypatch.setenv("RATEHOUSE_DATABASE_URL", database)
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    warehouse.collector("folder", directory=outbox)
    (outbox / "daily_1.csv").write_bytes(calls(0))
    with dg.build_sensor_context() as context:
        answer = collect_sensor(context)
    (request,) = answer.run_requests
    assert request.run_config["ops"] == {"collect_files": {"config": {"collectors": ["c"]}}}
    with dg.DagsterInstance.ephemeral() as instance:
        result = collect_now.execute_in_process(request.run_config, instance=instance)
        (event,) = [e for e in result.all_events if e.is_step_materialization]
    metadata = event.step_materialization_data.materialization.metadata
    assert metadata["files_taken"].value == 1
    assert "daily_1.csv" in metadata["files"].md_str
    assert warehouse.landed() == [("daily_1.csv", "acme_daily")]
    with dg.build_sensor_context() as context:
        assert isinstance(collect_sensor(context), dg.SkipReason)


def test_a_failed_look_fails_the_run_in_words_without_a_secret(
    warehouse: Warehouse, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.defs.collect.jobs import collect_now

    monkeypatch.setenv("RATEHOUSE_DATABASE_URL", database)
    port = servers.free_port()
    warehouse.collector(
        "ftp", host="127.0.0.1", port=port, username="u", password_from="env:ACME_PASSWORD"
    )
    monkeypatch.setattr("loaders.collect.retry.time.sleep", lambda seconds: None)
    with dg.DagsterInstance.ephemeral() as instance:
        result = collect_now.execute_in_process(raise_on_error=False, instance=instance)
        run = instance.get_run_by_id(result.run_id)
        log = "\n".join(str(record) for record in instance.all_logs(result.run_id))
    assert not result.success
    assert f"collector c (127.0.0.1:{port}): the connection was refused" in log
    assert servers.PASSWORD not in log + json.dumps(run.run_config)


def test_health_of_the_sources(
    warehouse: Warehouse,
    run: Callable[..., tuple[int, str]],
    database: str,
    tmp_path: Path,
) -> None:
    assert "ratehouse rate" in run("sources")[1]
    _build(database, tmp_path, "rpt_source_health")
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    rules = [
        {"name": "daily_*", "source": "acme_daily", "cadence": "daily", "grace_hours": 6},
        {"name": "re:(?P<source>acme_monthly)_.*", "source": "{source}", "cadence": "monthly"},
    ]
    warehouse.collector("folder", rules, directory=outbox)
    (outbox / "daily_1.csv").write_bytes(calls(0))
    (outbox / "acme_monthly_1.csv").write_bytes(calls(10))
    assert warehouse.collect().error is None

    def health() -> dict[str, dict[str, Any]]:
        return {row["source_code"]: row for row in json.loads(run("sources", "--json")[1])}

    found = health()
    daily, monthly, charges = (
        found[code] for code in ("acme_daily", "acme_monthly", "acme_charges")
    )
    assert (daily["cadence"], daily["is_overdue"], daily["last_file_name"]) == (
        "daily", False, "daily_1.csv",
    )  # fmt: skip
    assert (monthly["cadence"], monthly["collectors"]) == ("monthly", "c")
    assert (charges["cadence"], charges["expected_by"], charges["is_overdue"]) == (
        None, None, False,
    )  # fmt: skip
    assert daily["last_error"] is None and daily["last_looked_at"]
    # Thirty hours after the last file it was due; thirty-one have passed.
    _rewind(database, hours=31)
    assert run("sources")[0] == 3
    assert health()["acme_daily"]["is_overdue"] is True
    assert health()["acme_monthly"]["is_overdue"] is False
    warehouse.collector("folder", rules, directory=tmp_path / "away")
    warehouse.collect()
    assert "there is no folder" in health()["acme_daily"]["last_error"]


def _build(database: str, folder: Path, model: str) -> None:
    """The view, and what it reads, as dbt makes them."""
    subprocess.run(
        [
            dbt_executable(), "--quiet", "run", "--select", f"+{model}",
            "--project-dir", str(paths.dbt_project_folder()),
            "--profiles-dir", str(paths.dbt_project_folder()),
            "--target-path", str(folder / "target"), "--log-path", str(folder / "dbt-logs"),
        ],
        check=True,
        env=os.environ | process_environment(database),
    )  # fmt: skip


def _rewind(database: str, hours: int) -> None:
    """As if every file had come earlier."""
    with closing(connect(url=database)) as session, session, session.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute(
            "update control.file set received_at = received_at - make_interval(hours => %s)",
            (hours,),
        )
