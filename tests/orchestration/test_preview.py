"""A preview says what files would become, and leaves no trace."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from loaders.database import connect
from loaders.files import load_paths
from loaders.files.actions import discard
from orchestration.lib.preview import preview_paths, preview_received

_HEADER = "call_id,start_time,calling_number,called_number,duration,carrier_amount\n"
_FIRST = "a1,2026-10-01 10:00:00,2125550101,2125550199,60,0.0125\n"
_SECOND = "a2,2026-10-01 11:00:00,2125550101,2125550199,61,0.1234567\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "first.csv").write_text(_HEADER + _FIRST)
    (tmp_path / "second.csv").write_text(_HEADER + _FIRST + _SECOND + "a3,too,few\n")
    return tmp_path


@pytest.fixture
def url(module_database: str) -> Iterator[str]:
    """A database in which each test finds what it itself put there."""
    yield module_database
    with closing(connect(url=module_database)) as connection, connection.cursor() as cursor:
        cursor.execute("set session_replication_role = replica")
        cursor.execute("delete from control.file_record_sample")
        cursor.execute("delete from landing.mapped_usage")
        cursor.execute("delete from control.file")
        connection.commit()


def previewed(url: str, *paths: Path) -> list[dict[str, Any]]:
    with (
        closing(connect(url=url)) as connection,
        preview_paths(connection, url, paths) as found,
    ):
        return [json.loads("".join(preview.to_json()), parse_float=Decimal) for preview in found]


def loaded(url: str, *paths: Path) -> list[Any]:
    with closing(connect(role="ratehouse_loader", url=url)) as connection:
        return load_paths(connection, paths)


def traces(url: str) -> list[tuple[Any, ...]]:
    """Everything a preview could have left behind."""
    with closing(connect(url=url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select 'files', count(*)::text from control.file "
            "union all select 'runs', count(*)::text from control.rating_run "
            "union all select 'events', count(*)::text from control.event "
            "union all select 'landed', count(*)::text from landing.mapped_usage "
            "union all select 'other lines', count(*)::text from landing.non_data_line "
            "union all select 'quarantined', count(*)::text from landing.quarantine "
            "union all select 'next file', last_value::text from control.file_file_id_seq "
            "union all select 'schemas', string_agg(nspname, ',' order by nspname) "
            "from pg_namespace"
        )
        return cursor.fetchall()


def test_a_preview_tells_everything_and_leaves_no_trace(url: str, files: Path) -> None:
    before = traces(url)
    first, second = previewed(url, files / "first.csv", files / "second.csv")
    assert traces(url) == before
    assert first["lines"] == {"total": 2, "data": 1, "non_data": 1, "quarantined": 0}
    assert first["states"]["billable"] == 1
    assert second["lines"] == {"total": 4, "data": 2, "non_data": 1, "quarantined": 1}
    assert second["quarantine"][0]["line_no"] == 4
    assert second["quarantine_reasons"] == {"too_few_fields": 1}
    # The second file repeats a record of the first, which would land before it.
    assert second["states"] == {
        "billable": 1, "not_billable": {}, "duplicate": {"repeated_record": 1}, "error": {},
    }  # fmt: skip
    repeat, fresh = second["records"]
    assert repeat["outcome"][0]["repeats"] == "first.csv:2"
    assert fresh["start_utc"] == "2026-10-01T11:00:00Z"
    assert fresh["carrier_cost"] == Decimal("0.1234567")
    assert fresh["outcome"][0]["reason"] == "service_not_found"


def test_a_limit_cuts_the_lists_and_not_the_counts(url: str, files: Path) -> None:
    with (
        closing(connect(url=url)) as connection,
        preview_paths(connection, url, [files / "second.csv"]) as (found,),
    ):
        shown = json.loads("".join(found.to_json(limit=1)))
    assert len(shown["records"]) == 1
    assert shown["lines"]["data"] == 2


def test_records_that_landed_and_wait_are_seen(url: str, files: Path) -> None:
    loaded(url, files / "first.csv")
    (again,) = previewed(url, files / "first.csv")
    assert again["status"] == "already_loaded"
    assert again["states"]["duplicate"] == {"repeated_record": 1}


def test_a_held_file_shows_what_it_would_become(url: str, files: Path) -> None:
    loaded(url, files / "first.csv")
    (files / "copy.csv").write_bytes((files / "first.csv").read_bytes())
    (held,) = loaded(url, files / "copy.csv")
    assert held.status_reason == "same_bytes"
    before = traces(url)
    with (
        closing(connect(url=url)) as connection,
        preview_received(connection, url, held.file_id) as found,
    ):
        shown = json.loads("".join(found.to_json()))
    assert traces(url) == before
    assert shown["status_reason"] == "same_bytes"
    assert shown["states"]["duplicate"] == {"repeated_record": 1}


def test_a_discarded_file_shows_what_it_would_become(url: str, files: Path) -> None:
    loaded(url, files / "first.csv")
    (files / "copy.csv").write_bytes((files / "first.csv").read_bytes())
    (held,) = loaded(url, files / "copy.csv")
    with closing(connect(role="ratehouse_loader", url=url)) as connection:
        discard(connection, held.file_id, reason="sent twice", actor="somebody")
    with (
        closing(connect(url=url)) as connection,
        preview_received(connection, url, held.file_id) as found,
    ):
        shown = json.loads("".join(found.to_json()))
    assert (shown["status"], shown["lines"]["data"]) == ("discarded", 1)
    assert f"files release {held.file_id}" in shown["explanation"]
    (again,) = previewed(url, files / "copy.csv")
    assert again["status"] == "discarded"


def test_files_inside_an_archive_are_previewed_each(url: str, files: Path) -> None:
    archive = files / "both.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        stream.write(files / "first.csv", "first.csv")
        stream.write(files / "second.csv", "second.csv")
    shown = previewed(url, archive)
    assert [preview["file"] for preview in shown] == ["both.zip!first.csv", "both.zip!second.csv"]
    assert [preview["lines"]["data"] for preview in shown] == [1, 2]


def test_what_cannot_land_says_why(url: str, files: Path) -> None:
    (files / "poem.txt").write_text("roses are red\nviolets are blue\n")
    (files / "link.csv").symlink_to(files / "first.csv")
    shown = {preview["file"]: preview for preview in previewed(url, files)}
    assert shown["poem.txt"]["status"] == "held"
    assert shown["poem.txt"]["status_reason"] == "unknown_layout"
    assert shown["link.csv"]["status"] == "failed"
    assert shown["first.csv"]["status"] == "landed"
