"""Billed seconds, amounts and rounding: hand-computed numbers, golden numbers, brute force."""

import csv
import datetime as dt
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.rating import billed_seconds, find_rate, price
from tests.oracle.reference import Reference, Row
from tests.oracle.rounding import round_amount

AT = dt.datetime(2026, 10, 5, 12, tzinfo=dt.UTC)


def deck(jurisdictional: str = "false", **settings: str) -> Row:
    return {"deck_code": "D", "is_jurisdictional": jurisdictional, "currency_code": "USD",
            **settings}  # fmt: skip


def rate(prefix: str, per_minute: str = "0.01", **settings: str) -> Row:
    return {"deck_code": "D", "prefix": prefix, "price_per_minute": per_minute, **settings}


def priced(
    seconds: str,
    row: Row,
    *,
    deck_row: Row | None = None,
    decimals: int | None = 4,
    mode: str = "half_up",
    rounding: str = "up",
    base: str = "after_minimum",
    digits: str = "12125550100",
    at: dt.datetime = AT,
):
    reference = Reference({"deck": [deck_row or deck()], "rate": [row]})
    return price(
        reference, "D", digits, "interstate", Decimal(seconds), at, duration_rounding=rounding,
        increment_base=base, decimals=decimals, mode=mode,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("duration", "minimum", "increment", "base", "billed"),
    [
        # F3 golden numbers.
        ("32", 30, 6, "after_minimum", 36),
        ("57", 30, 6, "after_minimum", 60),
        ("75", 30, 6, "after_minimum", 78),
        ("53", 0, 5, "after_minimum", 55),
        ("10", 30, 1, "after_minimum", 30),
        ("1", 90, 60, "after_minimum", 90),
        ("90", 90, 60, "after_minimum", 90),
        ("91", 90, 60, "after_minimum", 150),
        ("150", 90, 60, "after_minimum", 150),
        ("151", 90, 60, "after_minimum", 210),
        # The two readings differ where the minimum is no multiple of the increment.
        ("61", 45, 60, "after_minimum", 105),
        ("61", 45, 60, "whole_duration", 120),
        ("46", 45, 60, "whole_duration", 60),
        ("45", 45, 60, "whole_duration", 45),
        ("31", 30, 60, "after_minimum", 90),
        ("31", 30, 60, "whole_duration", 60),
        ("1", 0, 1, "after_minimum", 1),
        ("61", 60, 1, "after_minimum", 61),
        ("61", 60, 60, "whole_duration", 120),
        ("3600", 60, 60, "after_minimum", 3600),
    ],
)
def test_billed_seconds(
    duration: str, minimum: int, increment: int, base: str, billed: int
) -> None:
    assert billed_seconds(Decimal(duration), "up", minimum, increment, base) == billed


@pytest.mark.parametrize(
    ("duration", "mode", "seconds"),
    [
        ("60.1", "up", 61), ("60.1", "half_up", 60), ("60.1", "down", 60),
        ("60.5", "up", 61), ("60.5", "half_up", 61), ("60.5", "half_down", 60),
        ("60.5", "down", 60), ("60.6", "half_down", 61), ("0.4", "half_up", 0),
        ("60.0", "up", 60),
    ],
)  # fmt: skip
def test_fractions_of_seconds_are_rounded_first(duration: str, mode: str, seconds: int) -> None:
    assert billed_seconds(Decimal(duration), mode, 0, 1, "after_minimum") == seconds


@pytest.mark.parametrize(
    ("seconds", "per_minute", "minimum", "increment", "decimals", "amount"),
    [
        # F3 and S5-18.
        ("32", "0.006", "30", "6", 4, "0.0036"),
        ("57", "0.006", "30", "6", 4, "0.0060"),
        ("75", "0.006", "30", "6", 4, "0.0078"),
        ("3600", "20", "0", "1", 2, "1200.00"),
        ("3600", "0.006", "0", "1", 4, "0.3600"),  # 0.0001 a second
        ("60", "0.006", "0", "1", 4, "0.0060"),
        # 247 s in steps of 6 are 252 s: 252 * 0.029 / 60 = 0.1218.
        ("247", "0.0290", "6", "6", 4, "0.1218"),
        # 43 s in steps of 6 are 48 s: 48 * 0.0345 / 60 = 0.0276.
        ("43", "0.0345", "6", "6", 4, "0.0276"),
    ],
)
def test_amount(
    seconds: str, per_minute: str, minimum: str, increment: str, decimals: int, amount: str
) -> None:
    row = rate("1", per_minute, minimum_seconds=minimum, increment_seconds=increment)
    found = priced(seconds, row, decimals=decimals)
    assert found.amount == Fraction(Decimal(amount))


