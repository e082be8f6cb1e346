"""`ratehouse files` and the jobs of the UI."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from loaders.database import connect
from loaders.errors import RatehouseError
from orchestration.cli import files
from tests.files.make import calls
from tests.loaders import samples
from tests.loaders.conftest import Warehouse

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(
    database: str, originals: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run a command against this test's database; return exit code and output."""
    monkeypatch.setenv("RATEHOUSE_DATABASE_URL", database)
    app = typer.Typer()
    files.register(app)

    def invoke(*arguments: object) -> tuple[int, str]:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if isinstance(result.exception, RatehouseError):
            return 2, str(result.exception)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return invoke


@pytest.fixture
def four(warehouse: Warehouse) -> list[int]:
    """A landed CDR file, a landed SDR file, a held one, and one of a declared carrier."""
    warehouse.declare("alpha", "mapped_usage")
    charge = "A1;12125550100;P1;Rental;recurring;2026-10-01;2026-10-31;1;10.00;10.00;S;"
    results = [
        warehouse.load("calls.csv", calls(range(10))),
        warehouse.load("charges.csv", samples.lines(samples.CHARGE_HEADER, charge)),
        warehouse.load("resent.csv", calls([*reversed(range(10))])),
        warehouse.load("alpha/other.csv", calls(range(20, 25))),
    ]
    assert [r.status for r in results] == ["landed", "landed", "held", "landed"]
    return [r.file_id for r in results if r.file_id is not None]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), (0, 1, 2, 3)),
        (("--carrier", "test"), (3,)),
        (("--source", "unassigned_mapped"), (0, 2)),
        (("--kind", "sdr"), (1,)),
        (("--status", "held"), (2,)),
        (("--status", "landed", "--kind", "cdr"), (0, 3)),
        (("--since", "2999-01-01"), ()),
        (("--since", "2020-01-01"), (0, 1, 2, 3)),
        (("--period", "2020-01"), ()),
    ],
)
def test_filters(
    run: Run, four: list[int], options: tuple[str, ...], expected: tuple[int, ...]
) -> None:
    code, output = run("files", *options, "--json")
    assert code == 0
    assert [row["file_id"] for row in json.loads(output)] == [four[n] for n in expected]


def test_the_month_is_that_of_receipt_or_of_usage(run: Run, four: list[int], database: str) -> None:
    with contextlib.closing(connect(url=database)) as session, session.cursor() as cursor:
        cursor.execute("update control.file set received_at = '2026-11-01T00:00:00Z'")
        cursor.execute(
            "update control.file set received_at = '2026-10-31T23:59:59Z' where file_id = %s",
            (four[1],),
        )
        session.commit()
        assert _listed(run, "2026-10") == [four[1]]
        # As dbt makes it: nobody but its owner sees into it.
        cursor.execute("create schema rating")
        cursor.execute("alter schema rating owner to ratehouse_transformer")
        for name in ("usage_total", "charge_total"):
            cursor.execute(f"create table rating.{name} (file_id bigint, period_month date)")
            cursor.execute(f"alter table rating.{name} owner to ratehouse_transformer")
        cursor.execute("insert into rating.usage_total values (%s, '2026-10-01')", (four[0],))
        session.commit()
    assert _listed(run, "2026-10") == [four[0], four[1]]
    assert _listed(run, "2026-11") == [four[0], four[2], four[3]]


def _listed(run: Run, period: str) -> list[int]:
    return [row["file_id"] for row in json.loads(run("files", "--period", period, "--json")[1])]


def test_nonsense_is_refused_in_words(run: Run, four: list[int]) -> None:
    for arguments, words in (
        (("files", "--status", "lost"), "no status 'lost'; there are landed, held"),
        (("files", "--kind", "pdf"), "no kind 'pdf'"),
        (("files", "--period", "October"), "'October' is not understood; write it like 2026-10"),
        (("files", "--since", "2026-13-01"), "'2026-13-01' is not understood"),
        (("files", "show", 99), "there is no file 99"),
        (("files", "release", four[2]), "say why"),
    ):
        code, output = run(*arguments)
        assert (code, words in output) == (2, True), output


def test_a_held_file_beside_the_one_it_repeats(
    run: Run, four: list[int], warehouse: Warehouse
) -> None:
    code, output = run("files", "show", four[2])
    assert code == 0
    assert f"100 % of this file (10 records) stand in file {four[0]}" in output
    for words in ("calls.csv", "resent.csv", "2026-10-05 10:00:00", "2026-10-05 10:00:09",
                  "same_content", "unassigned_mapped"):  # fmt: skip
        assert words in output, words
    other = warehouse.load("part.csv", calls([*range(8), 50, 51]))
    details = json.loads(run("files", "show", other.file_id, "--json")[1])
    (comparison,) = details["comparisons"]
    assert (comparison["shared"], comparison["percent"]) == (8, "80.00")
    assert [row["line_no"] for row in comparison["only_here"]] == [10, 11]
    assert [row["line_no"] for row in comparison["only_there"]] == [10, 11]
    assert comparison["only_here"][0]["values"]["start_time"] == "2026-10-05 10:00:50"
    assert [event["event"] for event in details["events"]] == ["landed"]


