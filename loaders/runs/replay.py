"""Replays: every closed run once more, in schemas of its own, compared with what stands.

A replayed run has the work set, the kind and the reference cut-off of its original. Nothing of
production is written: the schemas bear the replay's name, and are dropped when it is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from psycopg2 import sql
from psycopg2.extras import Json

from loaders.errors import RatehouseError
from loaders.runs import locks
from loaders.runs.invoice import InvoiceRun
from loaders.runs.rating import RatingRun, read_run
from loaders.runs.schemas import build_relation, relation_exists

FACTS = (
    "rated_usage", "rated_charge", "usage_supersession", "charge_supersession", "usage_total",
    "charge_total",
)  # fmt: skip
_ROLE = "ratehouse_transformer"

# What a re-rating changed about its records.
_CHANGED_BY_RERATE = {
    "duration_correction": "file_id, line_no, seconds_before, new_seconds, reason, requested_by",
    "deck_choice": "file_id, line_no, leg_no, retail_deck_id, cost_deck_id",
}


@dataclass(frozen=True)
class OriginalRun:
    """A run of production that a replay repeats."""

    rating_run_id: int
    run_kind: str
    closed_at: datetime
    reference_cutoff: datetime
    record_count: int
    code_commit: str | None
    code_is_dirty: bool
    undoes_run_id: int | None


@dataclass(frozen=True)
class Comparison:
    """A fact and month, or a draft, as it stands and as the replay made it."""

    relation: str
    month: str
    rows: int
    replayed_rows: int
    checksum: str
    replayed_checksum: str

    @property
    def is_equal(self) -> bool:
        """Whether both say the same."""
        return self.checksum == self.replayed_checksum and self.rows == self.replayed_rows


@dataclass(frozen=True)
class Replay:
    """A replay at work."""

    replay_id: int
    build_schema: str
    is_kept: bool


def original_runs(connection: Any) -> list[OriginalRun]:
    """Closed runs of production, in the order in which they counted.

    Withdrawals that were taken back are among them: the run that took them back undoes them.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            select r.rating_run_id, r.run_kind, r.closed_at, r.reference_cutoff,
                coalesce((r.control_totals ->> 'rated_count')::bigint, 0), r.code_commit,
                coalesce(r.code_is_dirty, false), r.undoes_run_id
            from control.rating_run as r
            where r.build_schema = ''
                and (
                    r.status = 'closed'
                    or r.status = 'undone' and exists (
                        select from control.rating_run as x
                        where x.undoes_run_id = r.rating_run_id and x.status = 'closed'
                    )
                )
            -- An unfinished run stands in the way of any other, so numbers follow time.
            order by r.rating_run_id
            """
        )
        return [OriginalRun(*row) for row in cursor.fetchall()]


def begin_replay(
    connection: Any, *, requested_by: str, reason: str | None, code_commit: str, is_kept: bool
) -> Replay:
    """Register a replay and hold the writer's lock of its schemas; clear what others left.

    Schemas of a killed replay, and of one that was kept, go now.
    """
    _drop_leftovers(connection)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select nextval(pg_get_serial_sequence('control.replay', 'replay_id'))"
        )
        (replay_id,) = cursor.fetchone()
        replay = Replay(replay_id, f"replay_{replay_id}", is_kept)
    locks.take_lock(connection, replay.build_schema)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            insert into control.replay (
                replay_id, build_schema, status, is_kept, reason, requested_by, code_commit
            )
            overriding system value
            values (%s, %s, 'running', %s, %s, %s, %s)
            """,
            (replay_id, replay.build_schema, is_kept, reason, requested_by, code_commit),
        )
    return replay


