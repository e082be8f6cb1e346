"""Compare our calls with a carrier's records of them, call by call.

The views of the dbt folder `reconciliation` say how; here they are asked in their order, within one
transaction that is rolled back unless the result is to be kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from psycopg2 import sql
from psycopg2.extras import Json

from loaders.errors import RatehouseError
from loaders.events import record_event
from loaders.files.session import transaction
from loaders.reconcile.dispute import write_dispute
from loaders.reconcile.question import Question
from loaders.runs.schemas import build_relation, relation_exists

CLASSES = (
    "exact", "within_tolerance", "zone_shift", "more", "rate", "duplicate", "missing_here",
    "missing_there", "nothing_to_bill", "not_compared",
)  # fmt: skip
_LOCK = 0x52480045
_WORK = ("record", "clock", "candidate", "pair")
_TOP = 20
_MEASURES = """
    count(our_usage_id), count(their_usage_id), coalesce(sum(our_seconds), 0),
    coalesce(sum(their_seconds), 0), sum(expected_amount), sum(their_amount),
    sum(difference_amount), sum(claimed_amount)
"""


@dataclass(frozen=True)
class Figures:
    """Counts and sums of some calls. Amounts are of one pair of currencies."""

    our_count: int
    their_count: int
    our_seconds: Decimal
    their_seconds: Decimal
    expected_amount: Decimal | None
    their_amount: Decimal | None
    difference_amount: Decimal | None
    claimed_amount: Decimal | None


@dataclass(frozen=True)
class Group:
    """Figures of a class, a day or a code."""

    names: tuple[Any, ...]
    expected_currency: str | None
    their_currency: str | None
    figures: Figures


@dataclass(frozen=True)
class Clock:
    """By how much their clock is ahead of ours, and how many calls say so."""

    quarters: int
    pair_count: int
    is_main: bool
    offset_seconds: Decimal


@dataclass(frozen=True)
class Amount:
    """A whole amount: what the carrier bills of a kind, and what we expect."""

    kind: str
    currency: str | None
    record_count: int
    from_date: date | None
    to_date: date | None
    their_amount: Decimal | None
    expected_amount: Decimal | None

    @property
    def difference(self) -> Decimal | None:
        """Billed less expected."""
        if self.their_amount is None or self.expected_amount is None:
            return None
        return self.their_amount - self.expected_amount


@dataclass(frozen=True)
class Reconciliation:
    """What a comparison came to. ``reconciliation_id`` is None where nothing was kept."""

    reconciliation_id: int | None
    question: Question
    our_count: int
    their_count: int
    # Records read around the period whose call lies outside of it.
    outside_count: int
    clocks: tuple[Clock, ...]
    by_class: tuple[Group, ...]
    by_day: tuple[Group, ...]
    by_code: tuple[Group, ...]
    top: tuple[tuple[Any, ...], ...]
    amounts: tuple[Amount, ...]
    dispute_count: int | None = None

    def count_of(self, call_class: str) -> int:
        """Calls of a class."""
        return sum(
            max(group.figures.our_count, group.figures.their_count)
            for group in self.by_class
            if group.names == (call_class,)
        )

    @property
    def is_agreed(self) -> bool:
        """Whether there is nothing a person has to look at."""
        agreed = ("exact", "within_tolerance", "nothing_to_bill", "not_compared")
        return all(group.names[0] in agreed for group in self.by_class)


TOP_COLUMNS = (
    "difference", "currency", "called number", "started", "our seconds", "their seconds",
    "expected", "billed", "reason",
)  # fmt: skip


def reconcile(
    connection: Any,
    question: Question,
    *,
    preview: bool = True,
    dispute_file: Path | None = None,
    overwrite: bool = False,
    actor: str | None = None,
) -> Reconciliation:
    """Compare; a preview leaves nothing behind but the dispute file, if one is named."""
    if dispute_file is not None and dispute_file.exists() and not overwrite:
        raise RatehouseError(f"{dispute_file} exists already; name another file, or --overwrite")
    with transaction(connection) as cursor:
        if not relation_exists(cursor, "", "reconciliation", "int_reconciliation__calls"):
            raise RatehouseError("the models are not built yet: start `ratehouse rate` first")
        cursor.execute("select pg_try_advisory_xact_lock(%s)", (_LOCK,))
        if not cursor.fetchone()[0]:
            raise RatehouseError("another reconciliation is at work; try again when it is done")
        _say_what(cursor, question)
        _pair(cursor)
        reconciliation_id = _keep(cursor, question, actor)
        result = _read(cursor, question, reconciliation_id)
        _check_balance(cursor, result)
        dispute_count = None
        if dispute_file is not None:
            dispute_count = write_dispute(cursor, reconciliation_id, dispute_file)
        result = replace(
            result,
            reconciliation_id=None if preview else reconciliation_id,
            dispute_count=dispute_count,
        )
        if preview:
            cursor.connection.rollback()
        else:
            _clear(cursor)
            record_event(
                cursor, "reconciliation", reconciliation_id, "kept", _summary(result), actor
            )
    return result


def _say_what(cursor: Any, question: Question) -> None:
    """Tell the views, for this transaction, what to compare."""
    ours = _source_ids(cursor, question.our_sources)
    theirs = _source_ids(cursor, question.their_sources)
    charges = _source_ids(cursor, question.charge_sources)
    settings = {
        "from": question.from_at, "to": question.to_at, "ours": _array(ours),
        "theirs": _array(theirs), "charges": _array(charges), "directions": question.direction,
        "start_tolerance": question.start_tolerance,
        "seconds_tolerance": question.seconds_tolerance,
        "amount_tolerance": question.amount_tolerance,
        "match_callers": question.match_callers,
    }  # fmt: skip
    for name, value in settings.items():
        cursor.execute(
            "select set_config(%s, %s, true)", (f"ratehouse.reconcile_{name}", str(value))
        )


def _array(ids: list[int]) -> str:
    return "{" + ",".join(map(str, ids)) + "}"


def _source_ids(cursor: Any, codes: tuple[str, ...]) -> list[int]:
    cursor.execute(
        "select source_code, source_id from reference.source_key where source_code = any(%s)",
        (list(codes),),
    )
    known = dict(cursor.fetchall())
    if unknown := [code for code in codes if code not in known]:
        cursor.execute(
            "select source_code from reference.source_key "
            "where source_code not like 'unassigned\\_%%' order by 1"
        )
        names = ", ".join(code for (code,) in cursor.fetchall())
        raise RatehouseError(f"there is no source {', '.join(unknown)}; there are: {names}")
    return sorted(known[code] for code in set(codes))


def _view(name: str) -> sql.Identifier:
    return build_relation("", "reconciliation", f"int_reconciliation__{name}")


def _fill(cursor: Any, work: str, view: str) -> int:
    """Put the rows of a view into a work table."""
    table = sql.Identifier("control", f"reconciliation_{work}")
    cursor.execute(
        "select array_agg(column_name::text order by ordinal_position) "
        "from information_schema.columns "
        "where table_schema = 'control' and table_name = %s",
        (f"reconciliation_{work}",),
    )
    columns = sql.SQL(", ").join(map(sql.Identifier, cursor.fetchone()[0]))
    cursor.execute(
        sql.SQL("insert into {table} ({columns}) select {columns} from {view}").format(
            table=table, columns=columns, view=_view(view)
        )
    )
    filled: int = cursor.rowcount
    cursor.execute(sql.SQL("analyze {}").format(table))
    return filled


def _clear(cursor: Any) -> None:
    cursor.execute(
        sql.SQL("truncate {}").format(
            sql.SQL(", ").join(sql.Identifier("control", f"reconciliation_{w}") for w in _WORK)
        )
    )


def _pair(cursor: Any) -> None:
    """Find out which records are one call: the best of each other, until none are left."""
    _clear(cursor)
    _fill(cursor, "record", "records")
    _fill(cursor, "clock", "clock")
    _fill(cursor, "candidate", "candidates")
    while _fill(cursor, "pair", "best"):
        cursor.execute(
            "delete from control.reconciliation_candidate as c "
            "using control.reconciliation_pair as p "
            "where c.our_usage_id = p.our_usage_id"
        )
        cursor.execute(
            "delete from control.reconciliation_candidate as c "
            "using control.reconciliation_pair as p "
            "where c.their_usage_id = p.their_usage_id"
        )


def _keep(cursor: Any, question: Question, actor: str | None) -> int:
    cursor.execute(
        "insert into control.reconciliation (period_from, period_to, our_sources, their_sources, "
        "config, result, requested_by) "
        "values (%s, %s, %s, %s, %s, %s, coalesce(%s, session_user)) returning reconciliation_id",
        (
            question.from_at, question.to_at, list(question.our_sources),
            list(question.their_sources), Json(question.to_json()), Json(_result(cursor)), actor,
        ),
    )  # fmt: skip
    reconciliation_id: int = cursor.fetchone()[0]
    cursor.execute(
        "select array_agg(column_name::text order by ordinal_position) "
        "from information_schema.columns where table_schema = 'control' "
        "and table_name = 'reconciliation_call' and column_name <> 'reconciliation_id'"
    )
    columns = sql.SQL(", ").join(map(sql.Identifier, cursor.fetchone()[0]))
    cursor.execute(
        sql.SQL(
            "insert into control.reconciliation_call (reconciliation_id, {columns}) "
            "select %s, {columns} from {view}"
        ).format(columns=columns, view=_view("calls")),
        (reconciliation_id,),
    )
    return reconciliation_id


def _result(cursor: Any) -> dict[str, Any]:
    """What does not follow from the calls: the clock, and the carrier's charges by kind."""
    cursor.execute(
        sql.SQL(
            "select jsonb_build_object("
            "'clocks', (select jsonb_agg(to_jsonb(c)) from control.reconciliation_clock as c), "
            "'charges', (select jsonb_agg(to_jsonb(c)) from {} as c))"
        ).format(_view("charges"))
    )
    result: dict[str, Any] = cursor.fetchone()[0]
    return result


