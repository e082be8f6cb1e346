"""The commands: what they print, and what their exit codes say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from loaders.errors import RatehouseError
from orchestration.cli import files, reference
from tests.loaders import samples

GOOD = samples.lines(samples.MAPPED_HEADER, *map(samples.mapped, range(5)))


@pytest.fixture
def run(database: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Run a command against this test's database; return exit code and output."""
    monkeypatch.setenv("RATEHOUSE_DATABASE_URL", database)
    app = typer.Typer()
    files.register(app)
    reference.register(app)

    def invoke(*arguments: object) -> tuple[int, str]:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if isinstance(result.exception, RatehouseError):
            return 2, str(result.exception)
        return result.exit_code, result.output

    return invoke


def test_exit_codes_of_load(run: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    good = tmp_path / "good.csv"
    good.write_text(GOOD)
    code, output = run("load", good)
    assert code == 0
    assert "good.csv" in output and "mapped_usage" in output
    code, output = run("load", good)
    assert (code, "already loaded" in output) == (0, True)

    bad = tmp_path / "bad.csv"
    others = samples.lines(samples.MAPPED_HEADER, *map(samples.mapped, range(50, 55)))
    bad.write_text(others + "only,three,fields\n")
    code, output = run("load", bad)
    assert code == 3
    assert "bad.csv, line 7, Duration: the line has 3 fields" in output

    held = tmp_path / "held.csv"
    held.write_text("no layout\nat all\n")
    assert run("load", held)[0] == 3
    code, output = run("load", tmp_path / "absent.csv")
    assert (code, "there is no such file" in output) == (2, True)
    code, output = run("load", good, "--source", "nobody")
    assert (code, "no source 'nobody'" in output) == (2, True)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / ".partial").write_text("x")
    assert run("load", tmp_path / "in")[0] == 0


def test_json_of_load_and_files(run: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(GOOD + "x,y\n")
    code, output = run("load", path, "--json")
    (loaded,) = json.loads(output)
    assert code == 3
    assert (loaded["status"], loaded["data_count"], loaded["quarantined_count"]) == ("landed", 5, 1)
    assert loaded["quarantine"][0]["reason_code"] == "too_few_fields"
    (listed,) = json.loads(run("files", "--json")[1])
    assert (listed["file_name"], listed["record_count"]) == ("calls.csv", 7)
    assert json.loads(run("files", "--json", "--status", "held")[1]) == []
    assert len(json.loads(run("files", "--json", "--source", "unassigned_mapped")[1])) == 1
    assert "calls.csv" in run("files")[1]


def test_reference_commands(run: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    deck = tmp_path / "deck.csv"
    header = "deck_code,deck_name,side,currency_code\n"
    deck.write_text(header + "R,Retail,retail,USD\nC,Cost,wholesale,USD\n")
    code, output = run("reference", "load", "deck", deck)
    assert (code, "deck.csv" in output) == (0, True)
    (again,) = json.loads(run("reference", "load-all", tmp_path, "--json")[1])
    assert (again["rows_added"], again["rows_unchanged"]) == (0, 2)
    deck.write_text(header + "R,Retail,retail,USD\n")
    (full,) = json.loads(run("reference", "load", "deck", deck, "--full", "--json")[1])
    assert full["rows_closed"] == 1
    deck.write_text(header + "R,Retail,sideways,USD\n")
    code, output = run("reference", "load", "deck", deck)
    assert code == 2
    assert "line 2, side 'sideways': must be one of retail, wholesale" in output
