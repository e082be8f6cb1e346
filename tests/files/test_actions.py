"""Release, discard and download: what they do, refuse and remember; also two at once."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest

from loaders.database import connect
from loaders.errors import RatehouseError
from loaders.files import FileResult, actions, load_paths
from tests.files.make import HEADER, calls, zipped
from tests.loaders import samples
from tests.loaders.conftest import Warehouse


def _release(warehouse: Warehouse, result: FileResult, **options: Any) -> actions.Decision:
    assert result.file_id is not None
    return actions.release(
        warehouse.connection, result.file_id, reason="asked the carrier", actor="ann", **options
    )


def _discard(warehouse: Warehouse, result: FileResult, **options: Any) -> actions.Decision:
    assert result.file_id is not None
    return actions.discard(
        warehouse.connection, result.file_id, reason="sent in error", actor="bob", **options
    )


def _events(warehouse: Warehouse, file_id: int | None) -> list[tuple[str, str, str | None]]:
    return warehouse.rows(
        "select event, actor, detail ->> 'reason' from control.event "
        "where subject = 'file' and subject_id = %s order by event_id",
        file_id,
    )


def _everything(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """All a preview must leave alone."""
    return warehouse.rows(
        "select (select md5(string_agg(f::text, '' order by f.file_id)) from control.file as f), "
        "(select count(*) from control.event), (select count(*) from landing.mapped_usage), "
        "(select count(*) from landing.quarantine), (select count(*) from landing.non_data_line)"
    )


def _held_for(warehouse: Warehouse, guard: str) -> tuple[FileResult, int, int]:
    """A file held by a guard; records and quarantined lines it lands with."""
    content = calls(range(10))
    if guard == "same_bytes":
        warehouse.load("first.csv", content)
        return warehouse.load("second.csv", content), 10, 0
    if guard == "same_content":
        warehouse.load("first.csv", content)
        return warehouse.load("second.csv.gz", gzip.compress(content.encode())), 10, 0
    if guard == "same_name":
        warehouse.declare("alpha", "mapped_usage")
        _set(warehouse, "same_name_rule", "hold")
        warehouse.load("alpha/calls.csv", content)
        return warehouse.load("alpha/calls.csv", calls(range(10, 14))), 4, 0
    if guard == "trailer_mismatch":
        return warehouse.load("calls.csv", content + "Total records: 12\n"), 10, 0
    if guard == "reject_ceiling":
        return warehouse.load("calls.csv", content + "bad,line\n" * 30), 10, 30
    if guard == "sequence_gap":
        warehouse.declare("alpha", "mapped_usage")
        _set(warehouse, "sequence_pattern", r"(?P<number>[0-9]+)\.csv", "gap_rule", "hold")
        warehouse.load("alpha/1.csv", content)
        return warehouse.load("alpha/4.csv", calls(range(10, 14))), 4, 0
    assert guard == "record_gap"
    warehouse.declare("alpha", "mapped_usage")
    _set(warehouse, "record_number_column", "record_id", "gap_rule", "hold")
    lines = [f"{n},{samples.mapped(n)}" for n in (1, 2, 5)]
    return warehouse.load("alpha/calls.csv", samples.lines("Record ID," + HEADER, *lines)), 3, 0


def _set(warehouse: Warehouse, *names_and_values: str) -> None:
    """Change settings of source alpha the way a load of reference data does."""
    names, values = names_and_values[::2], names_and_values[1::2]
    warehouse.execute("update reference.source set recorded_to = clock_timestamp() "
                      "where source_code = 'alpha'")  # fmt: skip
    warehouse.execute(
        f"insert into reference.source (source_id, source_code, carrier_code, file_kind, "
        f"layout_code, {', '.join(names)}) select source_id, source_code, 'test', 'cdr', "
        f"'mapped_usage', {', '.join(['%s'] * len(values))} from reference.source_key "
        "where source_code = 'alpha'",
        *values,
    )


GUARDS = (
    "same_bytes", "same_content", "same_name", "trailer_mismatch", "reject_ceiling",
    "sequence_gap", "record_gap",
)  # fmt: skip


@pytest.mark.parametrize("guard", GUARDS)
def test_release_lands_the_file_under_its_number(warehouse: Warehouse, guard: str) -> None:
    held, records, quarantined = _held_for(warehouse, guard)
    assert (held.status, held.status_reason) == ("held", guard)
    before = _everything(warehouse)
    planned = _release(warehouse, held, preview=True)
    assert _everything(warehouse) == before
    done = _release(warehouse, held)
    assert planned.explanation == done.explanation
    assert planned.result == done.result
    assert done.is_changed
    assert (done.result.status, done.result.status_reason) == ("landed", None)
    assert (done.result.data_count, done.result.quarantined_count) == (records, quarantined)
    assert done.result.duplicate_of_file_id == held.duplicate_of_file_id
    warehouse.check_balance(done.result)
    assert _events(warehouse, held.file_id)[-1] == ("released", "ann", "asked the carrier")
    assert warehouse.value(
        "select released_at is not null and released_by = 'ann' and content_checked_at is not null "
        "and not detection ? 'explanation' from control.file where file_id = %s",
        held.file_id,
    )
    # Nothing new the second time.
    after = _everything(warehouse)
    again = _release(warehouse, held)
    assert (again.is_changed, again.result) == (False, done.result)
    assert "already, by ann" in again.explanation
    assert _everything(warehouse) == after


@pytest.mark.parametrize("guard", GUARDS)
def test_discard_and_take_it_back(warehouse: Warehouse, guard: str) -> None:
    held, records, _ = _held_for(warehouse, guard)
    before = _everything(warehouse)
    assert _discard(warehouse, held, preview=True).result.status == "discarded"
    assert _everything(warehouse) == before
    done = _discard(warehouse, held)
    assert (done.is_changed, done.result.status) == (True, "discarded")
    assert _events(warehouse, held.file_id)[-1] == ("discarded", "bob", "sent in error")
    after = _everything(warehouse)
    assert not _discard(warehouse, held).is_changed
    assert _everything(warehouse) == after
    back = _release(warehouse, held)
    assert (back.result.status, back.result.data_count) == ("landed", records)
    warehouse.check_balance(back.result)


def test_a_discarded_file_stays_discarded_when_it_comes_again(warehouse: Warehouse) -> None:
    held, _, _ = _held_for(warehouse, "trailer_mismatch")
    _discard(warehouse, held)
    (again,) = load_paths(warehouse.connection, [warehouse.folder / "calls.csv"])
    assert (again.status, again.file_id) == ("discarded", held.file_id)
    assert f"ratehouse files release {held.file_id}" in again.explanation
    assert warehouse.value("select count(*) from control.file") == 1


def test_what_is_not_held_is_refused(warehouse: Warehouse) -> None:
    landed = warehouse.load("calls.csv", calls(range(3)))
    with pytest.raises(RatehouseError, match="has landed: there is nothing to release"):
        _release(warehouse, landed)
    with pytest.raises(RatehouseError, match="ratehouse files delete"):
        _discard(warehouse, landed)
    warehouse.execute("update control.file set status = 'withdrawn'")
    for action in (_release, _discard):
        with pytest.raises(RatehouseError, match="is withdrawn; only a held"):
            action(warehouse, landed)
    for action in (actions.release, actions.discard):
        with pytest.raises(RatehouseError, match="there is no file 99"):
            action(warehouse.connection, 99, reason="x", actor="ann")
        with pytest.raises(RatehouseError, match="say why"):
            action(warehouse.connection, 1, reason="  ", actor="ann")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("cut.csv.gz", gzip.compress(calls(range(500)).encode())[:-20], "truncated_archive"),
        ("picture.csv", b"\x89PNG\r\n" + bytes(200), "not_text"),
        ("nested.zip", zipped(("a.csv", b"x"), ("b.zip", zipped(("c", b"y")))), "nested_archive"),
    ],
)
def test_what_cannot_be_read_cannot_be_released(
    warehouse: Warehouse, name: str, content: bytes, reason: str
) -> None:
    held = warehouse.load(name, content)
    assert (held.status, held.status_reason) == ("held", reason)
    before = _everything(warehouse)
    with pytest.raises(RatehouseError, match="cannot be released"):
        _release(warehouse, held)
    assert _everything(warehouse) == before


_STRANGE = "when;who;whom;how_long\n" + "".join(
    f"2026-10-05 10:00:{n:02d};1212555{n:04d};13235550199;60\n" for n in range(10)
)


def test_an_unknown_layout_needs_a_source_or_layout(warehouse: Warehouse) -> None:
    held = warehouse.load("strange.csv", _STRANGE)
    assert (held.status, held.status_reason) == ("held", "unknown_layout")
    with pytest.raises(RatehouseError, match="--layout or its source with --source"):
        _release(warehouse, held)
    with pytest.raises(RatehouseError, match="no source 'nobody'"):
        _release(warehouse, held, source_code="nobody")
    with pytest.raises(RatehouseError, match="no layout 'nothing'; there are: .*mapped_usage"):
        _release(warehouse, held, layout_code="nothing")
    warehouse.declare(
        "alpha", "mapped_usage",
        column_map='{"when": "start_time", "who": "calling_number", "whom": "called_number", '
        '"how_long": "duration"}',
    )  # fmt: skip
    done = _release(warehouse, held, source_code="alpha")
    assert (done.result.source_code, done.result.data_count) == ("alpha", 10)
    assert (done.result.layout_code, done.result.file_id) == ("mapped_usage", held.file_id)


def test_a_layout_may_be_named(warehouse: Warehouse) -> None:
    """A header of which too little is known to be sure."""
    lines = (f"2026-10-05 10:00:{n:02d},1212555{n:04d},p,q,r" for n in range(5))
    held = warehouse.load("vague.csv", samples.lines("start_time,calling_number,x,y,z", *lines))
    assert (held.status, held.status_reason) == ("held", "unknown_layout")
    done = _release(warehouse, held, layout_code="mapped_usage")
    assert (done.result.status, done.result.source_code) == ("landed", "unassigned_mapped")


def test_a_file_whose_original_is_lost_is_refused(warehouse: Warehouse, originals: Path) -> None:
    held, _, _ = _held_for(warehouse, "trailer_mismatch")
    for path in originals.rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(RatehouseError, match="does not hold the original"):
        _release(warehouse, held)


def test_records_of_a_released_file_are_known_afterwards(warehouse: Warehouse) -> None:
    held, _, _ = _held_for(warehouse, "trailer_mismatch")
    _release(warehouse, held)
    again = warehouse.load("again.csv", calls(reversed(range(10))))
    assert (again.status_reason, again.duplicate_of_file_id) == ("same_content", held.file_id)


@pytest.mark.parametrize("guard", ["same_bytes", "same_content"])
def test_two_people_at_once(warehouse: Warehouse, database: str, guard: str) -> None:
    held, records, _ = _held_for(warehouse, guard)
    start = threading.Barrier(3)
    outcomes: list[str] = []

    def decide(action: Any, actor: str) -> None:
        with contextlib.closing(connect("ratehouse_loader", database)) as session:
            start.wait()
            try:
                decision = action(session, held.file_id, reason="why", actor=actor)
                outcomes.append("done" if decision.is_changed else "nothing")
            except RatehouseError:
                outcomes.append("refused")

    threads = [
        threading.Thread(target=decide, args=arguments)
        for arguments in (
            (actions.release, "ann"), (actions.release, "bob"), (actions.discard, "cid"),
        )
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The releases happen once; the discard comes before them, or is refused.
    assert sorted(outcomes) in (["done", "done", "nothing"], ["done", "nothing", "refused"])
    assert warehouse.value(
        "select status from control.file where file_id = %s", held.file_id
    ) == "landed"  # fmt: skip
    assert warehouse.value(
        "select count(*) from landing.mapped_usage where file_id = %s", held.file_id
    ) == records  # fmt: skip
    events = [event for event, *_ in _events(warehouse, held.file_id)]
    assert events.count("released") == 1


# -- download ------------------------------------------------------------------------------------


def test_download_is_byte_identical(warehouse: Warehouse, tmp_path: Path) -> None:
    content = gzip.compress(calls(range(30)).encode())
    result = warehouse.load("calls.csv.gz", content)
    assert result.file_id is not None
    target = tmp_path / "out"
    target.mkdir()
    written = actions.download(warehouse.connection, result.file_id, target, actor="ann")
    assert written == target / "calls.csv.gz"
    assert written.read_bytes() == content
    assert hashlib.sha256(content).hexdigest() == warehouse.value("select sha256 from control.file")
    assert _events(warehouse, result.file_id)[-1][:2] == ("downloaded", "ann")
    with pytest.raises(RatehouseError, match="exists already"):
        actions.download(warehouse.connection, result.file_id, written, actor="ann")
    with pytest.raises(RatehouseError, match="not a folder"):
        actions.download(warehouse.connection, result.file_id, target / "no" / "x", actor="ann")


def test_download_of_an_unpleasant_name(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name a supplier gave decides nothing but the last part of the path, on one line."""
    content = zipped(("sub/a.csv", calls([1]).encode()), ("b.csv", calls([2]).encode()))
    (archive, first, _) = load_paths(
        warehouse.connection, [warehouse.write("x\ny.zip", content)]
    )
    assert first.file_name == "x\ny.zip!sub/a.csv"
    out = tmp_path / "out"
    out.mkdir()
    assert first.file_id is not None and archive.file_id is not None
    written = actions.download(warehouse.connection, first.file_id, out, actor="ann")
    assert written == out / "x\\ny.zip!sub_a.csv"
    assert written.read_text() == calls([1])
    whole = actions.download(warehouse.connection, archive.file_id, out, actor="ann")
    assert whole.read_bytes() == content
