"""Helpers of the code location, without Dagster's machinery, dbt or a database."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import dagster as dg
import pytest

from orchestration.cli.demo import demo_month
from orchestration.lib import dbt_keys, dbt_process, drop, instance, manifest, tables, words
from orchestration.lib.dbt_in_process import Outcome
from orchestration.lib.explain import split_usage_id


def node(kind: str, name: str, *folders: str, source: str = "") -> dict[str, Any]:
    return {
        "resource_type": kind,
        "name": name,
        "fqn": ["ratehouse", *folders, name],
        "source_name": source,
    }


@pytest.mark.parametrize(
    ("props", "key"),
    [
        (node("model", "rated_usage", "rating"), ["rating", "rated_usage"]),
        (node("model", "stg_x", "staging", "deeper"), ["staging", "stg_x"]),
        (node("seed", "number_plans"), ["seeds", "number_plans"]),
        (node("source", "asterisk_cdr", source="landing"), ["landing", "asterisk_cdr"]),
        (node("source", "rate", source="reference"), ["reference", "rate"]),
        # Ids and rows of a kind come from one file: one asset.
        (node("source", "account_key", source="reference"), ["reference", "account"]),
        (node("source", "public_key", source="control"), ["control", "public_key"]),
    ],
)
def test_asset_keys_follow_one_scheme(props: dict[str, Any], key: list[str]) -> None:
    assert dbt_keys.asset_key_parts(props) == key


def test_a_number_leads_back_to_file_line_and_leg() -> None:
    assert split_usage_id(7 * 2**36 + 123_456 * 16 + 2) == (7, 123_456, 2)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1234.5"), "1,234.50"),
        (Decimal("0.0012300"), "0.00123"),
        (Decimal("-3"), "-3.00"),
        (Decimal("1E+3"), "1,000.00"),
        (1234567, "1,234,567"),
        (True, "yes"),
        (None, ""),
        ("a|b\nc", "a\\|b c"),
    ],
)
def test_cells_are_written_for_people(value: Any, text: str) -> None:
    assert tables.cell(value) == text


def test_an_empty_table_says_so() -> None:
    assert tables.markdown_table(["a"], []) == "(none)"
    assert tables.markdown_table(["a", "b"], [(1, "x")]).splitlines() == [
        "| a | b |",
        "| --- | --- |",
        "| 1 | x |",
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "drop"
    (root / "metro").mkdir(parents=True)
    (root / "metro" / "a.csv").write_text("one")
    (root / "loose.csv").write_text("two")
    for name in (".hidden.csv", "b.csv.part", "c.tmp", "d.csv~"):
        (root / "metro" / name).write_text("unfinished")
    return root


def age(path: Path, seconds: float = 60) -> None:
    past = time.time() - seconds
    os.utime(path, (past, past))


def test_the_sub_folder_is_the_source_and_unfinished_files_are_not_seen(folder: Path) -> None:
    found = {(f.path.name, f.source_code) for f in drop.find_files(folder)}
    assert found == {("a.csv", "metro"), ("loose.csv", None)}


def test_a_missing_drop_folder_is_an_empty_one(tmp_path: Path) -> None:
    assert drop.find_files(tmp_path / "nowhere") == []


def test_a_file_that_still_grows_is_left_alone(folder: Path) -> None:
    age(folder / "loose.csv")
    files = drop.find_files(folder)
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time\n"
            "f = open(sys.argv[1], 'a', buffering=1)\n"
            "for _ in range(40):\n    f.write('x'); f.flush(); time.sleep(0.05)",
            str(folder / "metro" / "a.csv"),
        ]
    )
    settled = drop.wait_until_settled(files, seconds=0.8)
    writer.wait()
    assert [f.path.name for f in settled] == ["loose.csv"]


def test_the_sensor_asks_once_for_a_file_that_has_stopped_growing(folder: Path) -> None:
    cursor = drop.DropCursor.read(None)
    due, cursor = drop.next_look(cursor, drop.find_files(folder))
    assert due == []
    (folder / "loose.csv").write_text("two and more")
    due, cursor = drop.next_look(drop.DropCursor.read(cursor.write()), drop.find_files(folder))
    assert [f.path.name for f in due] == ["a.csv"]
    due, cursor = drop.next_look(cursor, drop.find_files(folder))
    assert [f.path.name for f in due] == ["loose.csv"]
    due, cursor = drop.next_look(cursor, drop.find_files(folder))
    assert due == []
    # The same name with other bytes is a new file.
    (folder / "loose.csv").write_text("corrected")
    age(folder / "loose.csv", 5)
    _, cursor = drop.next_look(cursor, drop.find_files(folder))
    due, cursor = drop.next_look(cursor, drop.find_files(folder))
    assert [f.path.name for f in due] == ["loose.csv"]
    # What is gone is forgotten: the cursor does not grow for ever.
    (folder / "loose.csv").unlink()
    _, cursor = drop.next_look(cursor, drop.find_files(folder))
    assert list(cursor.requested) == [str(folder / "metro" / "a.csv")]


def test_a_broken_cursor_means_nothing_was_seen() -> None:
    assert drop.DropCursor.read("{not json") == drop.DropCursor({}, {})


def test_storage_lies_in_the_schema_dagster_of_the_same_database() -> None:
    url = instance.storage_url("postgresql://me:p%40ss@db:6000/house?sslmode=require")
    parts = urlsplit(url)
    assert parts.scheme == "postgresql+psycopg2"
    assert (parts.hostname, parts.port, parts.path) == ("db", 6000, "/house")
    assert parse_qs(parts.query) == {
        "sslmode": ["require"],
        "options": ["-c search_path=dagster"],
    }


def test_a_killed_process_is_told_from_a_living_one() -> None:
    assert instance.is_alive(instance.process_tag())
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    host = instance.process_tag().split(":")[0]
    assert not instance.is_alive(f"{host}:{gone.pid}:Mon-Jan-1-00:00:00-2024")
    # A later process with the same number is another one.
    assert not instance.is_alive(f"{host}:{os.getpid()}:Mon-Jan-1-00:00:00-2024")
    assert instance.is_alive(f"elsewhere:{gone.pid}:Mon-Jan-1-00:00:00-2024")


def test_the_fingerprint_follows_contents_not_times(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    model = tmp_path / "models" / "a.sql"
    model.write_text("select 1")
    first = manifest.fingerprint(tmp_path)
    age(model)
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "b.sql").write_text("compiled")
    assert manifest.fingerprint(tmp_path) == first
    model.write_text("select 2")
    assert manifest.fingerprint(tmp_path) != first


def result(event: str, name: str, status: str) -> dict[str, Any]:
    kind = event.removeprefix("Log").removesuffix("Result").lower()
    return {
        "info": {"name": event},
        "data": {
            "node_info": {"resource_type": kind, "node_name": name},
            "status": status,
            "index": 7,
            ("num_models" if kind == "test" else "total"): 120,
            "execution_time": 1.25,
        },
    }


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (result("LogModelResult", "a", "CREATE VIEW"), "    7/120 model a: done, 1.2 s"),
        (result("LogModelResult", "a", "SELECT 5"), "    7/120 model a: done, 1.2 s"),
        (result("LogSeedResult", "s", "success"), "    7/120 seed s: done, 1.2 s"),
        (result("LogModelResult", "a", "error"), "    7/120 model a: error, 1.2 s"),
        (result("LogTestResult", "t", "pass"), None),
        (result("LogTestResult", "t", "fail"), "    7/120 test t: fail, 1.2 s"),
        ({"info": {"name": "MainReportVersion"}, "data": {}}, None),
    ],
)
def test_progress_is_one_line_per_model(event: dict[str, Any], line: str | None) -> None:
    assert dbt_process.progress_line(event) == line


def test_a_dbt_failure_names_the_step_and_what_the_database_said() -> None:
    results = [
        {"unique_id": "model.ratehouse.a", "status": "success", "message": "OK"},
        {"unique_id": "model.ratehouse.b", "status": "error", "message": "column\n x missing"},
        {"unique_id": "test.ratehouse.t.1a", "status": "fail", "message": "Got 3 results"},
    ]
    assert Outcome(False, results).describe_failure().splitlines() == [
        "dbt: 2 of 3 steps failed",
        "  model b: column x missing",
        "  test t.1a: Got 3 results",
    ]


def test_a_dbt_that_never_began_says_why_and_points_at_its_log(tmp_path: Path) -> None:
    said = ["Database Error\n  permission denied"]
    described = Outcome(False, [], said).describe_failure(tmp_path / "dbt.log")
    assert "before it built anything: Database Error permission denied" in described
    assert str(tmp_path / "dbt.log") in described


def test_our_own_errors_end_a_step_with_their_words() -> None:
    from loaders.errors import RatehouseError

    with pytest.raises(dg.Failure) as caught, words.failures_in_words():
        raise RatehouseError("the deck has no rows")
    assert caught.value.description == "the deck has no rows"


@pytest.mark.parametrize(
    ("today", "month"),
    [
        ((2026, 11, 1), "2026-10"),
        ((2030, 1, 5), "2026-10"),
        ((2026, 10, 31), "2026-09"),
        ((2025, 1, 1), "2024-12"),
    ],
)
def test_the_demo_month_never_lies_ahead(today: tuple[int, int, int], month: str) -> None:
    from datetime import date

    assert demo_month(date(*today)) == month


def test_old_folders_of_dbt_processes_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path))
    for number in range(8):
        made = tmp_path / "dbt" / "runs" / f"r{number}"
        made.mkdir(parents=True)
        age(made, 100 - number)
    dbt_process.remove_old_folders()
    left = sorted(path.name for path in (tmp_path / "dbt" / "runs").iterdir())
    assert left == ["r3", "r4", "r5", "r6", "r7"]
