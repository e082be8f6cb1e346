"""Rating runs: open (or resume) one, close it when its records balance, fail it in words.

A run is a row of control.rating_run plus its work set. Both are written in one transaction before
any model is built, so a killed process leaves a run that the next caller takes up again with the
same work set, the same reference cut-off and a new token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg2 import errors as pg_errors
from psycopg2 import sql
from psycopg2.extras import Json, RealDictCursor

from loaders.errors import RatehouseError
from loaders.events import record_event
from loaders.files.overlap import check_waiting_files
from loaders.runs import locks, withdrawal
from loaders.runs.errors import RunAbandoned, RunDoesNotBalance
from loaders.runs.schemas import build_relation, relation_exists
from loaders.runs.suspense import SuspenseFilters, insert_suspended_records

# Writes the work set of the run of this id; the number of its files, 0 if there is nothing to do.
AddWork = Callable[[Any, int], int]

# Waiting longer for a reference load to commit means something is stuck: say so instead.
_REFERENCE_WAIT = "10min"


@dataclass(frozen=True)
class RatingRun:
    """One attempt at one rating run, as the caller that holds its lock sees it."""

    rating_run_id: int
    run_kind: str
    build_schema: str
    run_token: str
    attempt: int
    reference_cutoff: datetime
    opened_at: datetime
    is_resumed: bool
    file_count: int
    line_count: int
    config: Mapping[str, Any] = field(default_factory=dict)
    holds_own_lock: bool = True
    reason: str | None = None

    def environment(self) -> dict[str, str]:
        """What the dbt process of this attempt must carry; without it every model refuses."""
        return {
            "RATEHOUSE_RUN_TOKEN": self.run_token,
            "RATEHOUSE_APPLICATION_NAME": locks.dbt_application_name(self.build_schema),
        }

    def describe(self) -> str:
        """One line for progress and logs."""
        work = f"{self.file_count} file(s), {self.line_count} line(s)"
        again = f", attempt {self.attempt} of an unfinished run" if self.attempt > 1 else ""
        return f"rating run {self.rating_run_id} ({self.run_kind}): {work}{again}"


def fix_reference_cutoff(cursor: Any) -> datetime:
    """The instant up to which reference data are known to this run.

    A reference load stamps its rows before it commits. The lock waits for loads under way, so no
    row recorded before the cut-off can appear after it and change a result that was already made.
    """
    cursor.execute(sql.SQL("set local lock_timeout = {}").format(sql.Literal(_REFERENCE_WAIT)))
    try:
        cursor.execute("lock table control.reference_load in share mode")
    except pg_errors.LockNotAvailable as error:
        raise RatehouseError(
            f"a reference load has been at work for more than {_REFERENCE_WAIT}; "
            "wait for it to finish, then start again"
        ) from error
    cursor.execute("select clock_timestamp()")
    return cursor.fetchone()[0]


def open_rating_run(
    connection: Any,
    kind: str = "initial",
    *,
    requested_by: str,
    code_commit: str,
    code_is_dirty: bool,
    reason: str | None = None,
    config: Mapping[str, Any] | None = None,
    orchestrator_run_id: str | None = None,
    build_schema: str = "",
) -> RatingRun | None:
    """Take up the unfinished run if there is one, else rate the files no run has taken yet.

    Returns None when nothing is left to rate. The connection holds the writer's lock from here
    until close_rating_run or fail_rating_run: keep it open, and leave it out of pools.
    """
    if kind != "initial":
        raise RatehouseError(f"a rating run of kind {kind!r} is not opened from landed files")

    def add_new_files(cursor: Any, run_id: int) -> int:
        return _insert_new_files(cursor, run_id, build_schema)

    return open_run(
        connection,
        kind,
        add_new_files,
        requested_by=requested_by,
        reason=reason,
        config=config or {},
        code_commit=code_commit,
        code_is_dirty=code_is_dirty,
        orchestrator_run_id=orchestrator_run_id,
        build_schema=build_schema,
    )


def open_reprocess_run(
    connection: Any,
    filters: SuspenseFilters,
    *,
    requested_by: str,
    code_commit: str,
    code_is_dirty: bool,
    reason: str | None = None,
    orchestrator_run_id: str | None = None,
    build_schema: str = "",
) -> RatingRun | None:
    """Rate the suspended records that the filters name once more, with what is known now.

    An unfinished run comes first, whatever it was: its records may be among those asked for.
    Returns None when no suspended record fits.
    """

    def add_suspended_records(cursor: Any, run_id: int) -> int:
        return insert_suspended_records(cursor, run_id, build_schema, filters)

    return open_run(
        connection,
        "reprocess",
        add_suspended_records,
        requested_by=requested_by,
        reason=reason,
        config=filters.to_config(),
        code_commit=code_commit,
        code_is_dirty=code_is_dirty,
        orchestrator_run_id=orchestrator_run_id,
        build_schema=build_schema,
    )


def resume_rating_run(
    connection: Any,
    *,
    requested_by: str,
    code_commit: str,
    code_is_dirty: bool,
    orchestrator_run_id: str | None = None,
    build_schema: str = "",
) -> RatingRun | None:
    """Take up an unfinished or queued run; None when there is none."""
    return open_run(
        connection,
        None,
        None,
        requested_by=requested_by,
        code_commit=code_commit,
        code_is_dirty=code_is_dirty,
        orchestrator_run_id=orchestrator_run_id,
        build_schema=build_schema,
    )


def open_run(
    connection: Any,
    kind: str | None,
    add_work: AddWork | None,
    *,
    requested_by: str,
    code_commit: str,
    code_is_dirty: bool,
    reason: str | None = None,
    config: Mapping[str, Any] | None = None,
    orchestrator_run_id: str | None = None,
    build_schema: str = "",
    undoes_run_id: int | None = None,
    known_at: datetime | None = None,
) -> RatingRun | None:
    """Take up the unfinished run if there is one, else make one of the work that is added to it.

    ``known_at``: the reference data as they were known then, instead of now.
    """
    took_lock = locks.take_lock(connection, build_schema)
    code = {
        "code_commit": code_commit,
        "code_is_dirty": code_is_dirty,
        "orchestrator_run_id": orchestrator_run_id,
    }
    try:
        locks.end_abandoned_dbt_sessions(connection, build_schema)
        refresh_statistics(connection)
        run_id = _resume(connection, build_schema, requested_by, code)
        is_resumed = run_id is not None
        if run_id is None and kind is not None and add_work is not None:
            if kind == "initial":
                # Large files are compared with earlier ones here: their landing is quicker.
                check_waiting_files(connection)
            run_id = _create(
                connection,
                kind,
                add_work,
                build_schema,
                requested_by,
                reason,
                config or {},
                code,
                undoes_run_id,
                known_at,
            )
        if run_id is not None:
            return read_run(connection, run_id, is_resumed=is_resumed, holds_own_lock=took_lock)
    except BaseException:
        _release(connection, build_schema, took_lock)
        raise
    _release(connection, build_schema, took_lock)
    return None


def refresh_statistics(connection: Any) -> list[str]:
    """Analyze tables the run will read that changed since anybody counted them; their names.

    Autovacuum comes a minute later. Until then the planner takes a freshly loaded deck for a
    handful of rows: cutting 5,000 rates into intervals took 320 seconds instead of 0.4.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute("set local role none")
        cursor.execute(
            """
            select format('%I.%I', s.schemaname, s.relname)
            from pg_catalog.pg_stat_user_tables as s
            where s.schemaname in ('reference', 'control')
                and (
                    s.n_mod_since_analyze > 1000 + 0.1 * s.n_live_tup
                    or (s.last_analyze is null and s.last_autoanalyze is null)
                )
            order by 1
            """
        )
        names = [row[0] for row in cursor.fetchall()]
        for name in names:
            cursor.execute(f"analyze {name}")
        return names


