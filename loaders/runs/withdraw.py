"""Withdraw a file with everything it caused, and take that back: previews, and the runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from loaders.errors import RatehouseError
from loaders.events import record_event
from loaders.runs import locks, withdrawal
from loaders.runs.rating import RatingRun, open_run
from loaders.runs.schemas import relation_exists
from loaders.runs.withdrawal import WithdrawalRefused


@dataclass(frozen=True)
class RecordGroup:
    """Records of a file by what became of them, with their money."""

    record_kind: str
    state: str
    reason: str
    record_count: int
    amount: Decimal
    currency_code: str | None


@dataclass(frozen=True)
class WithdrawalPreview:
    """What withdrawing a file, or restoring it, would do."""

    file_id: int
    file_name: str
    source_code: str
    status: str
    record_count: int
    records: tuple[RecordGroup, ...]
    # Records of other files that would be rated, or become repeats again.
    repeat_count: int
    # Drafts (period, bill group) that would be made again.
    drafts: tuple[tuple[str, str], ...]
    invoices_in_the_way: tuple[Mapping[str, Any], ...]


_RECORDS = """
    select t.kind, t.state, coalesce(t.reason, ''), sum(t.records)::bigint, sum(t.amount),
        t.currency_code
    from (
        select 'usage' as kind, rating_run_id, state, reason, currency_code,
            record_count as records, retail_amount as amount
        from {usage_total} where file_id = %(file_id)s
        union all
        select 'charge', rating_run_id, state, reason, currency_code, record_count, charge_amount
        from {charge_total} where file_id = %(file_id)s
    ) as t
    inner join control.rating_run as r on t.rating_run_id = r.rating_run_id
    where r.status = 'closed' and r.rating_run_id is distinct from %(withdrawal)s
    group by 1, 2, 3, 6
    having sum(t.records) <> 0 or sum(t.amount) <> 0
    order by 1 desc, 4 desc, 2, 3
"""
_DRAFTS = """
    select distinct to_char(d.period_month, 'YYYY-MM'), d.bill_group
    from (
        select rating_run_id, account_id, period_month from {usage_total}
        where file_id = %(file_id)s and state = 'billed'
        union
        select rating_run_id, account_id, period_month from {charge_total}
        where file_id = %(file_id)s and state = 'billed'
    ) as t
    inner join reference.account as a
        on t.account_id = a.account_id and a.recorded_to = 'infinity'
    inner join control.invoice_run as d
        on t.period_month = d.period_month and a.bill_group = d.bill_group
    where d.build_schema = {schema} and d.status = 'draft' and d.drafted_at is not null
    order by 1, 2
