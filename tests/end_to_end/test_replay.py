"""A replay gives what stands, from landing alone, and sees what does not come from there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from loaders.errors import RatehouseError
from loaders.runs import SuspenseFilters
from orchestration.lib import replay
from tests.end_to_end.small import write_kind, write_small_reference
from tests.end_to_end.test_withdraw import call, file_id, write
from tests.end_to_end.warehouse import Warehouse

_PRODUCTION = """
    select
        (select jsonb_agg(to_jsonb(c) order by period_month)
         from control.fact_checksums('rating.rated_usage') as c),
        (select count(*) from control.rating_run where build_schema = ''),
        (select jsonb_agg(to_jsonb(f) order by file_id) from control.file as f)
"""
_SCHEMAS = "select count(*) from pg_namespace where starts_with(nspname::text, 'replay_')"


@pytest.fixture(scope="module")
def history(
    make_warehouse: Callable[[], Warehouse], tmp_path_factory: pytest.TempPathFactory
) -> Warehouse:
    """Every kind of run: rated, reprocessed, withdrawn, its repeats rated, restored; a draft."""
    warehouse = make_warehouse()
    folder = tmp_path_factory.mktemp("history")
    warehouse.load_reference(write_small_reference(folder / "reference"))
    for path in (
        write(folder, "one.csv", call(1), call(2), call(5, called="+33123456789")),
        write(folder, "two.csv", call(2), call(3)),
    ):
        warehouse.load(path, source_code="carrier")
        warehouse.rate()
    rate = {"deck_code": "D", "prefix": "33", "price_per_minute": "0.5"}
    warehouse.load_reference(write_kind(folder / "later", "rate", [rate]), "rate")
    warehouse.reprocess(SuspenseFilters(reasons=("missing_rate",)))
    one = file_id(warehouse, "one.csv")
    warehouse.withdraw(one, "test")
    warehouse.rate()
    warehouse.restore(one, "test")
    warehouse.bill(groups=["main"])
    return warehouse


@pytest.fixture
def at(history: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Warehouse:
    """The history, as the warehouse of this process."""
    monkeypatch.setenv("RATEHOUSE_DATABASE_URL", history.url)
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path / "home"))
    return history


def test_a_replay_of_every_kind_of_run_is_equal_and_leaves_nothing(at: Warehouse) -> None:
    before = at.rows(_PRODUCTION)
    assert [kind for (kind,) in at.rows(
        "select run_kind from control.rating_run where build_schema = '' order by rating_run_id"
    )] == ["initial", "initial", "reprocess", "withdraw", "reprocess", "restore"]

    result = replay.replay(requested_by="test", reason="proof")

    unequal = [row for row in result.rows() if not row[-1]]
    assert (result.is_equal, unequal, result.differing_runs) == (True, [], [])
    relations = {(c.relation, c.month): c.rows for c in result.comparisons}
    assert relations["rating.rated_usage", "2026-10"] == 8
    assert relations["rating.usage_supersession", ""] == 6
    assert relations["draft of main", "2026-10"] == 1
    # Production is what it was, and the replay's schemas are gone.
    assert at.rows(_PRODUCTION) == before
    assert at.value(_SCHEMAS) == 0
    assert at.rows("select status, reason from control.replay order by replay_id desc limit 1") == [
        ("equal", "proof")
    ]


def test_what_does_not_come_from_landing_is_found(
    at: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A digit is changed behind the warehouse's back; and code says it is another one.
    at.execute(
        "update rating.rated_usage set retail_amount = retail_amount + 0.01 "
        "where retail_amount = 0.5"
    )
    try:
        result = replay.replay(requested_by="test")
    finally:
        at.execute(
            "update rating.rated_usage set retail_amount = retail_amount - 0.01 "
            "where retail_amount = 0.51"
        )
    assert not result.is_equal
    assert {(row[0], row[1]) for row in result.rows() if not row[-1]} == {
        ("rating.rated_usage", "2026-10")
    }
    reprocess = at.value(
        "select min(rating_run_id) from control.rating_run where run_kind = 'reprocess'"
    )
    assert result.differing_runs == [reprocess]
    assert any("made by other code" in sentence for sentence in result.sentences)


def test_a_failed_replay_says_why_and_the_next_one_clears_what_was_kept(
    at: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise RatehouseError("stopped by the test")

    real = replay._build
    built: list[str] = []

    def build_one(url: str, target: Path, schema: str, selection: str, token: object) -> None:
        if built:
            stop()
        built.append(schema)
        real(url, target, schema, selection, token)

    monkeypatch.setattr(replay, "_build", build_one)
    with pytest.raises(RatehouseError, match="stopped by the test"):
        replay.replay(requested_by="test", keep=True)
    assert at.value(_SCHEMAS) > 0
    assert at.rows("select status, result from control.replay order by replay_id desc limit 1") == [
        ("failed", {"failure": "stopped by the test"})
    ]

    monkeypatch.setattr(replay, "_build", stop)
    with pytest.raises(RatehouseError, match="stopped by the test"):
        replay.replay(requested_by="test")
    assert at.value(_SCHEMAS) == 0
    assert re.fullmatch(r"replay_\d+", built[0])


def test_a_build_schema_of_ones_own_is_not_what_a_replay_compares(
    at: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATEHOUSE_BUILD_SCHEMA", "mine")
    with pytest.raises(RatehouseError, match="compares with production"):
        replay.replay(requested_by="test")
