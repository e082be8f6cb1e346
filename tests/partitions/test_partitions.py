"""Months of facts: made ahead, archived with checksums, read back equal; refused where needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from psycopg2 import errors

from loaders import partitions
from loaders.database import connect
from loaders.partitions import ArchiveRefused, archive_month, attach_month
from loaders.runs import locks
from loaders.runs.errors import RunAlreadyAtWork

TODAY = date(2026, 11, 21)
OLD = date(2024, 10, 1)
WHY: dict[str, Any] = {"reason": "room", "actor": "ann"}

FACT = """
create schema rating;
create table rating.rated_usage (
    account_id bigint not null, usage_id bigint, started_at timestamptz, period_month date,
    amount numeric(28, 14), seconds numeric, is_split boolean, leg_no smallint, words text,
    detail jsonb, parts text[]
) partition by range (started_at);
create table rating.rated_usage_undated partition of rating.rated_usage default;
create table rating.rated_usage_202410 partition of rating.rated_usage
for values from ('2024-10-01 00:00:00+00') to ('2024-11-01 00:00:00+00');
create index on rating.rated_usage using brin (started_at);
insert into rating.rated_usage
select n % 7, n, timestamptz '2024-10-01 00:00:00+00' + n * interval '10.000001 minutes',
    '2024-10-01', 1.00000000000001 * n, 1.50, n % 2 = 0, 1,
    (array[
        'a\tb', E'back\\\\slash', E'two\\nlines', '', null, '\\N', 'Zürich', E'cr\\r'])[n % 8 + 1],
    case when n % 3 = 0 then jsonb_build_object('n', n, 'text', E'"\\n') end,
    case when n % 5 = 0 then array['x', null, 'y,z'] end
