"""What a reprocess says it would clear is what it then clears, and saying it changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from loaders import runs
from loaders.database import connect
from loaders.runs import whatif
from orchestration.lib import what_if
from tests.end_to_end.small import write_kind, write_small_reference
from tests.end_to_end.test_withdraw import _STATES, call, write
from tests.end_to_end.warehouse import Warehouse

_ALL = runs.SuspenseFilters()


@pytest.fixture(scope="module")
def suspended(
    make_warehouse: Callable[[], Warehouse], tmp_path_factory: pytest.TempPathFactory
) -> Warehouse:
    """Two calls to France and one to Germany without a price, one to nowhere, one that is billed;
    then France gets a price."""
    warehouse = make_warehouse()
    folder = tmp_path_factory.mktemp("suspended")
    warehouse.load_reference(write_small_reference(folder / "reference"))
    calls = (
        call(1, called="+33123456789"), call(2, called="+33123456788"),
        call(3, called="+4930123456"), call(4, called=""), call(5),
    )  # fmt: skip
    warehouse.load(write(folder, "one.csv", *calls), source_code="carrier")
    warehouse.rate()
    rate = {"deck_code": "D", "prefix": "33", "price_per_minute": "0.5"}
    warehouse.load_reference(write_kind(folder / "later", "rate", [rate]), "rate")
    return warehouse


@pytest.fixture
def at(suspended: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Warehouse:
    """The warehouse of this process."""
    monkeypatch.setenv("RATEHOUSE_DATABASE_URL", suspended.url)
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path / "home"))
    return suspended


def ask(warehouse: Warehouse, filters: runs.SuspenseFilters) -> list[tuple[object, ...]] | None:
    with closing(connect(url=warehouse.url)) as connection:
        found = what_if.outcomes(connection, filters)
    return None if found is None else [(o.in_words, o.record_count, o.amount) for o in found]


def test_it_says_what_then_happens(at: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    before = at.rows(_STATES)
    runs_before = at.value("select count(*) from control.rating_run")
    said = ask(at, _ALL)
    assert said == [
        ("would be billed", 2, Decimal(1)),
        ("still suspended: missing_called_number", 1, None),
        ("still suspended: missing_rate", 1, None),
    ]
    # One reason, one file; nothing that fits.
    assert ask(at, runs.SuspenseFilters(reasons=("missing_called_number",))) == [said[1]]
    assert ask(at, runs.SuspenseFilters(reasons=("no_plan",))) == []
    assert ask(at, runs.SuspenseFilters(file_ids=(99,))) == []
    # Nothing was changed, not even for a moment that anybody could see.
    assert at.rows(_STATES) == before
    assert at.value("select count(*) from control.rating_run") == runs_before
    assert at.value("select count(*) from pg_namespace where starts_with(nspname, 'dry')") == 0

    # Too many to try: said so, nothing is started.
    monkeypatch.setattr(whatif, "MOST_RECORDS", 3)
    assert ask(at, _ALL) is None

    at.reprocess(_ALL)
    after = at.rows(_STATES)
    billed = [row[4] for row in after if row[2] == "billed" and row not in before]
    assert (len(billed), sum(billed)) == said[0][1:]
    assert sorted(row[3] for row in after if row[2] == "error") == [
        "missing_called_number", "missing_rate",
    ]