def test_connection_fee_is_added_once_before_rounding() -> None:
    row = rate("1", "0.05", connection_fee="0.05", minimum_seconds="30", increment_seconds="6")
    found = priced("31", row)  # 36 s * 0.05 / 60 = 0.03
    assert (found.billed_seconds, found.amount) == (36, Fraction(8, 100))


def test_the_deck_gives_minimum_and_increment_where_the_row_is_silent() -> None:
    with_defaults = deck(minimum_seconds="60", increment_seconds="60")
    assert priced("61", rate("1"), deck_row=with_defaults).billed_seconds == 120
    own = rate("1", minimum_seconds="0", increment_seconds="1")
    assert priced("61", own, deck_row=with_defaults).billed_seconds == 61


def test_unrounded_amount_is_exact_and_kept() -> None:
    found = priced("7", rate("1", "0.0137"), decimals=4)
    assert found.unrounded == Fraction(137, 10000) * 7 / 60
    assert found.amount == Fraction(16, 10000)  # 0.0015983...
    assert priced("7", rate("1", "0.0137"), decimals=None).amount == found.unrounded


@pytest.mark.parametrize(
    ("value", "decimals", "mode", "expected"),
    [
        ("0.12345", 4, "half_up", "0.1235"), ("0.12345", 4, "half_down", "0.1234"),
        ("0.12345", 4, "half_even", "0.1234"), ("0.12355", 4, "half_even", "0.1236"),
        ("0.12341", 4, "up", "0.1235"), ("0.1234", 4, "up", "0.1234"),
        ("0.12349", 4, "down", "0.1234"), ("-0.12345", 4, "half_up", "-0.1235"),
        ("-0.12341", 4, "up", "-0.1235"), ("-0.12349", 4, "down", "-0.1234"),
        ("2.5", 0, "half_even", "2"), ("3.5", 0, "half_even", "4"), ("0", 2, "up", "0"),
    ],
)  # fmt: skip
def test_rounding(value: str, decimals: int, mode: str, expected: str) -> None:
    assert round_amount(Fraction(Decimal(value)), decimals, mode) == Decimal(expected)


def test_longest_prefix_wins_and_never_the_cheapest() -> None:
    reference = Reference(
        {"deck": [deck()], "rate": [rate("44", "0.001"), rate("447", "0.5"), rate("4420", "0.2")]}
    )
    row = find_rate(reference, deck(), "447700900123", None, AT)
    assert row is not None and row["prefix"] == "447"
    row = find_rate(reference, deck(), "441632960000", None, AT)
    assert row is not None and row["prefix"] == "44"
    assert find_rate(reference, deck(), "33612345678", None, AT) is None


def test_at_equal_prefix_the_row_of_the_jurisdiction_wins_and_a_longer_any_beats_both() -> None:
    rows = [
        rate("1", "0.1"), rate("1", "0.2", jurisdiction="intrastate"), rate("1212", "0.3"),
    ]  # fmt: skip
    table = deck("true")
    reference = Reference({"deck": [table], "rate": rows})

    def found(digits: str, jurisdiction: str | None) -> str:
        row = find_rate(reference, table, digits, jurisdiction, AT)
        assert row is not None
        return row["price_per_minute"]

    assert found("13105550100", "intrastate") == "0.2"
    assert found("13105550100", "interstate") == "0.1"
    assert found("12125550100", "intrastate") == "0.3"


def test_without_jurisdiction_the_indeterminate_rows_apply() -> None:
    table = deck("true")
    reference = Reference(
        {"deck": [table], "rate": [rate("1", "0.9", jurisdiction="indeterminate")]}
    )
    row = find_rate(reference, table, "12125550100", None, AT)
    assert row is not None and row["price_per_minute"] == "0.9"


def test_a_price_change_counts_from_its_instant() -> None:
    rows = [
        rate("44", "0.1", valid_to="2026-10-15T00:00:00Z"),
        rate("44", "0.2", valid_from="2026-10-15T00:00:00Z"),
        rate("4477", "0.3", valid_to="2026-10-10T00:00:00Z"),
    ]
    reference = Reference({"deck": [deck()], "rate": rows})

    def found(digits: str, at: str) -> str:
        row = find_rate(reference, deck(), digits, None, dt.datetime.fromisoformat(at))
        assert row is not None
        return row["price_per_minute"]

    assert found("442079460999", "2026-10-14T23:59:59+00:00") == "0.1"
    assert found("442079460999", "2026-10-15T00:00:00+00:00") == "0.2"
    assert found("447700900123", "2026-10-09T23:59:59+00:00") == "0.3"
    assert found("447700900123", "2026-10-10T00:00:00+00:00") == "0.1"  # closed: shorter code