"""


def preview_withdrawal(
    connection: Any, file_id: int, *, build_schema: str = ""
) -> WithdrawalPreview:
    """What withdrawing a file would take out. Changes nothing."""
    with connection, connection.cursor() as cursor:
        file = withdrawal.read_file(cursor, file_id)
        _require_withdrawable(cursor, build_schema, file)
        return _preview(cursor, build_schema, file, None)


def preview_restore(connection: Any, file_id: int, *, build_schema: str = "") -> WithdrawalPreview:
    """What restoring a file would bring back. Changes nothing."""
    with connection, connection.cursor() as cursor:
        file = withdrawal.read_file(cursor, file_id)
        _require_withdrawn(file)
        withdrawn_by = withdrawal.withdrawal_in_force(cursor, build_schema, file_id)
        return _preview(cursor, build_schema, file, withdrawn_by)


def _preview(
    cursor: Any, build_schema: str, file: Mapping[str, Any], withdrawn_by: int | None
) -> WithdrawalPreview:
    file_id = file["file_id"]
    records: list[RecordGroup] = []
    drafts: list[tuple[str, str]] = []
    invoices: list[dict[str, Any]] = []
    repeats = 0
    if withdrawal.is_rated(cursor, build_schema, file_id):
        if not relation_exists(cursor, build_schema, "rating", "charge_total"):
            raise RatehouseError(
                "the first rating run has not finished: finish it first (ratehouse rate)"
            )
        values = {"file_id": file_id, "withdrawal": withdrawn_by}
        withdrawal.execute(cursor, build_schema, _RECORDS, values)
        records = [RecordGroup(*row) for row in cursor.fetchall()]
        withdrawal.execute(cursor, build_schema, _DRAFTS, values)
        drafts = cursor.fetchall()
        invoices = withdrawal.invoices_in_the_way(cursor, build_schema, file_id, withdrawn_by)
        repeats = (
            withdrawal.count_repeats(cursor, build_schema, file_id)
            if withdrawn_by is None
            else withdrawal.count_restored_repeats(cursor, build_schema, file_id, withdrawn_by)
        )
    return WithdrawalPreview(
        file_id=file_id,
        file_name=file["file_name"],
        source_code=file["source_code"],
        status=file["status"],
        record_count=file["data_count"],
        records=tuple(records),
        repeat_count=repeats,
        drafts=tuple(drafts),
        invoices_in_the_way=tuple(invoices),
    )


def _require_withdrawable(cursor: Any, build_schema: str, file: Mapping[str, Any]) -> None:
    file_id, status = file["file_id"], file["status"]
    if status == "withdrawn":
        raise WithdrawalRefused(
            f"file {file_id} ({file['file_name']}) is withdrawn already; "
            f"`ratehouse files restore {file_id}` takes that back"
        )
    if status != "landed":
        raise WithdrawalRefused(
            f"file {file_id} ({file['file_name']}) is {status}: it caused nothing that could be "
            "withdrawn. A held file is put away with `ratehouse files discard`"
        )
    if withdrawal.withdrawal_in_force(cursor, build_schema, file_id) is not None:
        raise WithdrawalRefused(
            f"file {file_id} ({file['file_name']}) is just being restored: finish that first "
            "(ratehouse rate)"
        )


def _require_withdrawn(file: Mapping[str, Any]) -> None:
    if file["status"] != "withdrawn":
        raise WithdrawalRefused(
            f"file {file['file_id']} ({file['file_name']}) is {file['status']}, not withdrawn: "
            "there is nothing to restore"
        )


def open_withdraw_run(
    connection: Any, file_id: int, *, reason: str, build_schema: str = "", **opening: Any
) -> RatingRun | None:
    """Begin to withdraw a file; an unfinished run comes first, whatever it was.

    ``opening`` is what every run remembers about its making: requested_by, code_commit,
    code_is_dirty, orchestrator_run_id. None when no run is needed: the file was not rated yet, and
    is withdrawn at once.
    """

    def add_withdrawal(cursor: Any, run_id: int) -> int:
        file = withdrawal.read_file(cursor, file_id)
        _require_withdrawable(cursor, build_schema, file)
        if not withdrawal.is_rated(cursor, build_schema, file_id):
            return 0
        withdrawal.refuse_invoices(
            withdrawal.invoices_in_the_way(cursor, build_schema, file_id),
            f"file {file_id} ({file['file_name']}) cannot be withdrawn",
        )
        return withdrawal.insert_withdrawn_file(cursor, run_id, build_schema, file_id)

    def plan() -> _Plan:
        return _Plan("withdraw", add_withdrawal)

    return _open(connection, file_id, "withdrawn", plan, reason, build_schema, opening)


def open_restore_run(
    connection: Any, file_id: int, *, reason: str, build_schema: str = "", **opening: Any
) -> RatingRun | None:
    """Begin to take a withdrawal back; an unfinished run comes first, whatever it was.

    ``opening`` as for open_withdraw_run. None when no run is needed: the file was withdrawn before
    anything had rated it.
    """

    def plan() -> _Plan:
        with connection, connection.cursor() as cursor:
            withdrawn_by = withdrawal.withdrawal_in_force(cursor, build_schema, file_id)

        def add_restore(cursor: Any, run_id: int) -> int:
            file = withdrawal.read_file(cursor, file_id)
            _require_withdrawn(file)
            if withdrawn_by is None:
                return 0
            withdrawal.refuse_invoices(
                withdrawal.invoices_in_the_way(cursor, build_schema, file_id, withdrawn_by),
                f"file {file_id} ({file['file_name']}) cannot be restored",
            )
            return withdrawal.insert_restored_file(
                cursor, run_id, build_schema, file_id, withdrawn_by
            )

        # A file that no run had taken comes back without one: what is opened here is only what
        # somebody else left unfinished.
        return _Plan(None if withdrawn_by is None else "restore", add_restore, withdrawn_by)

    return _open(connection, file_id, "landed", plan, reason, build_schema, opening)


@dataclass(frozen=True)
class _Plan:
    """The run to open: its kind, how its work set is written, and the run it takes back."""

    kind: str | None
    add_work: Callable[[Any, int], int]
    undoes_run_id: int | None = None


def _open(
    connection: Any,
    file_id: int,
    status: str,
    plan: Callable[[], _Plan],
    reason: str,
    build_schema: str,
    opening: Mapping[str, Any],
) -> RatingRun | None:
    """Open what is planned under the writer's lock; without a run the file moves to ``status``."""
    _require_production(build_schema)
    took_lock = locks.take_lock(connection, build_schema)
    has_run = False
    try:
        planned = plan()
        run = open_run(
            connection,
            planned.kind,
            planned.add_work,
            reason=_require_reason(reason),
            config={"file_id": file_id},
            build_schema=build_schema,
            undoes_run_id=planned.undoes_run_id,
            **opening,
        )
        if run is None:
            _move(connection, file_id, status, reason, opening["requested_by"])
            return None
        has_run = True
        return _with_lock(run, took_lock)
    finally:
        _release(connection, build_schema, took_lock and not has_run)


