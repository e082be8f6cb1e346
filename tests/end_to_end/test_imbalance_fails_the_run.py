"""A run that lost a record, or found one too many, does not count and says which file it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from loaders.runs import RunDoesNotBalance
from tests.end_to_end.balance import assert_balanced
from tests.end_to_end.small import write_small_reference
from tests.end_to_end.warehouse import Warehouse
from tests.loaders import samples

GOOD, OTHER, LINES = "good.csv", "other.csv", 10

_COUNTING = """
    select
        (select count(*) from rating.current_rated_usage),
        (select count(*) from marts.fct_rated_usage),
        (select count(*) from control.rating_run where status = 'closed')
"""


def test_a_run_that_does_not_balance_never_counts(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.load_reference(write_small_reference(tmp_path / "reference"))
    for name, offset in ((GOOD, 0), (OTHER, 20)):
        path = tmp_path / name
        path.write_text(samples.lines(*map(samples.cdr_csv, range(offset, offset + LINES))))
        warehouse.load(path, source_code="pbx")
    other = warehouse.value("select file_id from control.file where file_name = %s", OTHER)

    # A line behind the registry's back: the run rates one record more than the file holds.
    warehouse.execute(
        "insert into landing.asterisk_cdr select * from landing.asterisk_cdr "
        "where file_id = %s and line_no = 1",
        other,
    )
    warehouse.execute(
        "update landing.asterisk_cdr set line_no = %s where ctid = (select max(ctid) "
        "from landing.asterisk_cdr where file_id = %s and line_no = 1)",
        LINES + 1, other,
        past_the_guards=True,
    )  # fmt: skip
    with warehouse.open_run() as first:
        first.build()
        with pytest.raises(RunDoesNotBalance) as too_many:
            first.close()
    said = str(too_many.value)
    assert f"{OTHER} (file {other})" in said
    assert GOOD not in said
    assert "difference -1" in said
    assert "nothing of it counts" in said
    assert warehouse.rows(_COUNTING) == [(0, 0, 0)]

    # The line goes; now the totals lose a record of the same, resumed run.
    assert warehouse.execute(
        "delete from landing.asterisk_cdr where file_id = %s and line_no = %s",
        other, LINES + 1,
        past_the_guards=True,
    ) == 1  # fmt: skip
    with warehouse.open_run() as second:
        assert second.run.rating_run_id == first.run.rating_run_id
        assert (second.run.is_resumed, second.run.attempt) == (True, 2)
        second.build()
        assert warehouse.execute(
            "delete from rating.usage_total where file_id = %s and rating_run_id = %s",
            other, second.run.rating_run_id,
        ) == 1  # fmt: skip
        with pytest.raises(RunDoesNotBalance) as too_few:
            second.close()
    assert f"{OTHER} (file {other})" in str(too_few.value)
    assert f"difference {LINES}" in str(too_few.value)
    assert warehouse.rows(_COUNTING) == [(0, 0, 0)]
    failures = warehouse.rows(
        "select detail ->> 'failure' from control.event "
        "where subject = 'rating_run' and event = 'failed' order by event_id"
    )
    assert failures == [(said,), (str(too_few.value),)]

    # Left alone, the same run ends right.
    totals = warehouse.rate()
    assert totals is not None
    assert (totals["rating_run_id"], totals["rated_count"]) == (first.run.rating_run_id, 2 * LINES)
    assert warehouse.rows(_COUNTING) == [(2 * LINES, 2 * LINES, 1)]
    assert warehouse.rows("select distinct state from rating.current_rated_usage") == [("billed",)]
    assert_balanced(warehouse)
    assert warehouse.rate() is None
