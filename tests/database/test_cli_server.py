"""ratehouse up, down, status; and what an operator sees when something is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from loaders import settings
from loaders.database.server import Server
from loaders.errors import RatehouseError
from orchestration.cli import main as cli


@pytest.fixture
def ratehouse(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs the command on a home of its own: exit code, output, messages."""
    monkeypatch.setenv("RATEHOUSE_HOME", str(home))

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ratehouse", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        output = capsys.readouterr()
        return int(ended.value.code or 0), output.out, output.err

    return run


def test_up_status_down(ratehouse, home: Path) -> None:
    code, output, _ = ratehouse("status")
    assert code == 3
    assert "not reachable" in output
    assert "There is no database yet" in output

    code, output, _ = ratehouse("up")
    assert code == 0
    assert "Applied migrations 0001_schemas_and_roles, " in output
    assert "Ready: embedded PostgreSQL ratehouse@127.0.0.1:" in output
    assert ratehouse("up")[1].startswith("Ready: "), "a second time there is nothing to do"

    code, output, _ = ratehouse("status")
    assert code == 0
    assert "running" in output
    assert "all applied" in output

    code, output, _ = ratehouse("status", "--json")
    facts = json.loads(output)
    assert code == 0
    assert facts["is_reachable"] is True
    assert facts["pending_migrations"] == []
    assert facts["server_version"].startswith("18.")
    for role, entry in (("ratehouse", facts), ("bi_reader", facts["bi_reader"])):
        assert entry["user"] == role
        password = Path(entry["password_file"]).read_text(encoding="utf-8").strip()
        assert password not in output
        psycopg2.connect(
            host=entry["host"], port=entry["port"], dbname=entry["dbname"], user=role,
            password=password,
        ).close()  # fmt: skip

    assert ratehouse("down") == (0, "The embedded PostgreSQL server is stopped.\n", "")
    assert ratehouse("down") == (0, "The embedded PostgreSQL server was not running.\n", "")
    code, output, _ = ratehouse("status", "--json")
    assert code == 3
    assert json.loads(output)["is_running"] is False

    code, output, _ = ratehouse("down", "--erase", "--yes")
    assert (code, output) == (0, "The embedded database is erased.\n")
    assert not (home / "postgres").exists()


def test_erase_asks_first(ratehouse, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "postgres").mkdir()
    monkeypatch.setattr("typer.confirm", lambda text, abort: (_ for _ in ()).throw(SystemExit(1)))
    assert ratehouse("down", "--erase")[0] == 1
    assert (home / "postgres").exists()


def test_a_server_of_ones_own_is_described_and_left_alone(
    ratehouse, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATEHOUSE_DATABASE_URL", database)
    code, output, _ = ratehouse("up")
    assert code == 0
    assert output == f"Ready: PostgreSQL {settings.describe_database(database)}\n"
    code, output, _ = ratehouse("status", "--json")
    facts = json.loads(output)
    assert code == 0
    assert facts["kind"] == "external"
    assert "password_file" not in facts
    assert settings.connection_parameters(database)["password"] not in output
    code, output, _ = ratehouse("down")
    assert code == 0
    assert "is not ours to stop" in output
    assert ratehouse("status")[0] == 0


def test_trouble_is_one_message_and_exit_code_2(
    ratehouse, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATEHOUSE_PORT", "nonsense")
    code, output, messages = ratehouse("up")
    assert code == 2
    assert messages == "ratehouse: RATEHOUSE_PORT is 'nonsense'; it must be 1024 to 65535.\n"
    monkeypatch.setenv("RATEHOUSE_DATABASE_URL", "postgresql://u:secret@127.0.0.1:1/d")
    code, output, messages = ratehouse("up")
    assert code == 2
    assert messages.startswith("ratehouse: No connection to u@127.0.0.1:1/d: ")
    assert "secret" not in messages + output
    assert "Traceback" not in messages
    assert not Server(home).data_directory.exists()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RatehouseError("plain words"), "plain words"),
        (FileNotFoundError(2, "No such file or directory", "x.csv"), "x.csv: No such file"),
        (psycopg2.OperationalError("server closed the connection"), "server closed the connection"),
        (ValueError("odd"), "an error nobody expected: ValueError: odd."),
    ],
)
def test_every_error_has_words(error: Exception, text: str) -> None:
    assert text in cli.explain(error)


def test_the_command_starts_without_dagster_and_dbt() -> None:
    code = (
        "import sys, orchestration.cli.main\n"
        "heavy = {name.split('.')[0] for name in sys.modules} & {'dagster', 'dbt', 'dagster_dbt'}\n"
        "sys.exit(f'imported: {sorted(heavy)}' if heavy else 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=settings.project_root(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
