"""A carrier's bill against our calls: one of each class, random worlds, both sides balance."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from loaders.database import connect
from loaders.errors import RatehouseError
from loaders.reconcile import Question, Reconciliation, reconcile
from loaders.reference import load_reference
from orchestration.lib import reconcile as shown
from tests.end_to_end import reconcile_oracle as oracle
from tests.end_to_end.reconcile_oracle import Record
from tests.end_to_end.warehouse import Warehouse

_WORLDS = ("hand", "shifted", "random1", "random2", "random3", "shuffled")
_REFERENCE = {
    "deck": "deck_code,deck_name,side,currency_code\nCOST,Cost,wholesale,USD\n",
    "rate": "deck_code,prefix,destination_name,price_per_minute\n"
    "COST,1202,Washington,0.01\nCOST,33,=FRANCE(),0.2\n",
    "source": "source_code,carrier_code,file_kind,layout_code,rating_mode,cost_deck_code\n"
    + "".join(
        f"{world}_ours,own,cdr,mapped_usage,rate,COST\n"
        f"{world}_theirs,ACME,cdr,mapped_usage,reconcile,\n"
        for world in _WORLDS
    ),
}
_BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
FROM, TO = _BEGIN, datetime(2026, 11, 1, tzinfo=UTC)
WASHINGTON, PARIS, CALLER = 12025550100, 33155500100, 12125550100


def _at(text: str) -> int:
    """Seconds of the month from `day hour:minute:second`."""
    day, clock = text.split()
    hours, minutes, seconds = map(int, clock.split(":"))
    return (int(day) - 1) * 86400 + hours * 3600 + minutes * 60 + seconds


def _call(
    number: int, start: str, seconds: int, amount: str | None, *, called: int = WASHINGTON,
    caller: int | None = CALLER, billed: int | None = None,
) -> Record:  # fmt: skip
    money = None if amount is None else Decimal(amount)
    return Record(number, _at(start), caller, called, seconds, money, billed)


# Number of ours and theirs are the line numbers; theirs begin at 101.
HAND_OURS = [
    _call(1, "5 10:00:00", 60, "0.01"),
    _call(2, "5 11:00:00", 60, "0.01"),
    _call(3, "5 12:00:00", 60, "0.01"),
    _call(4, "5 13:00:00", 60, "0.01"),
    _call(5, "5 14:00:00", 61, "0.02", billed=120),
    _call(6, "6 09:00:00", 30, "0.005"),
    _call(7, "6 10:00:00", 0, None),
    _call(8, "6 11:00:00", 60, "0.2", called=PARIS),
    _call(9, "7 12:00:00", 60, "0.01", caller=12125550101),
    _call(10, "7 13:00:00", 60, "0.01", caller=12125550102),
    _call(11, "7 14:00:00", 60, "0.01", caller=12125550103),
    # two calls at once, alike in everything
    _call(12, "8 10:00:00", 20, "0.003"),
    _call(13, "8 10:00:00", 20, "0.003"),
    # redialled after seconds: the nearest, not the first
    _call(14, "8 12:00:00", 5, "0.001"),
    _call(15, "8 12:00:20", 300, "0.05"),
    # by their clock the last second of the month is in the next; the first of the next is not asked
    _call(16, "31 23:59:59", 60, "0.01"),
    _call(17, "32 00:00:00", 60, "0.01"),
    *(_call(20 + n, f"9 10:{n:02}:00", 60, "0.01", caller=12125550200 + n) for n in range(8)),
]
_AHEAD = 3
HAND_THEIRS = [
    _call(101, "5 10:00:03", 60, "0.01"),
    _call(102, "5 11:00:04", 62, "0.01"),
    _call(103, "5 12:00:03", 75, "0.02"),
    _call(104, "5 13:00:03", 60, "0.03"),
    _call(105, "5 14:00:03", 120, "0.02"),
    # ours of the sixth at nine is missing there; the next one is billed twice
    _call(106, "6 11:00:03", 60, "0.2", called=PARIS),
    _call(107, "6 11:00:04", 60, "0.2", called=PARIS),
    _call(108, "6 15:00:00", 90, "0.4", called=PARIS),
    _call(109, "6 16:00:00", 0, "0"),
    # one of their switches runs in another zone
    _call(110, "7 14:00:03", 60, "0.01", caller=12125550101),
    _call(111, "7 15:00:03", 60, "0.01", caller=12125550102),
    _call(112, "7 16:00:03", 60, "0.01", caller=12125550103),
    _call(113, "8 10:00:03", 20, "0.003"),
    _call(114, "8 10:00:03", 20, "0.003"),
    _call(115, "8 12:00:26", 300, "0.05", caller=None),
    _call(116, "32 00:00:02", 60, "0.01"),
    _call(117, "32 00:00:03", 60, "0.01"),
    *(_call(120 + n, f"9 10:{n:02}:03", 60, "0.01", caller=12125550200 + n) for n in range(8)),
]
HAND_CLASSES = {
    (1, 101): "exact", (2, 102): "within_tolerance", (3, 103): "more", (4, 104): "rate",
    (5, 105): "exact", (6, None): "missing_there", (7, None): "nothing_to_bill",
    (8, 106): "exact", (None, 107): "duplicate", (None, 108): "missing_here",
    (None, 109): "nothing_to_bill", (9, 110): "zone_shift", (10, 111): "zone_shift",
    (11, 112): "zone_shift", (12, 113): "exact", (13, 114): "exact", (14, None): "missing_there",
    (15, 115): "exact", (16, 116): "exact",
    **{(20 + n, 120 + n): "exact" for n in range(8)},
}  # fmt: skip


def _random(seed: int) -> tuple[list[Record], list[Record]]:
    """Calls of few numbers, close together, and a carrier that gets much of it wrong."""
    dice = random.Random(seed)
    ours, theirs = [], []
    for number in range(1, 241):
        start = dice.randrange(0, 20) * 700 + dice.randrange(0, 240)
        caller = dice.choice([None, 12125550001, 12125550002, 12125550100 + number])
        seconds = dice.choice([0, 5, 6, 30, 60, 61])
        amount = Decimal(seconds) / 6000 if seconds else None
        call = Record(
            number, 86400 + start, caller, WASHINGTON + dice.randrange(3), seconds, amount
        )
        ours.append(call)
        for again in range(dice.choice([0, 1, 1, 1, 1, 1, 2])):
            late = 3600 if number % 4 == 0 else dice.choice([0, 0, 1, 7, 40])
            longer = dice.choice([0, 0, 0, 1, 2, 9])
            theirs.append(
                replace(
                    call,
                    number=1000 + number * 2 + again,
                    start=call.start + 4 + late,
                    seconds=seconds + longer if seconds else 0,
                    caller=dice.choice([call.caller, call.caller, None]),
                    amount=(amount or Decimal(0)) + dice.choice([0, 0, Decimal("0.1")]),
                )
            )
    return ours, theirs


def _plant(
    warehouse: Warehouse, world: str, ours: Sequence[Record], theirs: Sequence[Record]
) -> None:
    """Calls as a closed run left them; the file is that of the world, the line the number."""
    file_id = 100 + _WORLDS.index(world)
    for side, records in (("ours", ours), ("theirs", theirs)):
        values = ",".join(
            "({},{},{},{},{},{},{})".format(
                r.number,
                f"'{(_BEGIN + timedelta(seconds=r.start)).isoformat()}'::timestamptz",
                "null::bigint" if r.caller is None else r.caller,
                r.called,
                r.seconds,
                "null::numeric" if r.amount is None else r.amount,
                "null::bigint" if r.billed is None else r.billed,
            )
            for r in records
        )
        is_ours = side == "ours"
        money = (
            "null, null, amount, case when amount is not null then 'USD' end, billed, "
            "case when amount is not null then 'priced' end, "
            "case when seconds = 0 then 'unanswered' end, "
            "case when called::text like '33%%' then '33' else '1202' end, "
            "(select rate_id from reference.rate where prefix = "
            "case when called::text like '33%%' then '33' else '1202' end)"
            if is_ours
            else "amount, 'USD', null, null, null, null, 'reconciliation_only', null, null"
        )
        warehouse.execute(
            f"""
            insert into rating.rated_usage (account_id, usage_id, rating_run_id, file_id, line_no,
                leg_no, source_id, usage_type, direction, started_at, time_quality,
                duration_seconds, billable_seconds, calling_number, called_number,
                called_number_class, calling_class, disposition, record_key_hash, content_hash,
                state, supplier_amount, supplier_currency_code, cost_amount, cost_currency_code,
                cost_billed_seconds, cost_status, reason, cost_prefix, cost_rate_id,
                period_month)
            select 0, {file_id} * 68719476736 + number * 16 + 1,
                (select max(rating_run_id) from control.rating_run), {file_id}, number, 1,
                (select source_id from reference.source_key
                 where source_code = '{world}_{side}'),
                'voice', 'outbound', start, 'exact', seconds, seconds, caller, called, 'e164',
                'e164', case when seconds > 0 then 'answered' else 'no_answer' end, 0, 0,
                case when {is_ours} and seconds > 0 then 'billed' else 'not_billable' end,
                {money}, '2026-10-01'
            from (values {values}) as r (number, start, caller, called, seconds, amount, billed)
            """
        )


@pytest.fixture(scope="module")
def planted(make_warehouse: Callable[[], Warehouse], tmp_path_factory: Any) -> Warehouse:
    """A warehouse with a hand-made world, one shifted as a whole, and random ones."""
    warehouse = make_warehouse()
    folder = tmp_path_factory.mktemp("reconcile")
    with closing(connect(url=warehouse.url, role="ratehouse_loader")) as connection:
        for kind, text in _REFERENCE.items():
            path = folder / f"{kind}.csv"
            path.write_text(text)
            load_reference(connection, kind, path)
    warehouse.execute(
        "insert into control.rating_run (run_kind, build_schema, status, requested_by, "
        "reference_cutoff, closed_at) values ('initial', '', 'closed', 'test', now(), now())"
    )
    _plant(warehouse, "hand", HAND_OURS, HAND_THEIRS)
    later = [replace(r, start=r.start - 5 * 3600 - 1800) for r in HAND_THEIRS]
    _plant(warehouse, "shifted", HAND_OURS, later)
    for seed in (1, 2, 3):
        _plant(warehouse, f"random{seed}", *_random(seed))
    ours, theirs = map(_shuffled, _random(1))
    _plant(warehouse, "shuffled", ours, theirs)
    return warehouse


def _shuffled(records: Sequence[Record]) -> list[Record]:
    """The same records in another order in their file."""
    numbers = [record.number for record in records]
    random.Random(7).shuffle(numbers)
    return [replace(r, number=n) for r, n in zip(records, numbers, strict=True)]


def _question(world: str, **changes: Any) -> Question:
    return replace(Question((f"{world}_ours",), (f"{world}_theirs",), FROM, TO), **changes)


def _compare(
    warehouse: Warehouse, world: str, **options: Any
) -> tuple[Reconciliation, dict[tuple[int | None, int | None], str]]:
    """Keep a reconciliation: what it came to, and the class of each record by its line."""
    with closing(connect(url=warehouse.url)) as connection:
        result = reconcile(connection, _question(world), preview=False, **options)
    rows = warehouse.rows(
        "select our_usage_id >> 4 & 4294967295, their_usage_id >> 4 & 4294967295, call_class "
        "from control.reconciliation_call where reconciliation_id = %s",
        result.reconciliation_id,
    )
    assert len({row[:2] for row in rows}) == len(rows)
    return result, {row[:2]: row[2] for row in rows}


def test_each_class_is_found_and_claimed(planted: Warehouse, tmp_path: Path) -> None:
    dispute = tmp_path / "dispute.csv"
    result, found = _compare(planted, "hand", dispute_file=dispute, actor="Ann")
    assert found == HAND_CLASSES
    # The oracle counts what lies in the next month, too.
    beyond = {(17, 117): "exact"}
    assert oracle.classes(HAND_OURS, HAND_THEIRS) == HAND_CLASSES | beyond
    assert (result.our_count, result.their_count, result.outside_count) == (24, 24, 2)
    main, other = result.clocks
    assert (main.quarters, main.offset_seconds, main.is_main) == (0, 3, True)
    assert (other.quarters, other.pair_count, other.is_main) == (8, 3, False)
    with dispute.open(newline="") as stream:
        claims = list(csv.DictReader(stream))
    assert [(c["class"], c["claimed_amount"], c["code"]) for c in claims] == [
        ("more", "0.01", "1202"), ("rate", "0.02", "1202"), ("duplicate", "0.2", "33"),
        ("missing_here", "0.4", "33"),
    ]  # fmt: skip
    assert claims[0]["your_start_utc"] == "2026-10-05T12:00:03Z"
    assert claims[0]["reason"] == "billed 75 s, our record has 60 s"
    assert claims[0]["called_number"] == str(WASHINGTON)
    assert claims[3]["destination"] == "'=FRANCE()"
    assert (claims[3]["our_start_utc"], claims[3]["your_seconds"]) == ("", "90")
    # Of the call that lies in the other zone.
    reason = planted.value(
        "select reason from control.reconciliation_call "
        "where call_class = 'zone_shift' and reconciliation_id = %s limit 1",
        result.reconciliation_id,
    )
    assert reason == "agrees but for the time; time is 2 h ahead of ours"
    assert "0.63 USD to claim" in shown.describe(result)


def test_totals_of_day_and_code_and_whole_amounts_add_up(planted: Warehouse) -> None:
    with closing(connect(url=planted.url)) as connection:
        question = shown.question(
            ["hand_ours"], ["hand_theirs"], "2026-10", "", invoice_total="1.00 usd"
        )
        assert (question.from_at, question.to_at) == (FROM, TO)
        result = shown.run(connection, question)
    assert result.reconciliation_id is None
    sums = [
        tuple(
            sum(getattr(g.figures, name) or 0 for g in groups)
            for name in ("our_count", "their_count", "expected_amount", "their_amount",
                         "difference_amount", "claimed_amount")
        )
        for groups in (result.by_class, result.by_day, result.by_code)
    ]  # fmt: skip
    # 1.051 billed less 0.427 expected is the difference: nothing is left unexplained.
    expected = sum((r.amount or Decimal(0)) for r in HAND_OURS if r.number != 17)
    billed = sum((r.amount or Decimal(0)) for r in HAND_THEIRS if r.number != 117)
    assert sums[0] == (24, 24, expected, billed, billed - expected, Decimal("0.63"))
    assert sums[1] == sums[2] == sums[0]
    calls, invoice = result.amounts
    assert (calls.their_amount, calls.expected_amount) == (billed, expected)
    assert invoice.difference == 1 - expected
    # A carrier that sends nothing but an invoice.
    with closing(connect(url=planted.url)) as connection:
        only = shown.run(connection, replace(question, their_sources=()))
    assert {g.names for g in only.by_class} == {("not_compared",)}
    assert only.count_of("not_compared") == 24
    assert only.is_agreed and only.amounts[1].difference == 1 - expected
    assert result.top[0][:3] == (Decimal("0.4"), "USD", str(PARIS))
    # Paris costs more than all of Washington's mistakes.
    assert shown.code_rows(result)[0][0] == "33 =FRANCE()"


def test_a_carrier_in_another_zone_agrees_but_for_the_time(planted: Warehouse) -> None:
    result, found = _compare(planted, "shifted")
    assert result.clocks[0].quarters == -22
    # What costs money is not hidden by the clock, and the other switch is found again.
    zone = {"exact": "zone_shift", "within_tolerance": "zone_shift"}
    assert found == {
        key: zone.get(kind, kind) if None not in key else kind for key, kind in HAND_CLASSES.items()
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_oracle_agrees_about_random_worlds(planted: Warehouse, seed: int) -> None:
    _, found = _compare(planted, f"random{seed}")
    expected = oracle.classes(*_random(seed))
    assert {k: (found.get(k), expected.get(k)) for k in found.keys() | expected.keys()
            if found.get(k) != expected.get(k)} == {}  # fmt: skip
    assert len(set(expected.values())) == 9


def test_the_order_of_records_changes_nothing(planted: Warehouse) -> None:
    by_content = []
    for world, sides in (
        ("random1", _random(1)), ("shuffled", tuple(map(_shuffled, _random(1)))),
    ):  # fmt: skip
        _, found = _compare(planted, world)
        known = {r.number: r.content[:4] for side in sides for r in side}
        by_content.append(
            Counter((known.get(a), known.get(b), kind) for (a, b), kind in found.items())
        )
    assert by_content[0] == by_content[1]


def test_a_preview_keeps_nothing_and_what_is_kept_stays(planted: Warehouse) -> None:
    counts = "select count(*) from control.reconciliation, control.reconciliation_call"
    before = planted.value(counts)
    with closing(connect(url=planted.url)) as connection:
        reconcile(connection, _question("hand"))
    assert planted.value(counts) == before
    result, found = _compare(planted, "hand", actor="Ann")
    for table in ("record", "clock", "candidate", "pair"):
        assert planted.value(f"select count(*) from control.reconciliation_{table}") == 0
    marts = planted.rows(
        "select sum(call_count), sum(our_count), sum(claimed_amount) "
        "from marts.rpt_carrier_reconciliation where reconciliation_id = %s",
        result.reconciliation_id,
    )
    assert marts == [(len(found), 24, Decimal("0.63"))]
    assert (
        planted.value(
            "select actor from control.event where subject = 'reconciliation' and subject_id = %s",
            result.reconciliation_id,
        )
        == "Ann"
    )
    for statement in (
        "update control.reconciliation set requested_by = 'x'",
        "delete from control.reconciliation_call", "truncate control.reconciliation cascade",
    ):  # fmt: skip
        with pytest.raises(psycopg2.Error, match="immutable"):
            planted.execute(statement)
    # Numbers are personal data.
    with closing(connect(url=planted.url, role="bi_reader")) as reader, reader.cursor() as cursor:
        cursor.execute(
            "select distinct called_number, called_number_masked "
            "from marts.rpt_carrier_reconciliation_call where prefix = '33'"
        )
        assert cursor.fetchall() == [(None, "3315550****")]


def test_what_cannot_be_compared_is_said(planted: Warehouse, tmp_path: Path) -> None:
    with closing(connect(url=planted.url)) as connection:
        with pytest.raises(RatehouseError, match="there is no source acme; there are: hand_ours"):
            reconcile(connection, _question("hand", their_sources=("acme",)))
        there = tmp_path / "there.csv"
        there.write_text("kept")
        with pytest.raises(RatehouseError, match="exists already"):
            reconcile(connection, _question("hand"), dispute_file=there)
        assert there.read_text() == "kept"
        empty = reconcile(connection, _question("hand", from_at=TO - timedelta(hours=1)))
        assert (empty.our_count, empty.their_count) == (1, 1)
        # Their time of another currency is not set off.
        planted.execute(
            "update rating.rated_usage set supplier_currency_code = 'EUR' "
            "where supplier_amount = 0.03"
        )
        other = reconcile(connection, _question("hand"))
        (rate,) = [g for g in other.by_class if g.names == ("rate",)]
        assert (rate.expected_currency, rate.their_currency) == ("USD", "EUR")
        assert rate.figures.difference_amount is None
    with pytest.raises(RatehouseError, match="is on both sides"):
        _question("hand", their_sources=("hand_ours",))
    for wrong in ("12", "x usd"):
        with pytest.raises(RatehouseError, match="is no"):
            shown.question(["a"], ["b"], "2026-10", "", invoice_total=wrong)
    assert shown.question(["a"], ["b"], "2026-12", "").to_at == datetime(2027, 1, 1, tzinfo=UTC)
