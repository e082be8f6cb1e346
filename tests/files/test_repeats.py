"""Files that repeat others: same content in another dress, overlap, same name, missing numbers."""

from __future__ import annotations

import gzip
import random
from typing import Any

import pytest

from loaders.files import overlap
from loaders.files.overlap import check_waiting_files
from tests.files.make import HEADER, calls, zipped
from tests.loaders import samples
from tests.loaders.conftest import Warehouse


def _source(warehouse: Warehouse, code: str = "alpha", **settings: Any) -> None:
    """A source of mapped files with these settings."""
    warehouse.declare(code, "mapped_usage")
    if not settings:
        return
    names = ", ".join(settings)
    warehouse.execute(
        "update reference.source set recorded_to = clock_timestamp() where source_code = %s", code
    )
    warehouse.execute(
        f"insert into reference.source (source_id, source_code, carrier_code, file_kind, "
        f"layout_code, {names}) select source_id, source_code, 'test', 'cdr', 'mapped_usage', "
        f"{', '.join(['%s'] * len(settings))} from reference.source_key where source_code = %s",
        *settings.values(),
        code,
    )


def _detection(warehouse: Warehouse, file_id: int | None) -> dict[str, Any]:
    return warehouse.value("select detection from control.file where file_id = %s", file_id)


_LINES = calls(range(40)).splitlines()
_SHUFFLED = [_LINES[0], *random.Random(7).sample(_LINES[1:], 40)]
_DRESSES = {
    "another order": "\n".join(_SHUFFLED).encode(),
    "other line ends": "\r\n".join(_LINES).encode(),
    "gzip": gzip.compress("\n".join(_LINES).encode()),
    "zip": zipped(("inside.csv", "\n".join(_LINES).encode())),
    "another encoding": "\n".join(_LINES).encode("utf-16"),
    "another delimiter": "\n".join(_LINES).replace(",", ";").encode(),
    "quoted": "\n".join('"' + line.replace(",", '","') + '"' for line in _LINES).encode(),
    "blanks around values": "\n".join(line.replace(",", " , ") for line in _LINES).encode(),
    "blank lines between": "\n\n".join(_LINES).encode(),
    "another order of columns": "\n".join(
        ",".join(reversed(line.split(","))) for line in _LINES
    ).encode(),
}


@pytest.mark.parametrize("dress", _DRESSES)
def test_the_same_records_in_another_dress_are_held(warehouse: Warehouse, dress: str) -> None:
    _source(warehouse)
    first = warehouse.load("alpha/calls.csv", calls(range(40)))
    again = warehouse.load("resent.csv", _DRESSES[dress])
    assert first.status == "landed"
    assert (again.status, again.status_reason) == ("held", "same_content")
    assert again.duplicate_of_file_id == first.file_id
    assert again.explanation == (
        f"100 % of its records stand in file {first.file_id} (calls.csv)"
    )
    assert warehouse.value("select count(*) from landing.mapped_usage") == 80


@pytest.mark.parametrize(("new", "status"), [(95, "held"), (94, "landed")])
def test_the_limit_is_ninety_five_per_cent(warehouse: Warehouse, new: int, status: str) -> None:
    first = warehouse.load("first.csv", calls(range(100)))
    second = warehouse.load("second.csv", calls(range(100 - new, 200 - new)))
    assert second.status == status
    assert _detection(warehouse, second.file_id)["overlaps"] == [
        {"file_id": first.file_id, "records": new, "percent": f"{new}.00"}
    ]


@pytest.mark.parametrize(("limit", "status"), [(50, "held"), (0, "landed"), (100, "landed")])
def test_the_limit_belongs_to_the_source(warehouse: Warehouse, limit: int, status: str) -> None:
    _source(warehouse, overlap_hold_percent=limit)
    warehouse.load("alpha/first.csv", calls(range(20)))
    assert warehouse.load("alpha/second.csv", calls(range(8, 28))).status == status