def test_a_blocked_row_stops_the_search() -> None:
    reference = Reference(
        {"deck": [deck()], "rate": [rate("1"), rate("1900", "", status="blocked")]}
    )
    found = price(
        reference, "D", "19005550100", None, Decimal(60), AT, duration_rounding="up",
        increment_base="after_minimum", decimals=4, mode="half_up",
    )  # fmt: skip
    assert (found.status, found.prefix, found.amount) == ("destination_blocked", "1900", None)


@given(
    prefixes=st.sets(st.text("0123456789", min_size=1, max_size=6), min_size=1, max_size=40),
    digits=st.text("0123456789", min_size=1, max_size=15),
)
def test_prefix_search_agrees_with_brute_force(prefixes: set[str], digits: str) -> None:
    reference = Reference({"deck": [deck()], "rate": [rate(prefix) for prefix in prefixes]})
    row = find_rate(reference, deck(), digits, None, AT)
    fitting = [prefix for prefix in prefixes if digits.startswith(prefix)]
    if len(digits) == 4:  # 1N11 needs a row of exactly its digits
        fitting = [prefix for prefix in fitting if prefix == digits]
    assert (row["prefix"] if row else None) == max(fitting, key=len, default=None)


@given(
    seconds=st.integers(1, 20_000),
    more=st.integers(0, 5_000),
    minimum=st.sampled_from([0, 1, 6, 30, 45, 60, 90]),
    increment=st.sampled_from([1, 5, 6, 30, 60]),
    base=st.sampled_from(["after_minimum", "whole_duration"]),
)
def test_more_seconds_are_never_cheaper(
    seconds: int, more: int, minimum: int, increment: int, base: str
) -> None:
    short = billed_seconds(Decimal(seconds), "up", minimum, increment, base)
    long = billed_seconds(Decimal(seconds + more), "up", minimum, increment, base)
    assert seconds <= short <= long
    assert minimum <= short


# An outside collection of worked cases, used in addition where it lies beside the repository.
WORKED = Path(__file__).resolve().parents[3] / "shared" / "reference" / "worked_cases.csv"


def worked_cases() -> list[tuple[str, dict, dict]]:
    """Rows of plain increments, rounding and fees whose inputs the rules cover."""
    if not WORKED.exists():
        return []
    known = {
        "duration_s", "min_s", "inc_s", "rate_per_min", "connection_fee", "increment_base", "dp",
        "mode", "amount", "answered",
    }  # fmt: skip
    cases = []
    with WORKED.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["area"] not in ("increments", "rounding", "fees"):
                continue
            inputs, expected = json.loads(row["inputs_json"]), json.loads(row["expected_json"])
            usable = set(inputs) <= known and inputs.get("answered") is not False
            if usable and set(expected) <= {"billed_s", "charge", "amount"}:
                cases.append((row["id"], inputs, expected))
    return cases


@pytest.mark.parametrize("case", [*worked_cases(), ("OWN-1", {"duration_s": 61, "min_s": 60,
                         "inc_s": 6}, {"billed_s": 66})], ids=lambda case: case[0])  # fmt: skip
def test_worked_case(case: tuple[str, dict, dict]) -> None:
    _, inputs, expected = case
    decimals, mode = int(inputs.get("dp", 10)), inputs.get("mode", "half_up")
    if "amount" in inputs:
        rounded = round_amount(Fraction(Decimal(inputs["amount"])), decimals, mode)
        assert rounded == Decimal(expected["amount"])
        return
    row = rate(
        "1",
        inputs.get("rate_per_min", "0"),
        connection_fee=inputs.get("connection_fee", "0"),
        minimum_seconds=str(inputs.get("min_s", 0)),
        increment_seconds=str(inputs.get("inc_s", 1)),
    )
    # "mode" speaks of the duration where nothing is charged, of the amount elsewhere.
    rounding = mode if "charge" not in expected else "up"
    base = inputs.get("increment_base", "after_minimum")
    found = priced(
        str(inputs["duration_s"]), row, decimals=decimals, mode=mode, rounding=rounding, base=base
    )
    if "billed_s" in expected:
        assert found.billed_seconds == int(expected["billed_s"])
    if "charge" in expected:
        assert found.amount == Fraction(Decimal(expected["charge"]))
