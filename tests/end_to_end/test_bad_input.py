"""One drop folder with everything that goes wrong in practice, among good records."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.balance import assert_balanced
from tests.end_to_end.small import write_small_reference
from tests.end_to_end.warehouse import Warehouse
from tests.loaders import samples

COMMAND = Path(sys.executable).parent / "ratehouse"
HEADER = "Start;From;To;Seconds;Customer;Note"


def _carrier(second: int, **changes: str) -> str:
    fields = {
        "start": f"2026-10-06 11:00:{second:02d}", "from": "12125550100", "to": "+442079460018",
        "seconds": "60", "customer": "acme", "note": "",
    } | changes  # fmt: skip
    return ";".join(fields.values())


# Line of values.csv, what is wrong there, the reason it must be given.
VALUES = {
    3: ({"start": "2026-02-30 11:00:00"}, "invalid_start_time"),
    4: ({"seconds": "-60"}, "negative_duration"),
    5: ({"to": "4.47912E+11"}, "scientific_notation_number"),
    6: ({"seconds": "one"}, "invalid_duration"),
    7: ({"to": ""}, "missing_called_number"),
    8: ({"customer": "nobody"}, "service_not_found"),
    9: ({"to": "+8835100001234"}, "missing_rate"),
}
HELD = {
    ("carrier", "page.csv"): "unknown_layout",
    ("pbx", "broken.csv.gz"): "truncated_archive",
}
BILLED = {"lines.csv": 4, "latin1.csv": 3, "values.csv": 2, "headerless.csv": 5, "empty.csv": 0}


@dataclass(frozen=True)
class Loaded:
    """What the command said, and the warehouse after rating."""

    code: int
    said: str
    warehouse: Warehouse

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.warehouse.rows(query, *values)


def _write_drop(folder: Path) -> None:
    good = [samples.cdr_csv(number) for number in range(4)]
    packed = gzip.compress(samples.lines(*map(samples.cdr_csv, range(40, 60))).encode())
    files: dict[str, str | bytes] = {
        # Line 2 lacks a field, line 4 has more than any variant of the layout.
        "pbx/lines.csv": samples.lines(
            good[0],
            good[1].rpartition(",")[0],
            good[2],
            good[3] + ',"surplus"' * 7,
            good[1],
            good[3],
        ),
        "pbx/empty.csv": b"",
        "pbx/broken.csv.gz": packed[: len(packed) // 2],
        "carrier/page.csv": "<!DOCTYPE html>\n<html><body>Please sign in again</body></html>\n",
        "carrier/latin1.csv": samples.lines(
            HEADER, *(_carrier(second, note="Café Zürich") for second in range(3))
        ).encode("latin-1"),
        "carrier/values.csv": samples.lines(
            HEADER,
            _carrier(20),
            *(_carrier(20 + line, **changes) for line, (changes, _) in VALUES.items()),
            _carrier(40),
        ),
        "plain/headerless.csv": samples.lines(
            *(f"2026-10-07 12:00:0{n},12125550100,13235550{n}00,30,acme" for n in range(5))
        ),
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture(scope="module")
def loaded(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """The folder loaded by the command, as an operator does, then rated."""
    folder = tmp_path_factory.mktemp("bad")
    warehouse.load_reference(write_small_reference(folder / "reference"))
    _write_drop(folder / "drop")
    done = subprocess.run(
        [COMMAND, "load", folder / "drop"],
        env={**os.environ, "RATEHOUSE_DATABASE_URL": warehouse.url, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert warehouse.rate() is not None
    return Loaded(done.returncode, done.stdout + done.stderr, warehouse)


def test_the_command_says_what_a_person_should_look_at(loaded: Loaded) -> None:
    assert loaded.code == 3, loaded.said
    assert "Traceback" not in loaded.said
    assert "lines.csv, line 2, amaflags: the line has 15 fields" in loaded.said
    assert "lines.csv, line 4" in loaded.said
    for _, name in HELD:
        assert f"{name}: held: " in loaded.said


def test_files_that_cannot_be_trusted_are_held_with_a_reason(loaded: Loaded) -> None:
    held = loaded.rows(
        "select source_code, file_name, status_reason, detection ->> 'explanation' "
        "from control.file where status = 'held'"
    )
    assert {(source, name): reason for source, name, reason, _ in held} == HELD
    assert all(explanation for *_, explanation in held)


def test_good_records_are_billed_all_the_same(loaded: Loaded) -> None:
    billed = dict(
        loaded.rows(
            "select f.file_name, count(r.usage_id) filter (where r.state = 'billed') "
            "from control.file as f "
            "left join rating.current_rated_usage as r on f.file_id = r.file_id "
            "where f.status = 'landed' group by 1"
        )
    )
    assert billed == BILLED
    assert loaded.rows(
        "select distinct category from landing.mapped_usage as l "
        "inner join control.file as f on l.file_id = f.file_id where f.file_name = 'latin1.csv'"
    ) == [("Café Zürich",)]


def test_unreadable_lines_are_named_by_file_line_field_and_reason(loaded: Loaded) -> None:
    quarantined = loaded.rows(
        "select f.file_name, q.line_no, q.reason_code, q.field_name is not null, q.reason "
        "from landing.quarantine as q inner join control.file as f on q.file_id = f.file_id "
        "order by 1, 2"
    )
    assert [row[:3] for row in quarantined] == [
        ("lines.csv", 2, "too_few_fields"),
        ("lines.csv", 4, "too_many_fields"),
    ]
    assert [row[3] for row in quarantined] == [True, True]
    assert "15 fields" in quarantined[0][4]
    assert "23 fields" in quarantined[1][4]


def test_unusable_values_are_named_by_file_line_and_reason(loaded: Loaded) -> None:
    errors = loaded.rows(
        "select line_no, reason, reason_in_words, landed_values "
        "from marts.rpt_explain__usage where state = 'error' and file_name = 'values.csv' "
        "order by 1"
    )
    assert {line: reason for line, reason, *_ in errors} == {
        line: reason for line, (_, reason) in VALUES.items()
    }
    for line, _, in_words, landed in errors:
        assert in_words
        ((_, given),) = VALUES[line][0].items()
        assert given == "" or given in landed.values()
    assert loaded.rows(
        "select count(*) from marts.rpt_explain__usage "
        "where state = 'error' and file_name <> 'values.csv'"
    ) == [(0,)]
    # Each reason is told with what to do about it.
    suspense = loaded.rows(
        "select reason from marts.rpt_suspense where kind = 'usage' and what_to_do <> ''"
    )
    assert {reason for (reason,) in suspense} == {reason for _, reason in VALUES.values()}


def test_the_totals_balance(loaded: Loaded) -> None:
    assert assert_balanced(loaded.warehouse) == len(HELD) + len(BILLED)