def _drop_leftovers(connection: Any) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            select p.replay_id, p.build_schema, p.status
            from control.replay as p
            where p.status = 'running' or exists (
                select from pg_catalog.pg_namespace as n
                where starts_with(n.nspname::text, p.build_schema || '_')
            )
            order by 1
            """
        )
        found = cursor.fetchall()
    for replay_id, build_schema, status in found:
        try:
            if not locks.take_lock(connection, build_schema):
                continue
        except RatehouseError as error:
            raise RatehouseError(
                f"replay {replay_id} is at work: wait for it to finish, or stop it"
            ) from error
        try:
            locks.end_abandoned_dbt_sessions(connection, build_schema)
            drop_schemas(connection, build_schema)
            if status == "running":
                _end(connection, replay_id, "failed", {"failure": "killed"})
        finally:
            locks.release_lock(connection, build_schema)


def drop_schemas(connection: Any, build_schema: str) -> list[str]:
    """Drop what a replay built; the names of the schemas."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select nspname from pg_catalog.pg_namespace "
            "where starts_with(nspname::text, %s) order by 1",
            (f"{build_schema}_",),
        )
        names = [row[0] for row in cursor.fetchall()]
    for name in names:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL("set local role {}").format(sql.Identifier(_ROLE)))
            cursor.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(name)))
    return names


def end_replay(
    connection: Any, replay: Replay, comparisons: Sequence[Comparison], detail: Mapping[str, Any]
) -> bool:
    """Keep what the comparison came to, and drop the schemas; whether all of it is equal."""
    is_equal = all(comparison.is_equal for comparison in comparisons)
    _end(
        connection,
        replay.replay_id,
        "equal" if is_equal else "different",
        {**detail, "comparisons": [asdict(c) | {"equal": c.is_equal} for c in comparisons]},
    )
    _clear(connection, replay)
    return is_equal


def fail_replay(connection: Any, replay: Replay, failure: str) -> None:
    """Say why it ended early, and drop the schemas."""
    _end(connection, replay.replay_id, "failed", {"failure": failure})
    _clear(connection, replay)


def _clear(connection: Any, replay: Replay) -> None:
    if not replay.is_kept:
        drop_schemas(connection, replay.build_schema)
    locks.release_lock(connection, replay.build_schema)


def _end(connection: Any, replay_id: int, status: str, result: Mapping[str, Any]) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "update control.replay set status = %s, ended_at = clock_timestamp(), result = %s "
            "where replay_id = %s",
            (status, Json(dict(result)), replay_id),
        )