def test_a_file_of_new_records_says_nothing(warehouse: Warehouse) -> None:
    warehouse.load("first.csv", calls(range(20)))
    second = warehouse.load("second.csv", calls(range(20, 40)))
    assert second.status == "landed"
    assert "overlaps" not in _detection(warehouse, second.file_id)


def test_one_record_is_enough(warehouse: Warehouse) -> None:
    warehouse.load("first.csv", calls(range(20)))
    assert warehouse.load("one.csv", calls([7])).status_reason == "same_content"


def test_a_file_without_records_repeats_nothing(warehouse: Warehouse) -> None:
    for name in ("monday.csv", "tuesday.csv"):
        assert warehouse.load(name, HEADER + "\n" * len(name)).status == "landed"


def test_records_repeated_inside_a_file_count_each(warehouse: Warehouse) -> None:
    warehouse.load("first.csv", calls([1]))
    second = warehouse.load("second.csv", calls([1] * 19 + [2]))
    assert (second.status, second.status_reason) == ("held", "same_content")
    assert _detection(warehouse, second.file_id)["overlaps"][0]["records"] == 19


def test_the_file_with_most_in_common_is_named(warehouse: Warehouse) -> None:
    warehouse.load("tenth.csv", calls(range(10)))
    half = warehouse.load("half.csv", calls(range(10, 60)))
    third = warehouse.load("third.csv", calls(range(0, 100)))
    assert third.status == "landed"
    assert [o["file_id"] for o in _detection(warehouse, third.file_id)["overlaps"]][0] == (
        half.file_id
    )


def test_only_what_has_landed_is_repeated(warehouse: Warehouse) -> None:
    """A held file does not hold others: otherwise nothing could ever be sent again."""
    first = warehouse.load("first.csv", calls(range(20)))
    warehouse.load("held.csv", calls(reversed(range(20))))
    warehouse.execute(
        "update control.file set status = 'withdrawn' where file_id = %s", first.file_id
    )
    assert warehouse.load("third.csv", calls([*range(10, 20), *range(10)])).status == "landed"


