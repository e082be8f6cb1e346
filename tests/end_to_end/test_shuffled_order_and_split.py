"""One file or several, in one run or several, by one thread or two: the same money."""

from __future__ import annotations

import csv
import io
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.balance import assert_balanced
from tests.end_to_end.conftest import Month
from tests.end_to_end.warehouse import OpenRun, Warehouse

PARTS = 3
SOURCES = ("whole", "split", "shuffled")

# Accounts and classes by source, to the digit.
_SUMS = """
    select
        a.account_code, r.direction, r.charge_class, r.state, r.reason, count(*),
        sum(r.retail_billed_seconds), sum(r.retail_amount), sum(r.cost_amount)
    from rating.current_rated_usage as r
    inner join reference.source_key as s on r.source_id = s.source_id
    inner join reference.account_key as a on r.account_id = a.account_id
    where s.source_code = %s
    group by 1, 2, 3, 4, 5
    order by 1, 2, 3, 4, 5
"""
# What was decided about each record, found by what stands in it.
_DECISIONS = """
    select
        (to_jsonb(l) - 'file_id' - 'line_no')::text, l.uniqueid || '|' || l.sequence, r.leg_no,
        r.state, r.reason, r.account_id, r.service_id, r.retail_rate_id, r.retail_amount,
        r.cost_amount, r.period_month
    from rating.current_rated_usage as r
    inner join landing.asterisk_cdr as l on r.file_id = l.file_id and r.line_no = l.line_no
    inner join reference.source_key as s on r.source_id = s.source_id
    where s.source_code = %s
"""
_RUN_CHECKSUM = """
    select count(*), md5(string_agg(md5(to_jsonb(r)::text), '' order by r.usage_id))
    from rating.rated_usage as r where r.rating_run_id = %s
"""


def _records(folder: Path) -> list[list[str]]:
    """The switch's records in their order, some repeated and some contradicted further on."""
    records = [
        row
        for path in sorted((folder / "files" / "west_pbx").glob("Master-*.csv"))
        for row in csv.reader(io.StringIO(path.read_text("utf-8", "replace"), newline=""))
        if len(row) == 21
    ]
    rng = random.Random(3)
    far = rng.sample(range(len(records) // 2), 30)
    repeated = [list(records[position]) for position in far[:20]]
    contradicted = [list(records[position]) for position in far[20:]]
    for record in contradicted:
        record[13] = str(int(record[13] or 0) + 7) if record[13].isdigit() else "7"
    # The same key on another day is another record: switches count anew after a reset.
    reused = [list(records[position]) for position in rng.sample(far, 5)]
    for record in reused:
        for moment in (9, 10, 11):
            record[moment] = record[moment].replace("2026-10-", "2026-09-")
    for record in (*repeated, *contradicted, *contradicted[:3], *reused):
        records.insert(rng.randrange(len(records) // 2, len(records)), record)
    return records


def _write(path: Path, records: list[list[str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(records)
    return path


@pytest.fixture(scope="module")
def rated(
    month: Month, make_warehouse: Callable[[], Warehouse], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Warehouse, list[tuple[int, str]]]:
    """The same records under three sources, and the checksums of run 1 by two threads and one."""
    folder = tmp_path_factory.mktemp("orders")
    records = _records(month.folder)
    assert len(records) > 400
    size = len(records) // PARTS + 1
    parts = [
        _write(folder / f"part{number}.csv", records[number * size : (number + 1) * size])
        for number in range(PARTS)
    ]
    shuffled = records.copy()
    random.Random(9).shuffle(shuffled)
    whole = _write(folder / "whole.csv", records)
    warehouse = make_warehouse()
    warehouse.load_reference(month.folder / "reference")
    with (month.folder / "reference" / "source.csv").open(encoding="utf-8", newline="") as stream:
        west = next(row for row in csv.DictReader(stream) if row["source_code"] == "west_pbx")
    sources = folder / "source.csv"
    with sources.open("w", encoding="utf-8", newline="") as stream:
        # One switch's records under three names: nobody else's repeats, so no file is held.
        west["overlap_hold_percent"] = "0"
        writer = csv.DictWriter(stream, list(west), lineterminator="\n")
        writer.writeheader()
        writer.writerows(west | {"source_code": code} for code in SOURCES)
    warehouse.load_reference(sources, "source")

    warehouse.load(whole, source_code="whole")
    warehouse.load(_write(folder / "shuffled.csv", shuffled), source_code="shuffled")
    warehouse.load(parts[0], source_code="split")
    checksums = []
    with OpenRun(warehouse) as first:
        first.build(threads=2)
        checksums += warehouse.rows(_RUN_CHECKSUM, first.run.rating_run_id)
        first.fail("to be built again by one thread")
    with OpenRun(warehouse) as again:
        assert again.run.rating_run_id == first.run.rating_run_id
        again.build(threads=1)
        checksums += warehouse.rows(_RUN_CHECKSUM, again.run.rating_run_id)
        again.close()
    for part in parts[1:]:
        warehouse.load(part, source_code="split")
        assert warehouse.rate() is not None
    return warehouse, checksums


Rated = tuple[Warehouse, list[tuple[int, str]]]


def test_threads_do_not_matter(rated: Rated) -> None:
    _, (by_two, by_one) = rated
    assert by_two == by_one
    assert by_two[0] > 1000


def test_split_over_files_and_runs_every_record_ends_the_same(rated: Rated) -> None:
    warehouse, _ = rated
    runs = warehouse.value(
        "select count(distinct r.rating_run_id) from rating.current_rated_usage as r "
        "inner join reference.source_key as s on r.source_id = s.source_id "
        "where s.source_code = 'split'"
    )
    assert runs == PARTS
    sums = warehouse.rows(_SUMS, "whole")
    assert {row[3] for row in sums} == {"billed", "not_billable", "duplicate", "error"}
    assert warehouse.rows(_SUMS, "split") == sums
    decisions = Counter(warehouse.rows(_DECISIONS, "whole"))
    assert Counter(warehouse.rows(_DECISIONS, "split")) == decisions
    assert_balanced(warehouse)


def test_shuffled_only_contradicting_records_may_swap(rated: Rated) -> None:
    """Which of two contradicting records came first is all that the order decides."""
    warehouse, _ = rated
    contents: dict[str, set[str]] = defaultdict(set)
    whole, shuffled = (warehouse.rows(_DECISIONS, source) for source in ("whole", "shuffled"))
    for content, key, *_ in whole:
        contents[key].add(content)
    contradicted = {key for key, found in contents.items() if len(found) > 1}
    assert len(contradicted) >= 10

    def plain(rows: list[tuple]) -> Counter:
        return Counter(row for row in rows if row[1] not in contradicted)

    def counts(rows: list[tuple]) -> Counter:
        return Counter(
            (row[1], row[4]) for row in rows
            if row[1] in contradicted and row[4] in ("key_conflict", "repeated_record")
        )  # fmt: skip

    assert plain(shuffled) == plain(whole)
    assert counts(shuffled) == counts(whole)