def _release(connection: Any, build_schema: str, took_lock: bool) -> None:
    if took_lock and not connection.closed:
        locks.release_lock(connection, build_schema)


def _resume(
    connection: Any, build_schema: str, requested_by: str, code: Mapping[str, Any]
) -> int | None:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            with unfinished as (
                select rating_run_id, status
                from control.rating_run
                where build_schema = %(build_schema)s
                    and status in ('running', 'failed', 'queued')
                -- Only one can be running, and it stands in the way of any other.
                order by status = 'running' desc, rating_run_id
                limit 1
            )
            update control.rating_run as r
            set status = 'running',
                attempt = r.attempt + case when unfinished.status = 'queued' then 0 else 1 end,
                run_token = gen_random_uuid(),
                code_commit = %(code_commit)s, code_is_dirty = %(code_is_dirty)s,
                orchestrator_run_id = %(orchestrator_run_id)s
            from unfinished
            where r.rating_run_id = unfinished.rating_run_id
            returning r.rating_run_id, r.attempt, r.failure, unfinished.status
            """,
            {**code, "build_schema": build_schema},
        )
        row = cursor.fetchone()
        if row is None:
            return None
        run_id, attempt, failure, status = row
        if status == "queued":
            record_event(cursor, "rating_run", run_id, "opened", code, requested_by)
            return run_id
        record_event(
            cursor,
            "rating_run",
            run_id,
            "resumed",
            {"attempt": attempt, "earlier_failure": failure or "killed", **code},
            requested_by,
        )
        cursor.execute(
            "update control.rating_run set failure = null where rating_run_id = %s", (run_id,)
        )
        return run_id


def _create(
    connection: Any,
    kind: str,
    add_work: AddWork,
    build_schema: str,
    requested_by: str,
    reason: str | None,
    config: Mapping[str, Any],
    code: Mapping[str, Any],
    undoes_run_id: int | None,
    known_at: datetime | None,
) -> int | None:
    with connection, connection.cursor() as cursor:
        if kind == "initial" and not _has_new_files(cursor, build_schema):
            return None
        cutoff = fix_reference_cutoff(cursor)
        if known_at is not None and known_at > cutoff:
            raise RatehouseError(f"what is known at {known_at} is not known yet")
        cursor.execute(
            """
            insert into control.rating_run (
                run_kind, build_schema, status, config, reason, requested_by, reference_cutoff,
                code_commit, code_is_dirty, orchestrator_run_id, undoes_run_id
            )
            values (%s, %s, 'running', %s, %s, %s, %s, %s, %s, %s, %s)
            returning rating_run_id
            """,
            (
                kind,
                build_schema,
                Json(dict(config)),
                reason,
                requested_by,
                known_at or cutoff,
                code["code_commit"],
                code["code_is_dirty"],
                code["orchestrator_run_id"],
                undoes_run_id,
            ),
        )
        run_id = cursor.fetchone()[0]
        file_count = add_work(cursor, run_id)
        if file_count == 0:
            # No trace of a run that had nothing to do (an identity value is lost, no more).
            connection.rollback()
            return None
        record_event(
            cursor,
            "rating_run",
            run_id,
            "opened",
            {"run_kind": kind, "files": file_count, "reason": reason, **code},
            requested_by,
        )
        return run_id


_NEW_FILES = """
    from control.file as f
    where f.status = 'landed'
        -- one that landed since they were compared waits for the next run
        and f.content_checked_at is not null
        and not exists (
            select from control.rating_run_file as w
            where w.file_id = f.file_id and w.build_schema = %(build_schema)s and w.is_initial
        )