def _groups(cursor: Any, reconciliation_id: int, names: str, order: str) -> tuple[Group, ...]:
    count = names.count(",") + 1
    cursor.execute(
        f"select {names}, expected_currency, their_currency, {_MEASURES} from ("
        "select c.*, c.prefix || coalesce(' ' || c.destination_name, '') as code,"
        " coalesce(c.expected_currency_code, c.their_currency_code) as expected_currency,"
        " coalesce(c.their_currency_code, c.expected_currency_code) as their_currency"
        " from control.reconciliation_call as c where c.reconciliation_id = %s) as calls "
        f"group by {names}, expected_currency, their_currency order by {order}",
        (reconciliation_id,),
    )
    return tuple(
        Group(row[:count], row[count], row[count + 1], Figures(*row[count + 2 :]))
        for row in cursor.fetchall()
    )


def _read(cursor: Any, question: Question, reconciliation_id: int) -> Reconciliation:
    cursor.execute(
        "select count(our_usage_id), count(their_usage_id) from control.reconciliation_call "
        "where reconciliation_id = %s",
        (reconciliation_id,),
    )
    our_count, their_count = cursor.fetchone()
    cursor.execute("select count(*) from control.reconciliation_record")
    outside = cursor.fetchone()[0] - our_count - their_count
    cursor.execute(
        "select quarters, pair_count, is_main, offset_seconds from control.reconciliation_clock "
        "where pair_count > 0 order by is_main desc, pair_count desc, quarters"
    )
    clocks = tuple(Clock(*row) for row in cursor.fetchall())
    order = f"array_position(array{list(CLASSES)!r}, call_class)"
    by_class = _groups(
        cursor, reconciliation_id, "call_class", f"{order}, expected_currency, their_currency"
    )
    by_day = _groups(cursor, reconciliation_id, "call_date", "call_date, 2, 3")
    by_code = _groups(
        cursor, reconciliation_id, "code",
        "coalesce(sum(abs(difference_amount)), 0) desc, code, 2, 3",
    )  # fmt: skip
    cursor.execute(
        "select difference_amount, coalesce(their_currency_code, expected_currency_code), "
        "called_number::text, coalesce(our_started_at, their_started_at), our_seconds, "
        "their_seconds, expected_amount, their_amount, reason from control.reconciliation_call "
        "where reconciliation_id = %s and difference_amount <> 0 "
        "order by abs(difference_amount) desc, call_no limit %s",
        (reconciliation_id, _TOP),
    )
    top = tuple(cursor.fetchall())
    return Reconciliation(
        reconciliation_id, question, our_count, their_count, outside, clocks, by_class, by_day,
        by_code, top, _amounts(cursor, question, reconciliation_id, by_class),
    )  # fmt: skip