def test_a_small_file_inside_a_large_one_is_found(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The large file is known by a sixteenth of its records only."""
    monkeypatch.setattr(overlap, "_WHOLE_SAMPLE", 500)
    large = warehouse.load("large.csv", calls(range(6000)))
    kept = warehouse.value("select count(*) from control.file_record_sample")
    assert 250 < kept < 500
    small = warehouse.load("small.csv", calls(range(3000, 3300)))
    assert (small.status, small.duplicate_of_file_id) == ("held", large.file_id)
    resent = warehouse.load("resent.csv", calls(reversed(range(6000))))
    assert (resent.status, resent.duplicate_of_file_id) == ("held", large.file_id)
    most = warehouse.load("most.csv", calls(range(1000, 7000)))
    assert most.status == "landed"
    assert _detection(warehouse, most.file_id)["overlaps"][0]["percent"] == "83.33"


def test_large_files_wait_for_the_rating_run(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.load("first.csv", calls(range(20)))
    monkeypatch.setattr("loaders.files.arrival.CHECKED_AT_ONCE", 19)
    second = warehouse.load("second.csv", calls(reversed(range(20))))
    assert second.status == "landed"
    assert check_waiting_files(warehouse.connection) == [second.file_id]
    assert check_waiting_files(warehouse.connection) == []
    assert warehouse.rows(
        "select status, status_reason from control.file where file_id = %s", second.file_id
    ) == [("held", "same_content")]


def test_a_file_that_was_rated_is_not_held_afterwards(warehouse: Warehouse) -> None:
    """Files of a database that is older than this guard."""
    files = [
        warehouse.load(name, content)
        for name, content in (("a.csv", calls(range(9))), ("b.csv", calls(range(10, 19))))
    ]
    again = warehouse.load("c.csv", calls(reversed(range(9))))
    warehouse.execute(
        "with r as (insert into control.rating_run (run_kind, status, reference_cutoff) "
        "values ('initial', 'closed', now()) returning rating_run_id) "
        "insert into control.rating_run_file (rating_run_id, file_id, is_initial) "
        "select rating_run_id, %s, true from r",
        again.file_id,
    )
    warehouse.execute(
        "update control.file set status = 'landed', content_checked_at = null "
        "where file_id = %s",
        again.file_id,
    )
    assert check_waiting_files(warehouse.connection) == []
    overlaps = _detection(warehouse, again.file_id)["overlaps"]
    assert [o["file_id"] for o in overlaps] == [files[0].file_id]


# -- same name -----------------------------------------------------------------------------------


def test_the_same_name_is_held_where_the_source_wants_it(warehouse: Warehouse) -> None:
    _source(warehouse, same_name_rule="hold")
    _source(warehouse, "beta")
    first = warehouse.load("alpha/calls.csv", calls(range(5)))
    corrected = warehouse.load("alpha/calls.csv", calls(range(5, 12)))
    assert (corrected.status, corrected.status_reason) == ("held", "same_name")
    assert corrected.duplicate_of_file_id == first.file_id
    assert warehouse.load("beta/calls.csv", calls(range(20, 25))).status == "landed"
    assert warehouse.load("beta/calls.csv", calls(range(25, 30))).status == "landed"
    assert warehouse.load("alpha/other.csv", calls(range(30, 35))).status == "landed"


# -- missing numbers -----------------------------------------------------------------------------

_PATTERN = r"^(?P<series>[a-z]+)_(?P<number>[0-9]+)\.csv$"


@pytest.mark.parametrize(("rule", "status"), [("off", "landed"), ("report", "landed"),
                                              ("hold", "held")])  # fmt: skip
def test_missing_files(warehouse: Warehouse, rule: str, status: str) -> None:
    _source(warehouse, sequence_pattern=_PATTERN, gap_rule=rule)
    assert warehouse.load("alpha/east_0007.csv", calls([1])).status == "landed"
    assert warehouse.load("alpha/west_0001.csv", calls([2])).status == "landed"
    assert warehouse.load("alpha/east_0008.csv", calls([3])).status == "landed"
    late = warehouse.load("alpha/east_0011.csv", calls([4]))
    assert late.status == status
    expected = None if rule == "off" else [9, 10]
    assert _detection(warehouse, late.file_id).get("missing_files") == expected
    if rule == "hold":
        assert late.status_reason == "sequence_gap"
        assert late.explanation == "this is file number 11 of series east, but 9 to 10 never came"
        for number, call in ((9, 5), (10, 6), (11, 4)):
            again = warehouse.load(f"alpha/east_{number:04d}.csv", calls([call]))
            assert again.status == "landed"


def test_a_late_file_reports_nothing(warehouse: Warehouse) -> None:
    _source(warehouse, sequence_pattern=_PATTERN, gap_rule="hold")
    warehouse.load("alpha/east_0007.csv", calls([1]))
    assert warehouse.load("alpha/east_0003.csv", calls([2])).status == "landed"
    assert warehouse.load("alpha/unnumbered.csv", calls([3])).status == "landed"


@pytest.mark.parametrize(("rule", "status"), [("off", "landed"), ("report", "landed"),
                                              ("hold", "held")])  # fmt: skip
def test_missing_records(warehouse: Warehouse, rule: str, status: str) -> None:
    _source(warehouse, record_number_column="record_id", gap_rule=rule)
    lines = [f"{n},{samples.mapped(n)}" for n in (5, 6, 9, 10, 12, 7)]
    result = warehouse.load("alpha/calls.csv", samples.lines("Record ID," + HEADER, *lines))
    assert result.status == status
    found = _detection(warehouse, result.file_id).get("missing_records")
    assert found == (None if rule == "off" else [[8, 8], [11, 11]])
    if rule == "hold":
        assert result.explanation == "records are missing: record_id 8, 11"