def open_replayed_run(
    connection: Any,
    replay: Replay,
    original: OriginalRun,
    done: Mapping[int, int],
    *,
    requested_by: str,
    code_commit: str,
    code_is_dirty: bool,
) -> RatingRun:
    """The original's work set once more; ``done`` gives the replayed runs of earlier originals."""
    undoes = None if original.undoes_run_id is None else done[original.undoes_run_id]
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            insert into control.rating_run (
                run_kind, build_schema, status, config, reason, requested_by, reference_cutoff,
                code_commit, code_is_dirty, undoes_run_id, replays_run_id
            )
            select run_kind, %(schema)s, 'running', config, reason, %(requested_by)s,
                reference_cutoff, %(code_commit)s, %(code_is_dirty)s, %(undoes)s, rating_run_id
            from control.rating_run where rating_run_id = %(original)s
            returning rating_run_id
            """,
            {
                "schema": replay.build_schema,
                "requested_by": requested_by,
                "code_commit": code_commit,
                "code_is_dirty": code_is_dirty,
                "undoes": undoes,
                "original": original.rating_run_id,
            },
        )
        (run_id,) = cursor.fetchone()
        values = {
            "run_id": run_id, "schema": replay.build_schema, "original": original.rating_run_id,
        }  # fmt: skip
        cursor.execute(
            """
            insert into control.rating_run_file
                (rating_run_id, file_id, build_schema, is_initial, is_withdrawal)
            select %(run_id)s, file_id, %(schema)s, is_initial, is_withdrawal
            from control.rating_run_file where rating_run_id = %(original)s
            """,
            values,
        )
        cursor.execute(
            """
            insert into control.rating_run_record (rating_run_id, file_id, line_no)
            select %(run_id)s, file_id, line_no
            from control.rating_run_record where rating_run_id = %(original)s
            """,
            values,
        )
        for table, columns in _CHANGED_BY_RERATE.items():
            cursor.execute(
                f"insert into control.{table} (rating_run_id, {columns}) "
                f"select %(run_id)s, {columns} from control.{table} "
                "where rating_run_id = %(original)s",
                values,
            )
    return read_run(connection, run_id, is_resumed=False, holds_own_lock=False)


def compare_facts(
    connection: Any, build_schema: str, done: Mapping[int, int]
) -> list[Comparison]:
    """Rows and checksums of every fact by month, without the ids that only this server gave."""
    originals, replayed = list(done), list(done.values())
    comparisons = []
    for fact in FACTS:
        stands = _checksums(connection, "", fact, originals, originals)
        made = _checksums(connection, build_schema, fact, replayed, originals)
        for month in sorted(stands.keys() | made.keys(), key=lambda m: m or date.min):
            rows, checksum = stands.get(month, (0, ""))
            replayed_rows, replayed_checksum = made.get(month, (0, ""))
            comparisons.append(
                Comparison(
                    f"rating.{fact}",
                    f"{month:%Y-%m}" if month else "",
                    rows,
                    replayed_rows,
                    checksum,
                    replayed_checksum,
                )
            )
    return comparisons


def differing_runs(
    connection: Any, build_schema: str, done: Mapping[int, int], comparisons: Sequence[Comparison]
) -> list[int]:
    """The originals whose rows the replay did not make again."""
    facts = sorted(
        {
            c.relation.removeprefix("rating.")
            for c in comparisons
            if not c.is_equal and c.relation.startswith("rating.")
        }
    )
    return [
        original
        for original, replayed in done.items()
        if any(
            _checksums(connection, "", fact, [original], [original])
            != _checksums(connection, build_schema, fact, [replayed], [original])
            for fact in facts
        )
    ]


def _checksums(
    connection: Any, build_schema: str, fact: str, runs: list[int], stand_for: list[int]
) -> dict[date | None, tuple[int, str]]:
    with connection, connection.cursor() as cursor:
        if not relation_exists(cursor, build_schema, "rating", fact):
            return {}
        relation = build_relation(build_schema, "rating", fact).as_string(cursor)
        cursor.execute(
            "select period_month, row_count, checksum "
            "from control.fact_checksums(%s::regclass, %s::bigint[], %s::bigint[])",
            (relation, runs, stand_for),
        )
        return {month: (rows, checksum) for month, rows, checksum in cursor.fetchall()}


# -- drafts --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OriginalDraft:
    """A draft, approved or posted billing run that a replay can make again."""

    invoice_run_id: int
    period_month: date
    bill_group: str
    invoices: int
    content_checksum: str


def original_drafts(connection: Any) -> tuple[list[OriginalDraft], list[str]]:
    """Billing runs made from all that counts, and in words those that are older than that."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            select d.invoice_run_id, d.period_month, d.bill_group,
                coalesce((d.control_totals ->> 'invoices')::integer, 0),
                d.control_totals ->> 'content_checksum',
                d.stale_since is not null or exists (
                    select from control.rating_run as r
                    where r.build_schema = '' and r.closed_at > d.drafted_at
                        and r.status = 'closed'
                )
            from control.invoice_run as d
            where d.build_schema = '' and d.status in ('draft', 'approved', 'posted')
                and d.drafted_at is not null and not d.is_building and d.is_current
            order by d.period_month, d.bill_group
            """
        )
        rows = cursor.fetchall()
    return (
        [OriginalDraft(*row[:5]) for row in rows if not row[5]],
        [f"{period:%Y-%m} {group}" for _, period, group, _, _, is_older in rows if is_older],
    )


def open_replayed_draft(
    connection: Any, replay: Replay, original: OriginalDraft, *, requested_by: str
) -> InvoiceRun:
    """The original's period, bill group and cut-off once more."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            insert into control.invoice_run (
                build_schema, period_month, bill_group, status, reference_cutoff, code_commit,
                is_building
            )
            select %s, period_month, bill_group, 'draft', reference_cutoff, code_commit, true
            from control.invoice_run where invoice_run_id = %s
            returning invoice_run_id, run_token::text
            """,
            (replay.build_schema, original.invoice_run_id),
        )
        run_id, token = cursor.fetchone()
    return InvoiceRun(
        invoice_run_id=run_id,
        build_schema=replay.build_schema,
        period_month=original.period_month,
        bill_group=original.bill_group,
        run_token=token,
        is_first_draft=True,
        earlier_checksum=original.content_checksum,
        requested_by=requested_by,
        holds_own_lock=False,
    )
