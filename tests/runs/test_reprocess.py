"""Suspended records are chosen by reason, source, file and date, previewed, and taken by record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from loaders import runs
from loaders.errors import RatehouseError

Connect = Callable[[], Any]


@pytest.fixture
def suspense(connect: Connect, land: Callable[..., int], balance: Callable[..., None]) -> Any:
    """Two rated files with suspended usage in both and one suspended charge."""
    connection = connect()
    first, second = land("one.csv"), land("two.csv")
    run = runs.open_rating_run(
        connection, requested_by="tester", code_commit="c", code_is_dirty=False
    )
    assert run is not None
    balance(run.rating_run_id)
    runs.close_rating_run(connection, run)
    with connection, connection.cursor() as cursor:
        cursor.execute("select source_id from reference.source_key order by source_id")
        asterisk, mapped = (row[0] for row in cursor.fetchall()[:2])
        cursor.execute(
            """
            insert into rating.current_rated_usage values
                (%(one)s, 1, 1, %(a)s, 0, '2026-10-01 00:00+00', 'error', 'service_not_found',
                 'USD', 0.5),
                (%(one)s, 2, 1, %(a)s, 7, '2026-10-02 12:00+00', 'error', 'missing_rate',
                 'USD', null),
                (%(one)s, 2, 2, %(a)s, 7, '2026-10-02 12:00+00', 'error', 'missing_rate',
                 'USD', 0.25),
                (%(one)s, 3, 1, %(a)s, 7, '2026-10-02 12:00+00', 'billed', null, 'USD', null),
                (%(two)s, 1, 1, %(m)s, 0, '2026-10-03 00:00+00', 'error', 'service_not_found',
                 'USD', 1.0),
                (%(two)s, 2, 1, %(m)s, 0, null, 'error', 'invalid_start_time', null, null)
            """,
            {"one": first, "two": second, "a": asterisk, "m": mapped},
        )
        cursor.execute(
            "insert into rating.current_rated_charge values "
            "(%s, 9, %s, 0, '2026-10-01', 'error', 'missing_charge_price', 'USD', 12.5)",
            (second, mapped),
        )
    return connection, first, second


def reprocess(connection: Any, **filters: Any) -> runs.RatingRun | None:
    return runs.open_reprocess_run(
        connection,
        runs.SuspenseFilters(**filters),
        requested_by="tester",
        code_commit="c",
        code_is_dirty=False,
        reason="deck corrected",
    )


def taken(connection: Any, run: runs.RatingRun | None) -> list[tuple[int, int]]:
    assert run is not None
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select file_id, line_no from control.rating_run_record where rating_run_id = %s "
            "order by 1, 2",
            (run.rating_run_id,),
        )
        return cursor.fetchall()


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [("one", 1), ("one", 2), ("two", 1), ("two", 2), ("two", 9)]),
        ({"reasons": ("missing_rate",)}, [("one", 2)]),
        ({"source_codes": ("unassigned_mapped",)}, [("two", 1), ("two", 2), ("two", 9)]),
        (
            {"only_without_account": True, "reasons": ("service_not_found",)},
            [("one", 1), ("two", 1)],
        ),
        ({"only_without_account": True}, [("one", 1), ("two", 1), ("two", 2), ("two", 9)]),
        # The first date counts, the second does not.
        (
            {"started_from": date(2026, 10, 1), "started_before": date(2026, 10, 3)},
            [("one", 1), ("one", 2), ("two", 9)],
        ),
    ],
)
def test_filters_choose_records(
    suspense: Any, filters: dict[str, Any], expected: list[tuple[str, int]]
) -> None:
    connection, first, second = suspense
    files = {"one": first, "two": second}
    run = reprocess(connection, **filters)
    assert taken(connection, run) == [(files[name], line) for name, line in expected]
    assert run is not None and run.line_count == len(expected)


def test_a_file_is_in_the_work_set_without_becoming_initial_again(suspense: Any) -> None:
    connection, first, _ = suspense
    run = reprocess(connection, file_ids=(first,))
    assert taken(connection, run) == [(first, 1), (first, 2)]
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select file_id, is_initial from control.rating_run_file where rating_run_id = %s",
            (run.rating_run_id,),
        )
        assert cursor.fetchall() == [(first, False)]


def test_nothing_suspended_that_fits_opens_no_run(suspense: Any) -> None:
    connection, _, _ = suspense
    assert reprocess(connection, reasons=("destination_blocked",)) is None
    with connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from control.rating_run where run_kind = 'reprocess'")
        assert cursor.fetchone() == (0,)


def test_preview_counts_records_and_money_and_changes_nothing(suspense: Any) -> None:
    connection, _, _ = suspense
    groups = runs.preview_reprocess(connection, runs.SuspenseFilters())
    found = {
        (g.record_kind, g.reason, g.source_code): (g.record_count, g.at_risk_amount) for g in groups
    }
    assert found == {
        ("usage", "service_not_found", "unassigned_asterisk"): (1, Decimal("0.5")),
        ("usage", "service_not_found", "unassigned_mapped"): (1, Decimal("1.0")),
        ("usage", "missing_rate", "unassigned_asterisk"): (1, Decimal("0.25")),
        ("usage", "invalid_start_time", "unassigned_mapped"): (1, Decimal(0)),
        ("charge", "missing_charge_price", "unassigned_mapped"): (1, Decimal("12.5")),
    }
    with connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from control.rating_run")
        assert cursor.fetchone() == (1,)


def test_an_unfinished_reprocess_run_is_taken_up_before_anything_else(suspense: Any) -> None:
    connection, _, _ = suspense
    run = reprocess(connection, reasons=("missing_rate",))
    assert run is not None
    runs.fail_rating_run(connection, run, "killed by the test")
    again = runs.open_rating_run(
        connection, requested_by="tester", code_commit="c", code_is_dirty=False
    )
    assert again is not None
    assert (again.rating_run_id, again.run_kind, again.line_count) == (
        run.rating_run_id,
        "reprocess",
        1,
    )
    assert runs.filters_from_config(again.config) == runs.SuspenseFilters(reasons=("missing_rate",))


def test_an_empty_date_range_is_refused() -> None:
    with pytest.raises(RatehouseError, match="the date range is empty"):
        runs.SuspenseFilters(started_from=date(2026, 10, 2), started_before=date(2026, 10, 2))


def test_filters_survive_being_stored() -> None:
    filters = runs.SuspenseFilters(
        reasons=("missing_rate",), file_ids=(3,), started_from=date(2026, 10, 1)
    )
    assert runs.filters_from_config(filters.to_config()) == filters