def _amounts(
    cursor: Any, question: Question, reconciliation_id: int, by_class: tuple[Group, ...]
) -> tuple[Amount, ...]:
    """Whole amounts: calls, charges by kind, and the invoice."""
    expected: dict[str | None, Decimal] = {}
    billed: dict[str | None, Decimal] = {}
    counts: dict[str | None, int] = {}
    for group in by_class:
        figures = group.figures
        if figures.expected_amount is not None:
            code = group.expected_currency
            expected[code] = expected.get(code, Decimal(0)) + figures.expected_amount
        if figures.their_amount is not None:
            code = group.their_currency
            billed[code] = billed.get(code, Decimal(0)) + figures.their_amount
            counts[code] = counts.get(code, 0) + figures.their_count
    amounts = [
        Amount(
            "calls, record by record", code, counts.get(code, 0), None, None, billed.get(code),
            expected.get(code, Decimal(0)),
        )
        for code in sorted({*expected, *billed}, key=str)
    ]  # fmt: skip
    cursor.execute(
        sql.SQL(
            "select c.charge_type, c.currency_code, c.record_count, c.from_date, c.to_date, "
            "c.their_amount, case when c.charge_type = 'usage_summary' then ("
            "  select coalesce(sum(o.expected_amount), 0) from control.reconciliation_call as o "
            "  where o.reconciliation_id = %s and o.expected_currency_code = c.currency_code "
            "  and o.call_date between c.from_date and coalesce(c.to_date, c.from_date)) end "
            "from {} as c order by c.charge_type <> 'usage_summary', 1, 2, 4"
        ).format(_view("charges")),
        (reconciliation_id,),
    )
    others: dict[str | None, Decimal] = {}
    for kind, code, count, first, last, amount, usage in cursor.fetchall():
        amounts.append(
            Amount(f"{kind.replace('_', ' ')} (SDR)", code, count, first, last, amount, usage)
        )
        if kind != "usage_summary":
            others[code] = others.get(code, Decimal(0)) + (amount or Decimal(0))
    if question.invoice_total is not None:
        code = question.invoice_currency
        amounts.append(
            Amount(
                "invoice: calls as expected, and SDR charges", code, 1, None, None,
                question.invoice_total,
                expected.get(code, Decimal(0)) + others.get(code, Decimal(0)),
            )
        )  # fmt: skip
    return tuple(amounts)


def _check_balance(cursor: Any, result: Reconciliation) -> None:
    """Every record of ours in the period is in one class, and of both sides none is lost."""
    cursor.execute(
        "select count(*) filter (where side = 'ours' and started_at >= %(from)s "
        "and started_at < %(to)s), "
        "count(*) filter (where side = 'theirs') from control.reconciliation_record",
        {"from": result.question.from_at, "to": result.question.to_at},
    )
    ours, theirs = cursor.fetchone()
    in_classes = (
        sum(group.figures.our_count for group in result.by_class),
        sum(group.figures.their_count for group in result.by_class),
    )
    if in_classes != (ours, result.their_count) or result.their_count > theirs:
        raise RatehouseError(
            f"the classes hold {in_classes[0]} records of ours, there are {ours}; and "
            f"{in_classes[1]} of theirs, there are {result.their_count}"
        )


def _summary(result: Reconciliation) -> dict[str, Any]:
    return {
        "question": result.question.to_json(),
        "ours": result.our_count,
        "theirs": result.their_count,
        "classes": {
            group.names[0]: [group.figures.our_count, group.figures.their_count]
            for group in result.by_class
        },
    }