from generate_series(0, 3000) as n;
insert into rating.rated_usage (account_id, usage_id) values (0, 99999);
"""
CLOSE = """
insert into control.invoice_run
(period_month, bill_group, status, reference_cutoff) values
('2024-10-01', 'main', 'posted', now()), ('2024-10-01', 'wholesale', 'posted', now())
"""


@pytest.fixture
def warehouse(database: str) -> Iterator[Any]:
    """A fact of one old month, as its owner sees it; its periods are billed, and open."""
    with closing(connect(role="ratehouse_transformer", url=database)) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute("reset role")
            cursor.execute(CLOSE)
            cursor.execute("set role ratehouse_transformer")
            cursor.execute(FACT)
        yield connection


def _close(connection: Any, *groups: str) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("reset role")
        cursor.execute(
            "insert into control.closed_period (period_month, bill_group, closed_by, reason) "
            "select '2024-10-01', g, 'ann', 'posted' from unnest(%s::text[]) as g",
            (list(groups),),
        )
        cursor.execute("set role ratehouse_transformer")


def _rows(connection: Any, query: str) -> list[tuple[Any, ...]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


ALL = "select * from rating.rated_usage order by usage_id"


def test_a_month_goes_and_comes_back_the_same(warehouse: Any, tmp_path: Path) -> None:
    _close(warehouse, "main", "wholesale")
    before = _rows(warehouse, ALL)
    (gone,) = archive_month(warehouse, OLD, tmp_path, today=TODAY, **WHY)
    assert (gone.rows, gone.path.name) == (3001, "rating_rated_usage_202410.parquet")
    assert [row[1] for row in _rows(warehouse, ALL)] == [99999]
    manifest = json.loads((tmp_path / "rating_rated_usage_202410.json").read_text())
    assert (manifest["rows"], manifest["sha256"], manifest["periods"]) == (
        3001, gone.sha256, ["2024-10"],
    )  # fmt: skip
    assert [a.month for a in partitions.archived_months(warehouse)] == [OLD]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "rating_rated_usage_202410.json",
        "rating_rated_usage_202410.parquet",
    ]

    (back,) = attach_month(warehouse, OLD, tmp_path, **WHY)
    assert _rows(warehouse, ALL) == before
    assert back.checksum == gone.checksum
    assert partitions.archived_months(warehouse) == []
    assert _rows(warehouse, "select act, reason, actor from control.partition_archive") == [
        ("archived", "room", "ann"),
        ("attached", "room", "ann"),
    ]
    # a second time, the same bytes
    (again,) = archive_month(warehouse, OLD, tmp_path, today=TODAY, **WHY)
    assert again.checksum == gone.checksum


def test_rows_that_came_meanwhile_stay(warehouse: Any, tmp_path: Path) -> None:
    _close(warehouse, "main", "wholesale")
    archive_month(warehouse, OLD, tmp_path, today=TODAY, **WHY)
    with warehouse, warehouse.cursor() as cursor:
        cursor.execute(
            "create table rating.rated_usage_202410 partition of rating.rated_usage "
            "for values from ('2024-10-01 00:00:00+00') to ('2024-11-01 00:00:00+00');"
            "insert into rating.rated_usage values (1, 77777, '2024-10-05')"
        )
    attach_month(warehouse, OLD, tmp_path, **WHY)
    assert _rows(warehouse, "select count(*) from rating.rated_usage") == [(3003,)]


@pytest.mark.parametrize(
    ("closed", "given", "words"),
    [
        ((), {}, "not closed: 2024-10, bill group main; 2024-10, bill group wholesale"),
        (("main",), {}, "not closed: 2024-10, bill group wholesale"),
        (("main", "wholesale"), {"reason": " "}, "say why"),
        (("main", "wholesale"), {"today": date(2026, 10, 1)}, "24 months old, and drafts may look"),
    ],
)
def test_refusals(
    warehouse: Any, tmp_path: Path, closed: tuple[str, ...], given: dict[str, Any], words: str
) -> None:
    _close(warehouse, *closed)
    with pytest.raises(ArchiveRefused, match=words):
        archive_month(warehouse, OLD, tmp_path, **{"today": TODAY, **WHY, **given})
    assert _rows(warehouse, "select count(*) from rating.rated_usage") == [(3002,)]
    assert list(tmp_path.iterdir()) == []


def test_what_was_changed_in_the_archive_is_refused(warehouse: Any, tmp_path: Path) -> None:
    _close(warehouse, "main", "wholesale")
    (gone,) = archive_month(warehouse, OLD, tmp_path, today=TODAY, **WHY)
    bytes_before = gone.path.read_bytes()
    gone.path.write_bytes(bytes_before[:-9] + b"x" + bytes_before[-8:])
    with pytest.raises(ArchiveRefused, match="its bytes have changed"):
        attach_month(warehouse, OLD, tmp_path, **WHY)
    gone.path.unlink()
    with pytest.raises(ArchiveRefused, match="is missing"):
        attach_month(warehouse, OLD, tmp_path, **WHY)
    assert _rows(warehouse, "select count(*) from rating.rated_usage") == [(1,)]


def test_a_file_that_does_not_read_back_keeps_the_month(
    warehouse: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _close(warehouse, "main", "wholesale")
    field = partitions.archive._field
    monkeypatch.setattr(partitions.archive, "_field", lambda v: field(v).replace("rich", "rick"))
    with pytest.raises(ArchiveRefused, match="does not read back"):
        archive_month(warehouse, OLD, tmp_path, today=TODAY, **WHY)
    assert _rows(warehouse, "select count(*) from rating.rated_usage") == [(3002,)]
    assert partitions.archived_months(warehouse) == []


def test_not_while_a_run_is_at_work(database: str, warehouse: Any, tmp_path: Path) -> None:
    with closing(connect(url=database)) as writer:
        locks.take_lock(writer, "")
        with pytest.raises(RunAlreadyAtWork):
            archive_month(warehouse, OLD, tmp_path, today=TODAY, **WHY)
        with pytest.raises(RunAlreadyAtWork):
            partitions.keep(warehouse, ahead=1, today=TODAY)


def test_the_memory_of_archives_is_append_only(warehouse: Any, tmp_path: Path) -> None:
    _close(warehouse, "main", "wholesale")
    archive_month(warehouse, OLD, tmp_path, today=TODAY, **WHY)
    for role in ("ratehouse_owner", "ratehouse_transformer", "ratehouse_loader"):
        for statement in ("update {} set row_count = 0", "delete from {}", "truncate {}"):
            with (
                pytest.raises((errors.RestrictViolation, errors.InsufficientPrivilege)),
                warehouse,
                warehouse.cursor() as cursor,
            ):
                cursor.execute(f"set local role {role}")
                cursor.execute(statement.format("control.partition_archive"))


def test_months_are_kept(warehouse: Any) -> None:
    done = partitions.keep(warehouse, ahead=2, today=TODAY)
    assert done[:3] == [f"rating.rated_usage: made {m}" for m in ("2026-11", "2026-12", "2027-01")]
    assert partitions.keep(warehouse, ahead=2, today=TODAY) == [
        "rating.rated_usage: statistics renewed"
    ]
    months = [p.month for p in partitions.partitions(warehouse)]
    assert months == [OLD, date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1), None]
    options = _rows(
        warehouse,
        "select distinct reloptions[1] from pg_class where relname like 'rated\\_usage\\_%' "
        "and relkind = 'r'",
    )
    assert options == [("autovacuum_analyze_scale_factor=0.02",)]
    analyzed = "select reltuples > 3000 from pg_class where relname = 'rated_usage'"
    assert _rows(warehouse, analyzed) == [(True,)]
    (index,) = partitions.index_use(warehouse)
    assert (index.relation, index.remark) == ("rating.rated_usage", "never used yet")
