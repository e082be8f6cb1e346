"""A carrier's bill against our calls in slow plain Python, written apart from the SQL.

Greedy over all pairs of records, best first; nothing of the models is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import product

QUARTER = 900
WIDEST = 14 * 3600 + 1800


@dataclass(frozen=True)
class Record:
    """A call as one side has it; times in seconds, amounts in one currency."""

    number: int
    start: int
    caller: int | None
    called: int
    seconds: int
    amount: Decimal | None
    billed: int | None = None

    @property
    def content(self) -> tuple[int, int, int, Decimal, int]:
        """By what two records of a side are told apart; the number only where all else is equal."""
        unknown = self.caller is None
        return (
            self.start, self.seconds, 10**18 if unknown else self.caller or 0,
            Decimal(10**9) if self.amount is None else self.amount, self.number,
        )  # fmt: skip


def seconds_apart(ours: Record, theirs: Record) -> int:
    """Their seconds less what is nearest of ours."""
    raw = theirs.seconds - ours.seconds
    billed = raw if ours.billed is None else theirs.seconds - ours.billed
    return billed if abs(billed) < abs(raw) else raw


def clocks(ours: Sequence[Record], theirs: Sequence[Record]) -> tuple[list[int], int]:
    """Quarters that their clock is ahead, the main ones first; and the seconds beside them."""

    def only(records: Iterable[Record]) -> dict[tuple[int, int], list[int]]:
        starts: dict[tuple[int, int], list[int]] = {}
        for record in records:
            if record.caller is not None:
                starts.setdefault((record.called, record.caller), []).append(record.start)
        return {key: found for key, found in starts.items() if len(found) == 1}

    mine, yours = only(ours), only(theirs)
    spread: dict[int, list[int]] = {}
    for key in mine.keys() & yours.keys():
        apart = yours[key][0] - mine[key][0]
        if abs(apart) <= WIDEST:
            quarters = int((Decimal(apart) / QUARTER).quantize(Decimal(1), ROUND_HALF_UP))
            spread.setdefault(quarters, []).append(apart - quarters * QUARTER)
    most = max((len(found) for found in spread.values()), default=0)
    known = {
        q: found
        for q, found in spread.items()
        if q == 0 or (len(found) >= 3 and len(found) * 10 >= most)
    }
    known.setdefault(0, [])
    order = sorted(known, key=lambda q: (-len(known[q]), abs(q), q))
    main = sorted(known[order[0]])
    return order, main[(len(main) - 1) // 2] if main else 0


def pairs(
    ours: Sequence[Record], theirs: Sequence[Record], start_tolerance: int, seconds_tolerance: int
) -> tuple[dict[int, tuple[int, int]], int]:
    """Their record and the quarters for each record of ours that has one; and the main clock."""
    order, beside = clocks(ours, theirs)
    place: dict[int, tuple[int, int]] = {}
    for side in (ours, theirs):
        keys: Counter[object] = Counter()
        twins: Counter[object] = Counter()
        for record in sorted(side, key=lambda r: (r.called, r.content)):
            twin = (record.called, record.start, record.seconds, record.caller)
            keys[record.called] += 1
            twins[twin] += 1
            place[record.number] = (keys[record.called], twins[twin])
    candidates = []
    for our, their in product(ours, theirs):
        if our.called != their.called:
            continue
        if None not in (our.caller, their.caller) and our.caller != their.caller:
            continue
        apart = abs(seconds_apart(our, their))
        for rank, quarters in enumerate(order):
            off = abs(their.start - our.start - quarters * QUARTER - beside)
            if off > start_tolerance:
                continue
            same = our.caller == their.caller and our.caller is not None
            if rank and not (same and apart <= seconds_tolerance):
                continue
            (our_place, our_twin), (their_place, their_twin) = (
                place[our.number], place[their.number],
            )  # fmt: skip
            candidates.append(
                (
                    rank, not same, off + apart, abs(our_twin - their_twin), our_place,
                    their_place, our.called, our.number, their.number, quarters,
                )
            )  # fmt: skip
            break
    found: dict[int, tuple[int, int]] = {}
    taken: set[int] = set()
    for *_, our_number, their_number, quarters in sorted(candidates):
        if our_number not in found and their_number not in taken:
            found[our_number] = (their_number, quarters)
            taken.add(their_number)
    return found, order[0] * QUARTER + beside


def classes(
    ours: Sequence[Record],
    theirs: Sequence[Record],
    *,
    start_tolerance: int = 60,
    seconds_tolerance: int = 2,
    amount_tolerance: Decimal = Decimal("0.0001"),
) -> dict[tuple[int | None, int | None], str]:
    """The class of every record, pairs together."""
    found, _ = pairs(ours, theirs, start_tolerance, seconds_tolerance)
    by_number = {record.number: record for record in (*ours, *theirs)}
    result: dict[tuple[int | None, int | None], str] = {}
    for our in ours:
        if our.number not in found:
            result[our.number, None] = "missing_there" if our.seconds else "nothing_to_bill"
            continue
        their_number, quarters = found[our.number]
        their = by_number[their_number]
        apart = abs(seconds_apart(our, their))
        known = our.amount is not None and their.amount is not None
        differs = known and abs((their.amount or 0) - (our.amount or 0)) > amount_tolerance
        if apart > seconds_tolerance:
            kind = "more"
        elif apart == 0 and differs:
            kind = "rate"
        elif quarters:
            kind = "zone_shift"
        else:
            kind = "within_tolerance" if apart else "exact"
        result[our.number, their_number] = kind
    taken = {their_number for their_number, _ in found.values()}
    for their in theirs:
        if their.number in taken:
            continue
        again = any(
            other.number in taken
            and other.called == their.called
            and (None in (other.caller, their.caller) or other.caller == their.caller)
            and abs(other.start - their.start) <= seconds_tolerance
            and abs(other.seconds - their.seconds) <= seconds_tolerance
            for other in theirs
        )
        bills = bool(their.amount) if their.amount is not None else their.seconds > 0
        kind = "nothing_to_bill" if not bills else "duplicate" if again else "missing_here"
        result[None, their.number] = kind
    return result
