"""Check a carrier's bill: what the command and the job both show and do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from loaders import reconcile as compared
from loaders.errors import RatehouseError
from loaders.reconcile import Question, Reconciliation
from loaders.reconcile.comparing import TOP_COLUMNS, Group
from orchestration.lib.alerts import instant
from orchestration.lib.tables import format_amount

_FIGURES = (
    "ours", "theirs", "our seconds", "their seconds", "expected", "billed", "difference",
    "to claim", "currency",
)  # fmt: skip
CLASS_COLUMNS = ("class", "means", *_FIGURES)
DAY_COLUMNS = ("day", *_FIGURES)
CODE_COLUMNS = ("code", *_FIGURES)
AMOUNT_COLUMNS = (
    "what", "records", "from", "to", "expected", "billed", "difference", "currency",
)  # fmt: skip
CLOCK_COLUMNS = ("their clock is ahead by", "calls that show it", "most calls")
_MEANINGS = {
    "exact": "same seconds, same amount",
    "within_tolerance": "seconds differ within the tolerance",
    "zone_shift": "the same, but for quarters of an hour",
    "more": "seconds differ by more than that",
    "rate": "same seconds, other amount",
    "duplicate": "billed twice",
    "missing_here": "billed, but no call of ours",
    "missing_there": "our call, not billed",
    "nothing_to_bill": "not answered or internal, not billed",
    "not_compared": "no records of theirs",
}
# More days or codes than this nobody reads in a list.
_SHOWN = 100


def question(
    our_sources: Iterable[str],
    their_sources: Iterable[str],
    from_time: str,
    to_time: str,
    *,
    charge_sources: Iterable[str] = (),
    direction: str = "",
    start_tolerance: str = "60",
    seconds_tolerance: str = "2",
    amount_tolerance: str = "0.0001",
    match_callers: bool = True,
    invoice_total: str = "",
) -> Question:
    """A question from what people write."""
    from_at, to_at = _period(from_time, to_time)
    amount, currency = _money(invoice_total)
    return Question(
        our_sources=tuple(dict.fromkeys(our_sources)),
        their_sources=tuple(dict.fromkeys(their_sources)),
        from_at=from_at,
        to_at=to_at,
        charge_sources=tuple(dict.fromkeys(charge_sources)),
        direction=direction,
        start_tolerance=_number("start tolerance", start_tolerance),
        seconds_tolerance=_number("seconds tolerance", seconds_tolerance),
        amount_tolerance=_number("amount tolerance", amount_tolerance),
        match_callers=match_callers,
        invoice_total=amount,
        invoice_currency=currency,
    )


def _period(from_time: str, to_time: str) -> tuple[datetime, datetime]:
    """From when until when; a month alone, as 2026-10, is the whole month (UTC)."""
    try:
        first = datetime.strptime(from_time.strip(), "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        first = None
    if first is not None and not to_time.strip():
        return first, first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    from_at, to_at = first or instant(from_time, "from"), instant(to_time, "to")
    if from_at is None or to_at is None:
        raise RatehouseError("say which time: a month as 2026-10, or from when until when")
    return from_at, to_at


def _number(name: str, text: str) -> Decimal:
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        raise RatehouseError(f"{name}: {text!r} is no number") from None


def _money(text: str) -> tuple[Decimal | None, str]:
    """An amount with its currency, as `1234.50 USD`."""
    if not text.strip():
        return None, ""
    amount, _, currency = text.strip().partition(" ")
    currency = currency.strip().upper()
    if len(currency) != 3 or not currency.isalpha():
        raise RatehouseError(f"{text!r} is no amount of money; write it as '1234.50 USD'")
    return _number("invoice total", amount), currency


def run(
    connection: Any,
    asked: Question,
    *,
    preview: bool = True,
    dispute_file: Path | None = None,
    overwrite: bool = False,
    actor: str | None = None,
) -> Reconciliation:
    """Compare, and keep it unless it is a preview."""
    return compared.reconcile(
        connection, asked, preview=preview, dispute_file=dispute_file, overwrite=overwrite,
        actor=actor,
    )  # fmt: skip


def describe(result: Reconciliation) -> str:
    """The outcome in a sentence."""
    asked = result.question
    claims: dict[str, Decimal] = {}
    for group in result.by_class:
        if group.figures.claimed_amount:
            code = group.their_currency or "?"
            claims[code] = claims.get(code, Decimal(0)) + group.figures.claimed_amount
    claim = ", ".join(f"{format_amount(value)} {code}" for code, value in sorted(claims.items()))
    sentence = (
        f"{', '.join(asked.our_sources)} against "
        f"{', '.join(asked.their_sources) or 'whole amounts'}, "
        f"{asked.from_at:%Y-%m-%d %H:%M} to {asked.to_at:%Y-%m-%d %H:%M} UTC: "
        f"{result.our_count:,} records of ours, {result.their_count:,} of theirs, "
        f"{result.count_of('exact'):,} agree exactly; "
        + (f"{claim} to claim" if claim else "nothing to claim")
    )
    if asked.their_sources and not result.their_count:
        sentence += ". There are no records of theirs in that time: were their files rated?"
    if result.reconciliation_id is None:
        return sentence + ". Nothing was kept"
    return sentence + f". Kept as reconciliation {result.reconciliation_id}"


def _figures(group: Group) -> tuple[Any, ...]:
    f = group.figures
    currencies = dict.fromkeys(
        code for code in (group.expected_currency, group.their_currency) if code
    )
    return (
        f.our_count, f.their_count, f.our_seconds, f.their_seconds, f.expected_amount,
        f.their_amount, f.difference_amount, f.claimed_amount, " / ".join(currencies),
    )  # fmt: skip


def class_rows(result: Reconciliation) -> list[tuple[Any, ...]]:
    """One row per class (CLASS_COLUMNS)."""
    return [
        (g.names[0].replace("_", " "), _MEANINGS[g.names[0]], *_figures(g)) for g in result.by_class
    ]


def day_rows(result: Reconciliation) -> list[tuple[Any, ...]]:
    """One row per day (DAY_COLUMNS)."""
    return [(*g.names, *_figures(g)) for g in result.by_day[:_SHOWN]]


def code_rows(result: Reconciliation) -> list[tuple[Any, ...]]:
    """One row per code, the largest difference first (CODE_COLUMNS)."""
    return [(g.names[0] or "(none)", *_figures(g)) for g in result.by_code[:_SHOWN]]


def amount_rows(result: Reconciliation) -> list[tuple[Any, ...]]:
    """Whole amounts (AMOUNT_COLUMNS)."""
    return [
        (
            a.kind, a.record_count, a.from_date, a.to_date, a.expected_amount, a.their_amount,
            a.difference, a.currency,
        )
        for a in result.amounts
    ]  # fmt: skip


def clock_rows(result: Reconciliation) -> list[tuple[Any, ...]]:
    """How their clock runs (CLOCK_COLUMNS)."""
    return [(_ahead(c.quarters, c.offset_seconds), c.pair_count, c.is_main) for c in result.clocks]


def _ahead(quarters: int, seconds: Decimal) -> str:
    sign = "-" if quarters < 0 else ""
    hours, rest = divmod(abs(quarters), 4)
    return f"{sign}{hours} h {rest * 15:02} min, and {round(seconds, 1):f} s"


def sections(
    result: Reconciliation,
) -> list[tuple[str, Sequence[str], list[tuple[Any, ...]]]]:
    """Everything to show: title, columns, rows."""
    return [
        ("By class", CLASS_COLUMNS, class_rows(result)),
        ("By day (UTC)", DAY_COLUMNS, day_rows(result)),
        ("By code, largest differences first", CODE_COLUMNS, code_rows(result)),
        ("Largest differences", TOP_COLUMNS, [*result.top]),
        ("Whole amounts", AMOUNT_COLUMNS, amount_rows(result)),
        ("Their clock", CLOCK_COLUMNS, clock_rows(result)),
    ]
