"""The flow of a collection, on a folder: what is taken, once, whole, and put away afterwards."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from loaders.collect import CollectError, collecting
from loaders.collect.folder import FolderRemote
from loaders.database import connect
from loaders.reference.errors import ReferenceRefused
from tests.collect.conftest import Warehouse, by_name, calls, charges


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    folder = tmp_path / "outbox"
    folder.mkdir()
    return folder


def test_each_file_goes_to_its_source_and_only_once(warehouse: Warehouse, outbox: Path) -> None:
    warehouse.collector("folder", directory=outbox)
    (outbox / "daily_1.csv").write_bytes(calls(0))
    (outbox / "month_1.csv").write_bytes(calls(10))
    (outbox / "sdr_1.csv").write_bytes(charges())
    (outbox / "notes.txt").write_text("hello")
    result = warehouse.collect()
    assert warehouse.states(result) == {
        "daily_1.csv": "taken", "month_1.csv": "taken", "sdr_1.csv": "taken",
        "notes.txt": "ignored",
    }  # fmt: skip
    assert warehouse.landed() == [
        ("daily_1.csv", "acme_daily"), ("month_1.csv", "acme_monthly"),
        ("sdr_1.csv", "acme_charges"),
    ]  # fmt: skip
    assert warehouse.rows(
        "select file_name, file_kind, cadence from control.collected_file "
        "where status = 'taken' order by 1"
    ) == [("daily_1.csv", "cdr", "daily"), ("month_1.csv", None, "monthly"),
          ("sdr_1.csv", "sdr", None)]  # fmt: skip
    again = warehouse.collect()
    assert set(warehouse.states(again).values()) == {"known", "ignored"}
    assert len(warehouse.landed()) == 3
    # What is ignored is remembered once, not at every look.
    assert len(warehouse.rows("select 1 from control.collected_file")) == 4
    assert len(list(outbox.iterdir())) == 4


def test_daily_and_monthly_are_told_apart_by_folder(warehouse: Warehouse, outbox: Path) -> None:
    rules = [
        {"directory": "day", "name": "*.csv", "source": "acme_daily"},
        {"directory": "month", "name": "*.csv", "source": "acme_monthly"},
    ]
    warehouse.collector("folder", rules, directory=outbox)
    for number, folder in enumerate(("day", "month")):
        (outbox / folder).mkdir()
        (outbox / folder / "calls.csv").write_bytes(calls(number * 10))
    warehouse.collect()
    assert warehouse.landed() == [("calls.csv", "acme_daily"), ("calls.csv", "acme_monthly")]


def test_a_changed_file_of_the_same_name_is_fetched_again(
    warehouse: Warehouse, outbox: Path
) -> None:
    warehouse.collector("folder", directory=outbox)
    path = outbox / "daily_1.csv"
    path.write_bytes(calls(0))
    assert warehouse.taken(warehouse.collect()) == ["daily_1.csv"]
    path.write_bytes(calls(100))
    os.utime(path, ns=(1, 1))
    assert warehouse.taken(warehouse.collect()) == ["daily_1.csv"]
    assert len(warehouse.rows("select 1 from control.collected_file where status = 'taken'")) == 2
    assert warehouse.taken(warehouse.collect()) == []


def test_a_file_under_way_waits(
    warehouse: Warehouse, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.collector("folder", directory=outbox, settle_seconds=7)
    for name in ("daily_2.csv.part", "daily_3.csv.filepart", "daily_4.tmp", ".daily_5.csv"):
        (outbox / name).write_bytes(calls(0))
    growing = outbox / "daily_1.csv"
    growing.write_bytes(calls(0, 2))
    (outbox / "daily_6.csv").write_bytes(calls(50))
    waited = []

    def write_meanwhile(seconds: float) -> None:
        waited.append(seconds)
        with growing.open("ab") as stream:
            stream.write(calls(0, 5)[len(calls(0, 2)) :])

    monkeypatch.setattr(collecting.time, "sleep", write_meanwhile)
    result = warehouse.collect()
    assert waited == [7]
    states = warehouse.states(result)
    assert states.pop("daily_6.csv") == "taken"
    assert set(states.values()) == {"waiting"} and len(states) == 5
    monkeypatch.setattr(collecting.time, "sleep", waited.append)
    assert warehouse.taken(warehouse.collect()) == ["daily_1.csv"]
    assert warehouse.rows(
        "select data_count from control.file where file_name = 'daily_1.csv'"
    ) == [(5,)]
    # Nothing new, nothing to wait for.
    waited.clear()
    warehouse.collect()
    assert waited == []


def test_a_file_that_changes_while_it_is_fetched_is_not_landed(
    warehouse: Warehouse, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.collector("folder", directory=outbox)
    path = outbox / "daily_1.csv"
    path.write_bytes(calls(0))
    appended = []
    real = FolderRemote.fetch

    def fetch_and_append(self: FolderRemote, file: object, sink: object) -> None:
        real(self, file, sink)
        if not appended:
            appended.append(1)
            with path.open("ab") as stream:
                stream.write(b"x")

    monkeypatch.setattr(FolderRemote, "fetch", fetch_and_append)
    (file,) = warehouse.collect().files
    assert (file.state, "while it was fetched" in file.reason) == ("failed", True)
    assert warehouse.landed() == []


@pytest.mark.parametrize("after", ["keep", "move", "delete"])
def test_what_happens_to_the_original(warehouse: Warehouse, outbox: Path, after: str) -> None:
    warehouse.collector(
        "folder", directory=outbox, after_collection=after, after_folder="done"
    )
    (outbox / "done").mkdir()
    (outbox / "done" / "daily_1.csv").write_text("an earlier one of the same name")
    (outbox / "daily_1.csv").write_bytes(calls(0))
    (outbox / "notes.txt").write_text("nobody's")
    (file, _) = warehouse.collect().files
    left = {path.name for path in outbox.iterdir()}
    assert left == {"done", "notes.txt"} | ({"daily_1.csv"} if after == "keep" else set())
    done = [path.name for path in (outbox / "done").iterdir()]
    assert len(done) == (2 if after == "move" else 1)
    assert (file.put_away or "").split(" ")[0] == {
        "keep": "", "move": "moved", "delete": "deleted",
    }[after]  # fmt: skip
    assert (outbox / "done" / "daily_1.csv").read_text().startswith("an earlier")
    assert warehouse.taken(warehouse.collect()) == []
    assert len(warehouse.landed()) == 1


def test_killed_after_landing_nothing_is_lost_or_doubled(
    warehouse: Warehouse, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends between any two steps; the next look takes up where it stood."""
    warehouse.collector("folder", directory=outbox, after_collection="delete")
    (outbox / "daily_1.csv").write_bytes(calls(0))

    class Killed(BaseException):
        """No code of ours may catch it."""

    def die(*_: object, **__: object) -> None:
        raise Killed

    for step in ("record_taken", "record_look"):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(collecting.Memory, step, die)
            if step == "record_look":
                patch.setattr(collecting._Collecting, "_put_away", lambda *_: None)
            warehouse.collect()
        assert (outbox / "daily_1.csv").exists()
        assert len(warehouse.landed()) == 1
    result = warehouse.collect()
    assert by_name(result)["daily_1.csv"].put_away == "deleted"
    assert list(outbox.iterdir()) == []
    assert len(warehouse.landed()) == 1
    assert warehouse.rows(
        "select status from control.collected_file order by collected_file_id"
    ) == [("taken",), ("deleted",)]


