"""A rating run is opened once, survives kill -9, and counts only when it balances."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from loaders import runs
from loaders.errors import RatehouseError

Connect = Callable[[], Any]


def open_run(connection: Any, **changes: Any) -> runs.RatingRun | None:
    arguments: dict[str, Any] = {
        "requested_by": "tester",
        "code_commit": "abc123",
        "code_is_dirty": False,
        "orchestrator_run_id": "dagster-1",
        **changes,
    }
    return runs.open_rating_run(connection, **arguments)


def rows(connection: Any, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()


def spawn(source: str, url: str) -> subprocess.Popen[str]:
    """A process of its own that may be killed; it reports on its standard output."""
    return subprocess.Popen(
        [sys.executable, "-c", source, url],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


HOLD_A_RUN = """
import sys, time
from loaders import database, runs
connection = database.connect(url=sys.argv[1])
run = runs.open_rating_run(connection, requested_by="victim", code_commit="abc",
                           code_is_dirty=False, reason="doomed")
print(run.rating_run_id, run.run_token)
time.sleep(120)
"""


def test_nothing_landed_is_nothing_to_do_and_leaves_no_trace(connect: Connect) -> None:
    connection = connect()
    assert open_run(connection) is None
    assert rows(connection, "select count(*) from control.rating_run") == [(0,)]
    # The lock was let go: another process may begin.
    assert open_run(connect()) is None


def test_a_run_takes_exactly_the_landed_files_no_run_has_taken(
    connect: Connect, land: Callable[..., int], balance: Callable[..., None]
) -> None:
    first, second = land("a.csv", 3), land("b.csv", 4)
    land("held.csv", status="held")
    connection = connect()
    run = open_run(connection, reason="nightly", config={"by": "schedule"})
    assert run is not None
    assert (run.file_count, run.line_count, run.attempt, run.is_resumed) == (2, 7, 1, False)
    work = "select file_id, is_initial from control.rating_run_file where rating_run_id = %s"
    assert sorted(rows(connection, work, run.rating_run_id)) == [(first, True), (second, True)]
    third = land("c.csv")
    balance(run.rating_run_id)
    runs.close_rating_run(connection, run)
    following = open_run(connection)
    assert following is not None
    assert rows(connection, work, following.rating_run_id) == [(third, True)]
    stored = rows(
        connection,
        "select run_kind, reason, requested_by, config, code_commit, code_is_dirty, "
        "orchestrator_run_id from control.rating_run where rating_run_id = %s",
        run.rating_run_id,
    )
    assert stored == [
        ("initial", "nightly", "tester", {"by": "schedule"}, "abc123", False, "dagster-1")
    ]


def test_build_schemas_rate_the_same_files_side_by_side(
    connect: Connect, land: Callable[..., int]
) -> None:
    land("a.csv")
    production = open_run(connect())
    shadow = open_run(connect(), build_schema="dev")
    assert production is not None and shadow is not None
    assert production.rating_run_id != shadow.rating_run_id
    assert shadow.environment()["RATEHOUSE_APPLICATION_NAME"] == "ratehouse_dbt dev"


def test_a_second_process_is_refused_with_the_time_the_first_began(
    connect: Connect, land: Callable[..., int]
) -> None:
    land("a.csv")
    run = open_run(connect())
    assert run is not None
    began = f"{run.opened_at:%Y-%m-%d %H:%M:%S} UTC"
    with pytest.raises(runs.RunAlreadyAtWork, match="rating run 1 is at work since " + began):
        open_run(connect())


def test_two_at_once_share_the_files_without_taking_one_twice(
    connect: Connect, land: Callable[..., int]
) -> None:
    land("a.csv")
    outcomes: list[str] = []
    start = threading.Barrier(2)
    release = threading.Event()

    def contend(connection: Any) -> None:
        start.wait()
        try:
            run = open_run(connection)
            outcomes.append("none" if run is None else "opened")
        except runs.RunAlreadyAtWork:
            outcomes.append("refused")
        release.wait(20)

    threads = [threading.Thread(target=contend, args=(connect(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while len(outcomes) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    release.set()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["opened", "refused"]
    assert rows(connect(), "select count(*) from control.rating_run") == [(1,)]


def test_a_run_killed_with_kill_9_is_resumed_with_its_work_set_and_a_new_token(
    connect: Connect, land: Callable[..., int], scratch_url: str
) -> None:
    file_id = land("a.csv")
    victim = spawn(HOLD_A_RUN, scratch_url)
    assert victim.stdout is not None
    run_id, token = victim.stdout.readline().split()
    before = rows(connect(), "select reference_cutoff from control.rating_run")
    late = land("late.csv")
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    connection = connect()
    run = eventually_open(connection)
    assert run.rating_run_id == int(run_id)
    assert (run.attempt, run.is_resumed) == (2, True)
    assert run.run_token != token
    assert [(run.reference_cutoff,)] == before
    work = rows(connection, "select file_id from control.rating_run_file")
    assert work == [(file_id,)] and late != file_id
    events = rows(
        connection,
        "select event, actor, detail ->> 'earlier_failure' from control.event "
        "where subject = 'rating_run' order by event_id",
    )
    assert events == [("opened", "victim", None), ("resumed", "tester", "killed")]


def eventually_open(connection: Any) -> runs.RatingRun:
    """The server needs a moment to notice that a killed client is gone."""
    deadline = time.monotonic() + 10
    while True:
        try:
            run = open_run(connection)
        except runs.RunAlreadyAtWork:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
            continue
        assert run is not None
        return run


def test_killed_in_the_opening_transaction_leaves_nothing_behind(
    connect: Connect, land: Callable[..., int], scratch_url: str
) -> None:
    land("a.csv")
    blocker = connect()
    with blocker.cursor() as cursor:
        # A reference load under way: the victim waits for it in the middle of opening.
        cursor.execute("lock table control.reference_load in row exclusive mode")
    victim = spawn(HOLD_A_RUN, scratch_url)
    waiting = (
        "select count(*) from pg_locks where not granted "
        "and relation = 'control.reference_load'::regclass"
    )
    deadline = time.monotonic() + 20
    while rows(connect(), waiting) != [(1,)] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert rows(connect(), waiting) == [(1,)]
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    blocker.rollback()
    run = eventually_open(connect())
    assert (run.attempt, run.is_resumed, run.file_count) == (1, False, 1)


def test_the_cutoff_waits_for_a_reference_load_under_way(
    connect: Connect, land: Callable[..., int]
) -> None:
    land("a.csv")
    loader = connect()
    with loader.cursor() as cursor:
        cursor.execute(
            "insert into control.reference_load (kind, file_name, sha256, rows_read, rows_added, "
            "rows_changed, rows_unchanged) values ('rate', 'r.csv', 'x', 1, 1, 0, 0)"
        )
    opened: list[runs.RatingRun | None] = []
    opener = connect()
    thread = threading.Thread(target=lambda: opened.append(open_run(opener)))
    thread.start()
    time.sleep(0.4)
    assert opened == []
    committed_at = rows_in_open_transaction(loader)
    loader.commit()
    thread.join(20)
    assert opened[0] is not None
    assert opened[0].reference_cutoff > committed_at


def rows_in_open_transaction(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        return cursor.fetchone()[0]


def test_a_dbt_session_left_by_a_killed_attempt_is_ended(
    connect: Connect, land: Callable[..., int], scratch_url: str
) -> None:
    import psycopg2

    from loaders import database

    land("a.csv")
    orphan = database.connect(url=scratch_url, application_name="ratehouse_dbt")
    other_build = database.connect(url=scratch_url, application_name="ratehouse_dbt dev")
    assert open_run(connect()) is not None
    with pytest.raises(psycopg2.OperationalError), orphan.cursor() as cursor:
        cursor.execute("select 1")
    with other_build.cursor() as cursor:
        cursor.execute("select 1")
    other_build.close()


def test_a_new_run_does_not_wait_for_autovacuum_to_count_the_reference_data(
    connect: Connect, land: Callable[..., int]
) -> None:
    """Rating the first file right after loading a deck took minutes: planned for an empty table."""
    connection = connect()
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "insert into reference.rate (deck_code, prefix, price_per_minute) "
            "select 'D', n::text, 0.01 from generate_series(10000, 13000) as n"
        )
    land("a.csv")
    assert open_run(connection) is not None
    counted = rows(
        connection, "select reltuples from pg_class where oid = 'reference.rate'::regclass"
    )
    assert counted == [(3001.0,)]


def test_a_balanced_run_closes_with_its_totals(
    connect: Connect, land: Callable[..., int], balance: Callable[..., None]
) -> None:
    land("a.csv")
    connection = connect()
    run = open_run(connection)
    assert run is not None
    balance(run.rating_run_id)
    totals = runs.close_rating_run(connection, run)
    assert (totals["landed_count"], totals["rated_count"]) == (10, 10)
    assert rows(
        connection,
        "select status, control_totals ->> 'rated_count', closed_at is not null, failure "
        "from control.rating_run",
    ) == [("closed", "10", True, None)]
    assert open_run(connect()) is None  # the lock is free again


def test_a_run_that_does_not_balance_fails_naming_file_and_counts_and_is_tried_again(
    connect: Connect, land: Callable[..., int], balance: Callable[..., None]
) -> None:
    land("lost_a_line.csv")
    connection = connect()
    run = open_run(connection)
    assert run is not None
    balance(run.rating_run_id, is_balanced=False)
    with pytest.raises(runs.RunDoesNotBalance) as caught:
        runs.close_rating_run(connection, run)
    words = str(caught.value)
    assert "lost_a_line.csv (file 1): data count 10, accounted count 9" in words
    stored = rows(connection, "select status, failure, closed_at from control.rating_run")
    assert stored == [("failed", words, None)]
    again = open_run(connect())
    assert again is not None
    assert (again.rating_run_id, again.attempt) == (run.rating_run_id, 2)


def test_a_run_without_reconciliation_row_does_not_count(
    connect: Connect, land: Callable[..., int]
) -> None:
    land("a.csv")
    connection = connect()
    run = open_run(connection)
    assert run is not None
    with pytest.raises(runs.RunDoesNotBalance, match="has no reconciliation"):
        runs.close_rating_run(connection, run)


def test_an_abandoned_attempt_can_neither_close_nor_fail_the_run(
    connect: Connect, land: Callable[..., int], balance: Callable[..., None]
) -> None:
    land("a.csv")
    stale = connect()
    run = open_run(stale)
    assert run is not None
    # Its server session dies (a network cut), its process does not know.
    pid = rows(stale, "select pg_backend_pid()")[0][0]
    rows(connect(), "select pg_terminate_backend(%s, 5000)", pid)
    current = open_run(connect())
    assert current is not None and current.attempt == 2
    balance(run.rating_run_id)
    with pytest.raises(runs.RunAbandoned, match="attempt 1 was replaced by attempt 2"):
        runs.close_rating_run(connect(), run)
    with pytest.raises(runs.RunAbandoned):
        runs.fail_rating_run(connect(), run, "whatever")
    assert rows(connect(), "select status from control.rating_run") == [("running",)]


def test_a_failed_run_says_why_and_is_resumed(connect: Connect, land: Callable[..., int]) -> None:
    land("a.csv")
    connection = connect()
    run = open_run(connection)
    assert run is not None
    runs.fail_rating_run(connection, run, "dbt: model x failed")
    assert rows(connection, "select status, failure from control.rating_run") == [
        ("failed", "dbt: model x failed")
    ]
    again = open_run(connection)
    assert again is not None and again.is_resumed
    assert rows(connection, "select status, failure from control.rating_run") == [("running", None)]


def test_only_landed_files_open_an_initial_run(connect: Connect) -> None:
    with pytest.raises(RatehouseError, match="'replay' is not opened from landed files"):
        open_run(connect(), kind="replay")