def test_a_file_that_has_not_landed_is_compared_all_the_same(
    run: Run, four: list[int], warehouse: Warehouse
) -> None:
    same = warehouse.load("copy.csv", calls(range(10)))
    assert same.status_reason == "same_bytes"
    before = warehouse.rows("select count(*), max(file_id) from control.file")
    (comparison,) = json.loads(run("files", "show", same.file_id, "--json")[1])["comparisons"]
    assert (comparison["shared"], comparison["percent"]) == (10, "100.00")
    assert warehouse.rows("select count(*), max(file_id) from control.file") == before
    assert warehouse.value("select count(*) from landing.mapped_usage where file_id < 1") == 0


def test_bad_lines_and_events_are_shown(run: Run, warehouse: Warehouse) -> None:
    result = warehouse.load("bad.csv", calls(range(5)) + "a,b\n\n")
    _, output = run("files", "show", result.file_id)
    for words in ("too_few_fields", "blank", "landed"):
        assert words in output, words


def test_release_discard_and_download(run: Run, four: list[int], tmp_path: Path) -> None:
    held = four[2]
    code, output = run("files", "discard", held, "--reason", "twice", "--preview")
    assert (code, "nothing was changed" in output) == (0, True)
    assert json.loads(run("files", "--status", "discarded", "--json")[1]) == []
    assert run("files", "discard", held, "--reason", "twice")[0] == 0
    code, output = run("files", "release", held, "--reason", "not twice", "--json")
    assert (code, json.loads(output)["result"]["status"]) == (0, "landed")
    code, output = run("files", "release", four[0], "--reason", "x")
    assert (code, "nothing to release" in output) == (2, True)
    code, output = run("files", "download", held, "--to", tmp_path / "back.csv")
    assert code == 0
    assert (tmp_path / "back.csv").read_text() == calls([*reversed(range(10))])


def test_names_cannot_speak_to_the_terminal(run: Run, tmp_path: Path) -> None:
    """A new line, an escape sequence, a reversed order of writing, bytes that are no text."""
    folder = tmp_path / "named"
    folder.mkdir()
    names = [b"a\nb.csv", b"\x1b[2Jc.csv", "\u202ed.csv".encode(), b"\xff\xfee.csv",
             b"$(touch x);`y`;f.csv"]  # fmt: skip
    for number, name in enumerate(names):
        Path(folder / name.decode("utf-8", "surrogateescape")).write_text(calls([number]))
    code, loaded = run("load", folder)
    assert code == 0
    _, listed = run("files")
    for output in (loaded, listed):
        assert "\x1b" not in output and "\u202e" not in output
    expected = ["\\x1b[2Jc.csv", "$(touch x);`y`;f.csv", "a\\nb.csv", "\\u202ed.csv",
                "\\xff\\xfee.csv"]  # fmt: skip
    for number, shown in enumerate(expected, start=1):
        assert shown in run("files", "show", number)[1]


def test_the_jobs_of_the_ui(
    four: list[int], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dagster as dg

    from orchestration.defs.landing.history import discard_file, release_file, show_files

    monkeypatch.setenv("RATEHOUSE_DATABASE_URL", database)
    held = four[2]

    def said(job: dg.JobDefinition, op: str, **config: object) -> tuple[str, dict[str, object]]:
        result = job.execute_in_process(run_config={"ops": {op: {"config": config}}})
        (observed,) = [
            event.asset_observation_data.asset_observation
            for event in result.all_events
            if event.event_type_value == "ASSET_OBSERVATION"
        ]
        return observed.description or "", {k: v.value for k, v in observed.metadata.items()}

    assert "resent.csv" in str(said(show_files, "show_files_received", status="held")[1]["files"])
    detail = said(show_files, "show_files_received", file_id=held)[1]
    assert detail[f"compared_with_file_{four[0]}_percent"] == 100.0
    assert b"Call Start" in Path(str(detail["original"])).read_bytes()
    text, facts = said(discard_file, "discard_held_file", file_id=held)
    assert (text.startswith("Preview"), facts["is_changed"]) == (True, False)
    for job, op, status in (
        (discard_file, "discard_held_file", "discarded"),
        (release_file, "release_held_file", "landed"),
    ):
        _, facts = said(job, op, file_id=held, reason="why", preview=False)
        assert (facts["status"], facts["is_changed"]) == (status, True)