def test_a_held_file_stays_until_somebody_decides(warehouse: Warehouse, outbox: Path) -> None:
    warehouse.collector("folder", directory=outbox, after_collection="delete")
    (outbox / "daily_1.csv").write_text("no layout\nat all\n")
    (file,) = warehouse.collect().files
    assert (file.state, file.load_status) == ("taken", "held")
    assert (outbox / "daily_1.csv").exists()
    warehouse.rows(
        "update control.file set status = 'discarded' where file_id = %s returning 1", file.file_id
    )
    warehouse.collect()
    assert list(outbox.iterdir()) == []


def test_names_of_others_do_no_harm(warehouse: Warehouse, outbox: Path, home: Path) -> None:
    warehouse.collector(
        "folder", [{"name": "*", "source": "acme_daily"}], directory=outbox
    )
    names = ["a\nb; rm -rf $HOME.csv", "-rf", "x" * 250, "ü|`whoami`.csv"]
    for number, name in enumerate(names):
        (outbox / name).write_bytes(calls(number * 10))
    (outbox / "link.csv").symlink_to("/etc/passwd")
    os.mkfifo(outbox / "pipe.csv")
    result = warehouse.collect()
    assert sorted(warehouse.taken(result)) == sorted(names)
    states = warehouse.states(result)
    assert (states["link.csv"], states["pipe.csv"]) == ("ignored", "ignored")
    landed = [name for name, _ in warehouse.landed()]
    assert "a_b; rm -rf $HOME.csv" in landed and "ü|`whoami`.csv" in landed
    assert list((home / "collect").rglob("*")) == []
    assert warehouse.taken(warehouse.collect()) == []


