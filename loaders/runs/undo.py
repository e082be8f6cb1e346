"""Undo a run: what counted before it counts again, to the byte, and that can be undone too.

Every run has its own rows and totals, and only those of closed runs count. So undoing is a run of
kind `undo` that rates nothing and takes another one out; undoing the undo brings it back. Refused
where two versions of a record would count, or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg2.extras import Json

from loaders.errors import RatehouseError
from loaders.events import record_event
from loaders.runs import locks
from loaders.runs.rating import fix_reference_cutoff
from loaders.runs.rerate import require_production, require_reason
from loaders.runs.withdrawal import REPEATS_OF, execute, mark_stale

_RATED_AGAIN = ("rerate", "reprocess")
_INSTEAD = {
    "initial": "it rated new files: withdraw a file instead (ratehouse files delete)",
    "withdraw": "it withdrew a file: restore that instead (ratehouse files restore)",
    "restore": "it restored a file: withdraw it again instead (ratehouse files delete)",
}


class UndoRefused(RatehouseError):
    """The run may not be undone as things stand."""


@dataclass(frozen=True)
class UndoPlan:
    """What undoing a run would do."""

    run_id: int
    run_kind: str
    # The run whose rows come to count, or stop to, and which of both.
    rated_run_id: int
    brings_back: bool
    # Status that each run concerned gets.
    changes: tuple[tuple[int, str], ...]
    # The undo that did it already.
    done_by: int | None = None

    def in_words(self) -> str:
        """What happens, as a sentence."""
        if self.done_by is not None:
            return f"Run {self.run_id} is undone already, by run {self.done_by}."
        if self.brings_back:
            return f"What run {self.rated_run_id} rated would count again."
        return (
            f"What run {self.rated_run_id} rated would count no more; what it replaced would "
            "count again."
        )


def plan_undo(cursor: Any, run_id: int, build_schema: str = "") -> UndoPlan:
    """Find out what undoing means, or refuse it with the reason."""
    run = _read(cursor, run_id, build_schema)
    kind, status = run["run_kind"], run["status"]
    if kind in _INSTEAD:
        raise UndoRefused(f"run {run_id} is not undone: {_INSTEAD[kind]}")
    if status == "undone":
        cursor.execute(
            "select max(rating_run_id) from control.rating_run "
            "where undoes_run_id = %s and run_kind = 'undo' and status = 'closed'",
            (run_id,),
        )
        (done_by,) = cursor.fetchone()
        return UndoPlan(run_id, kind, run_id, False, (), done_by)
    if status != "closed":
        raise UndoRefused(
            f"run {run_id} is {status}: nothing of it counts. `ratehouse rate` takes it up again"
        )
    changes = _toggle(cursor, run, "undone", build_schema)
    rated_run_id, rated_status = changes[-1]
    rated = _read(cursor, rated_run_id, build_schema)
    if REPEATS_OF in rated["config"]:
        raise UndoRefused(
            f"run {run_id} is not undone: it belongs to the withdrawal of file "
            f"{rated['config'][REPEATS_OF]}, and comes back with it (ratehouse files restore)"
        )
    if rated["config"].get("pairing"):
        raise UndoRefused(
            f"run {run_id} is not undone: it completed calls with their other half from a later "
            "file. Withdraw that file instead (ratehouse files delete)"
        )
    if rated["run_kind"] not in _RATED_AGAIN:
        raise UndoRefused(
            f"run {run_id} is not undone: a run of kind {rated['run_kind']} cannot be"
        )
    brings_back = rated_status == "closed"
    (_refuse_redo if brings_back else _refuse_later)(cursor, build_schema, run_id, rated_run_id)
    return UndoPlan(run_id, kind, rated_run_id, brings_back, tuple(changes))


def _read(cursor: Any, run_id: int, build_schema: str) -> Mapping[str, Any]:
    cursor.execute(
        "select rating_run_id, run_kind, status, undoes_run_id, config from control.rating_run "
        "where rating_run_id = %s and build_schema = %s for update",
        (run_id, build_schema),
    )
    row = cursor.fetchone()
    if row is None:
        raise UndoRefused(f"there is no rating run {run_id}")
    return dict(zip([column.name for column in cursor.description], row, strict=True))


def _toggle(
    cursor: Any, run: Mapping[str, Any], status: str, build_schema: str
) -> list[tuple[int, str]]:
    """The run gets this status, and what it undid the opposite; the run with rows comes last."""
    changes = [(run["rating_run_id"], status)]
    if run["run_kind"] == "undo":
        undone = _read(cursor, run["undoes_run_id"], build_schema)
        opposite = "closed" if status == "undone" else "undone"
        changes += _toggle(cursor, undone, opposite, build_schema)
    return changes


_LATER = """
    select distinct s.rating_run_id, r.run_kind
    from (
        select rating_run_id, superseded_run_id from {usage_supersession}
        union all
        select rating_run_id, superseded_run_id from {charge_supersession}
    ) as s
    inner join control.rating_run as r on s.rating_run_id = r.rating_run_id
    where s.superseded_run_id = %(run)s and r.status = 'closed'
    order by 1
"""
# Runs because of which a row that the run replaced does not count now.
_IN_THE_WAY = """
    select distinct case when e.status <> 'closed' then e.rating_run_id else o.rating_run_id end,
        case when e.status <> 'closed' then e.status else o.run_kind end
    from {%s} as s
    inner join control.rating_run as e on s.superseded_run_id = e.rating_run_id
    left join (
        select s2.account_id, s2.%s as record_id, s2.superseded_run_id, s2.rating_run_id, r.run_kind
        from {%s} as s2
        inner join control.rating_run as r on s2.rating_run_id = r.rating_run_id
        where r.status = 'closed'
    ) as o
        on s.account_id = o.account_id and s.%s = o.record_id
        and s.superseded_run_id = o.superseded_run_id
    where s.rating_run_id = %%(run)s and (e.status <> 'closed' or o.rating_run_id is not null)