def is_withdrawn(connection: Any, file_id: int) -> bool:
    """Whether the file is withdrawn; one that does not exist is refused."""
    with connection, connection.cursor() as cursor:
        return withdrawal.read_file(cursor, file_id)["status"] == "withdrawn"


def _require_production(build_schema: str) -> None:
    if build_schema:
        raise RatehouseError(
            f"files are withdrawn and restored in production, not in the build schema "
            f"'{build_schema}' (RATEHOUSE_BUILD_SCHEMA)"
        )


def _require_reason(reason: str) -> str:
    if not reason.strip():
        raise RatehouseError("a reason is needed: say why, it is kept with the file")
    return reason.strip()


def _move(connection: Any, file_id: int, status: str, reason: str, actor: str) -> None:
    """Withdraw or restore a file that no run has taken."""
    with connection, connection.cursor() as cursor:
        file = withdrawal.read_file(cursor, file_id)
        if status == "withdrawn":
            _require_withdrawable(cursor, "", file)
        else:
            _require_withdrawn(file)
        withdrawal.change_status(cursor, file_id, status)
        record_event(
            cursor,
            "file",
            file_id,
            "withdrawn" if status == "withdrawn" else "restored",
            {"reason": reason},
            actor,
        )


def _with_lock(run: RatingRun, took_lock: bool) -> RatingRun:
    """The lock was taken here, around the opening; closing the run lets it go."""
    return replace(run, holds_own_lock=took_lock)


def _release(connection: Any, build_schema: str, is_due: bool) -> None:
    if is_due and not connection.closed:
        locks.release_lock(connection, build_schema)


def drafts_out_of_date(connection: Any, build_schema: str = "") -> list[tuple[Any, str]]:
    """Period and bill group of the drafts that a withdrawal or restore has left out of date."""
    with connection, connection.cursor() as cursor:
        return withdrawal.stale_drafts(cursor, build_schema)