"""


def _has_new_files(cursor: Any, build_schema: str) -> bool:
    cursor.execute("select exists (select" + _NEW_FILES + ")", {"build_schema": build_schema})
    return cursor.fetchone()[0]


def _insert_new_files(cursor: Any, run_id: int, build_schema: str) -> int:
    cursor.execute(
        "insert into control.rating_run_file (rating_run_id, file_id, build_schema, is_initial) "
        "select %(run_id)s, f.file_id, %(build_schema)s, true" + _NEW_FILES,
        {"run_id": run_id, "build_schema": build_schema},
    )
    return cursor.rowcount


def read_run(
    connection: Any, run_id: int, *, is_resumed: bool, holds_own_lock: bool
) -> RatingRun:
    """A run as its holder sees it."""
    with connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(
            """
            select r.rating_run_id, r.run_kind, r.build_schema, r.run_token::text as run_token,
                r.attempt, r.reference_cutoff, r.opened_at, r.config, r.reason,
                (
                    select count(*) from control.rating_run_file as w
                    where w.rating_run_id = r.rating_run_id
                )::integer as file_count,
                case when r.run_kind in ('initial', 'withdraw') then (
                    select coalesce(sum(f.data_count), 0)
                    from control.rating_run_file as w
                    inner join control.file as f on w.file_id = f.file_id
                    where w.rating_run_id = r.rating_run_id
                ) else (
                    select count(*) from control.rating_run_record as w
                    where w.rating_run_id = r.rating_run_id
                ) end::bigint as line_count
            from control.rating_run as r
            where r.rating_run_id = %s
            """,
            (run_id,),
        )
        row = dict(cursor.fetchone())
    return RatingRun(**row, is_resumed=is_resumed, holds_own_lock=holds_own_lock)


def close_rating_run(connection: Any, run: RatingRun) -> dict[str, Any]:
    """Let the run count, if every record of its work set has ended in exactly one state.

    Returns the control totals. A run that does not balance is failed, with the files and the
    differences in words; its rows stay invisible and the next attempt replaces them.
    """
    try:
        totals, problem = _settle(connection, run)
    finally:
        _release(connection, run.build_schema, run.holds_own_lock)
    if problem is not None:
        raise RunDoesNotBalance(problem)
    return totals


def _settle(connection: Any, run: RatingRun) -> tuple[dict[str, Any], str | None]:
    with connection, connection.cursor() as cursor:
        _require_own(cursor, run)
        row = _reconciliation(cursor, run)
        totals: dict[str, Any] = row[0] if row else {}
        problem = None
        if row is None:
            problem = (
                f"rating run {run.rating_run_id} has no reconciliation: "
                "marts.rpt_reconciliation__run has no row for it"
            )
        elif totals.get("is_balanced") is not True:
            problem = _describe_imbalance(cursor, run, totals)
        status = "closed" if problem is None else "failed"
        cursor.execute(
            """
            update control.rating_run
            set status = %s, closed_at = case when %s = 'closed' then clock_timestamp() end,
                control_totals = %s, failure = %s
            where rating_run_id = %s
            """,
            (status, status, Json(totals), problem, run.rating_run_id),
        )
        actor = _actor(cursor, run)
        record_event(
            cursor,
            "rating_run",
            run.rating_run_id,
            status,
            {"attempt": run.attempt, "control_totals": totals, "failure": problem},
            actor,
        )
        if problem is None:
            withdrawal.settle(cursor, run, actor)
        return totals, problem


def _reconciliation(cursor: Any, run: RatingRun) -> tuple[dict[str, Any]] | None:
    if not relation_exists(cursor, run.build_schema, "marts", "rpt_reconciliation__run"):
        return None
    cursor.execute(
        sql.SQL("select to_jsonb(r) from {} as r where r.rating_run_id = %s").format(
            build_relation(run.build_schema, "marts", "rpt_reconciliation__run")
        ),
        (run.rating_run_id,),
    )
    return cursor.fetchone()


def fail_rating_run(connection: Any, run: RatingRun, failure: str) -> None:
    """Put the run down with the reason; the next open takes it up again with the same work set."""
    try:
        with connection, connection.cursor() as cursor:
            _require_own(cursor, run)
            cursor.execute(
                "update control.rating_run set status = 'failed', failure = %s "
                "where rating_run_id = %s",
                (failure, run.rating_run_id),
            )
            record_event(
                cursor,
                "rating_run",
                run.rating_run_id,
                "failed",
                {"attempt": run.attempt, "failure": failure},
                _actor(cursor, run),
            )
    finally:
        _release(connection, run.build_schema, run.holds_own_lock)


def _actor(cursor: Any, run: RatingRun) -> str:
    cursor.execute(
        "select requested_by from control.rating_run where rating_run_id = %s",
        (run.rating_run_id,),
    )
    return cursor.fetchone()[0]


def _require_own(cursor: Any, run: RatingRun) -> None:
    cursor.execute(
        "select status, run_token::text, attempt from control.rating_run "
        "where rating_run_id = %s for update",
        (run.rating_run_id,),
    )
    status, token, attempt = cursor.fetchone()
    if status != "running" or token != run.run_token:
        raise RunAbandoned(
            f"rating run {run.rating_run_id} is no longer this process's: attempt {run.attempt} "
            f"was replaced by attempt {attempt}, status {status}. Nothing was changed"
        )


def _describe_imbalance(cursor: Any, run: RatingRun, totals: Mapping[str, Any]) -> str:
    """Name the files whose records do not add up, with every count that shows it."""
    cursor.execute(
        sql.SQL(
            """
            select f.file_name, to_jsonb(r)
            from {} as r
            inner join control.rating_run_file as w
                on r.file_id = w.file_id and w.rating_run_id = %s
            inner join control.file as f on r.file_id = f.file_id
            where r.is_balanced is not true
            order by r.file_id
            """
        ).format(build_relation(run.build_schema, "marts", "rpt_reconciliation__file")),
        (run.rating_run_id,),
    )
    lines = [f"rating run {run.rating_run_id} does not balance; nothing of it counts."]
    for file_name, counts in cursor.fetchall():
        lines.append(f"  {file_name} (file {counts['file_id']}): {_numbers_in_words(counts)}")
    lines.append(f"  whole run: {_numbers_in_words(totals)}")
    return "\n".join(lines)


def _numbers_in_words(counts: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {value}"
        for name, value in counts.items()
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and not name.endswith("_id")
    )