"""


def _refuse_later(cursor: Any, build_schema: str, run_id: int, rated_run_id: int) -> None:
    execute(cursor, build_schema, _LATER, {"run": rated_run_id})
    found = cursor.fetchall()
    if found:
        runs = ", ".join(f"{number} ({kind})" for number, kind in found)
        raise UndoRefused(
            f"run {run_id} is not undone: later runs stand on what run {rated_run_id} rated: "
            f"{runs}. Undo those first, the latest before the others"
        )


def _refuse_redo(cursor: Any, build_schema: str, run_id: int, rated_run_id: int) -> None:
    found = set()
    for fact, key in (("usage_supersession", "usage_id"), ("charge_supersession", "charge_id")):
        execute(cursor, build_schema, _IN_THE_WAY % (fact, key, fact, key), {"run": rated_run_id})
        found |= set(cursor.fetchall())
    if found:
        runs = ", ".join(f"{number} ({what})" for number, what in sorted(found))
        raise UndoRefused(
            f"run {run_id} is not undone: what run {rated_run_id} replaced has changed since, by "
            f"run {runs}. Undo that first, or rate again (ratehouse rerate)"
        )


def preview_undo(connection: Any, run_id: int, *, build_schema: str = "") -> UndoPlan:
    """What undoing the run would do. Changes nothing."""
    require_production(build_schema)
    with connection, connection.cursor() as cursor:
        return plan_undo(cursor, run_id, build_schema)


def undo_run(
    connection: Any,
    run_id: int,
    *,
    reason: str,
    requested_by: str,
    code_commit: str,
    code_is_dirty: bool,
    orchestrator_run_id: str | None = None,
    build_schema: str = "",
) -> tuple[UndoPlan, int | None]:
    """Undo a run in one transaction; the number of the undo, None if it was undone already."""
    require_production(build_schema)
    reason = require_reason(reason)
    took_lock = locks.take_lock(connection, build_schema)
    try:
        with connection, connection.cursor() as cursor:
            _refuse_unfinished(cursor, build_schema)
            plan = plan_undo(cursor, run_id, build_schema)
            if not plan.changes:
                return plan, None
            _refuse_approved(cursor, build_schema, plan.rated_run_id)
            cursor.execute(
                """
                insert into control.rating_run (
                    run_kind, build_schema, status, config, reason, requested_by,
                    reference_cutoff, code_commit, code_is_dirty, orchestrator_run_id,
                    undoes_run_id, closed_at, control_totals
                )
                values ('undo', %s, 'closed', %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp(),
                    %s)
                returning rating_run_id
                """,
                (
                    build_schema,
                    Json({"undoes": run_id}),
                    reason,
                    requested_by,
                    fix_reference_cutoff(cursor),
                    code_commit,
                    code_is_dirty,
                    orchestrator_run_id,
                    run_id,
                    Json({"is_balanced": True, "landed_count": 0, "rated_count": 0}),
                ),
            )
            (undo_id,) = cursor.fetchone()
            take_back(cursor, undo_id, plan, reason, requested_by, build_schema)
            return plan, undo_id
    finally:
        if took_lock and not connection.closed:
            locks.release_lock(connection, build_schema)


def take_back(
    cursor: Any, undo_id: int, plan: UndoPlan, reason: str | None, actor: str, build_schema: str
) -> None:
    """Move the pointers, note who did it, and mark the drafts that hold what changed."""
    for number, status in plan.changes:
        cursor.execute(
            "update control.rating_run set status = %s where rating_run_id = %s", (status, number)
        )
        record_event(
            cursor,
            "rating_run",
            number,
            "undone" if status == "undone" else "redone",
            {"by_run": undo_id, "reason": reason},
            actor,
        )
    verb = "counts again" if plan.brings_back else "was undone"
    mark_stale(cursor, build_schema, [plan.rated_run_id], f"run {plan.rated_run_id} {verb}")


def _refuse_unfinished(cursor: Any, build_schema: str) -> None:
    cursor.execute(
        "select rating_run_id, run_kind, status from control.rating_run "
        "where build_schema = %s and status in ('running', 'failed', 'queued') "
        "order by rating_run_id limit 1",
        (build_schema,),
    )
    row = cursor.fetchone()
    if row is not None:
        raise UndoRefused(
            f"run {row[0]} ({row[1]}) is {row[2]}: finish it first, `ratehouse rate` takes it up"
        )


def _refuse_approved(cursor: Any, build_schema: str, rated_run_id: int) -> None:
    execute(
        cursor,
        build_schema,
        """
        select distinct to_char(d.period_month, 'YYYY-MM'), d.bill_group
        from {usage_total} as t
        inner join reference.account as a
            on t.account_id = a.account_id and a.recorded_to = 'infinity'
        inner join control.invoice_run as d
            on t.period_month = d.period_month and a.bill_group = d.bill_group
        where t.rating_run_id = %(run)s and t.state = 'billed'
            and d.build_schema = {schema} and d.status = 'approved'
        order by 1, 2
        """,
        {"run": rated_run_id},
    )
    found = cursor.fetchall()
    if found:
        drafts = ", ".join(f"{period} {group}" for period, group in found)
        raise UndoRefused(
            f"usage of approved drafts would change: {drafts}. Take the approval back first "
            "(ratehouse reopen), or post them: then the difference becomes an adjustment"
        )