def test_a_dry_run_changes_nothing(warehouse: Warehouse, outbox: Path) -> None:
    warehouse.collector("folder", directory=outbox, after_collection="delete")
    (outbox / "daily_1.csv").write_bytes(calls(0))
    (outbox / "notes.txt").write_text("hello")
    before = warehouse.everything()
    result = warehouse.collect(dry_run=True)
    assert warehouse.states(result) == {"daily_1.csv": "wanted", "notes.txt": "ignored"}
    assert warehouse.everything() == before
    assert len(list(outbox.iterdir())) == 2


def test_too_large_is_refused_and_said_once(warehouse: Warehouse, outbox: Path) -> None:
    warehouse.collector("folder", directory=outbox, maximum_megabytes=1)
    (outbox / "daily_1.csv").write_bytes(b"x" * (1024 * 1024 + 1))
    for _ in range(2):
        (file,) = warehouse.collect().files
        assert (file.state, "maximum_megabytes" in file.reason) == ("failed", True)
    assert len(warehouse.rows("select 1 from control.collected_file")) == 1


def test_an_unknown_source_fails_the_file_and_not_the_look(
    warehouse: Warehouse, outbox: Path
) -> None:
    rules = [
        {"name": "re:(?P<carrier>[a-z]+)_.*", "source": "{carrier}_daily"},
    ]
    warehouse.collector("folder", rules, directory=outbox)
    (outbox / "ACME_1.csv").write_bytes(calls(0))
    (outbox / "other_1.csv").write_bytes(calls(10))
    result = warehouse.collect()
    assert warehouse.landed() == [("ACME_1.csv", "acme_daily")]
    assert "no source 'other_daily'" in by_name(result)["other_1.csv"].reason
    assert (outbox / "other_1.csv").exists()


def test_one_collectors_failure_is_said_in_words(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.collector("folder", directory=tmp_path / "nowhere")
    result = warehouse.collect()
    assert result.status == "failed"
    assert f"collector c ({tmp_path / 'nowhere'}): there is no folder" in (result.error or "")
    assert warehouse.rows("select status, error from control.collection") == [
        ("failed", result.error)
    ]
    with pytest.raises(CollectError, match="there is no collector 'x'; there are: c"):
        collecting.collect(warehouse.connection, ["x"])


def test_one_process_collects_at_a_time(
    warehouse: Warehouse, outbox: Path, database: str
) -> None:
    warehouse.collector("folder", directory=outbox)
    lock = "(%s, hashtext('c'))"
    with closing(connect(url=database)) as other, other.cursor() as cursor:
        cursor.execute(f"select pg_advisory_lock{lock}", (0x52480009,))
        assert warehouse.collect().status == "busy"
        cursor.execute(f"select pg_advisory_unlock{lock}", (0x52480009,))
    assert warehouse.collect().status == "done"


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"password_from": "hunter2"}, "password_from: must be env:NAME or file:/path"),
    ({"protocol": "sftp"}, "host: must not be empty"),
    ({"after_collection": "move"}, "after_folder: must not be empty"),
    ({"directory": "outbox"}, "must be an absolute path"),
    ({"tls_trust": "whatever"}, "must be system, file:/path"),
    ({"collector_code": "test"}, "not the word test"),
    ({"rules": []}, "must be a list of rules"),
    ({"rules": [{"name": "re:("}]}, "rule 1, name: 're:(' is no regular expression"),
    ({"rules": [{"nam": "x"}]}, "rule 1: 'nam' is not known"),
    ({"rules": [{"source": "acme_daily"}]}, "rule 1 needs at least one of name, to"),
    ({"rules": [{"name": "x", "source": "nobody"}]}, "'nobody': there is no such source"),
    ({"rules": [{"name": "x", "source": "{a}"}]}, "{a} is no named group"),
    ({"rules": [{"name": "x", "cadence": "daily", "grace_hours": -1}]}, "from 0 to 2400"),
    (
        {"rules": [{"name": "x", "source": "acme_daily", "file_kind": "sdr"}]},
        "is of kind cdr, the rule says sdr",
    ),
]


def test_bad_settings_are_refused_when_they_are_loaded(warehouse: Warehouse) -> None:
    for settings, refusal in REFUSALS:
        with pytest.raises(ReferenceRefused) as refused:
            warehouse.collector(**({"protocol": "folder", "directory": "/srv/x"} | settings))
        assert refusal in str(refused.value)
        assert "hunter2" not in str(refused.value)
    assert warehouse.rows("select 1 from reference.collector") == []


def test_a_folder_that_collects_from_where_it_moves_to_is_refused(
    warehouse: Warehouse, outbox: Path
) -> None:
    for target in ("/", str(outbox)):
        warehouse.collector(
            "folder", directory=outbox, after_collection="move", after_folder=target
        )
        assert "not collected from itself" in (warehouse.collect().error or "")
