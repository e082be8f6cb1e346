"""Cells of rate sheets: what they mean, and what is refused because it could mean two things."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from loaders.decks.cells import (
    CellError,
    read_codes,
    read_increments,
    read_instant,
    read_price,
)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("44", ["44"]),
        ("+44", ["44"]),
        ("0044", ["44"]),
        ("01144", ["44"]),
        ("44207;44208", ["44207", "44208"]),
        ("44207, 44208/44209", ["44207", "44208", "44209"]),
        ("44207 44208", ["44207", "44208"]),
        ("44207\n44208", ["44207", "44208"]),
        ("49 151, 49 152", ["49151", "49152"]),
        ("49 151", ["49151"]),
        ("44754-44757", ["44754", "44755", "44756", "44757"]),
        ("44754 \u2013 44755; 4479", ["44754", "44755", "4479"]),
        ("1-242", ["1242"]),
        ("49-151", ["49151"]),
        ("35567, 35568", ["35567", "35568"]),
    ],
)
def test_codes(text: str, codes: list[str]) -> None:
    assert list(read_codes(text)) == codes


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("4.47912E+11", "scientific"),
        ("4,47E+5", "scientific"),
        ("4420.0", "decimal"),
        ("0209", "starts with 0"),
        ("1144", "were zeros of 011 lost"),
        ("1044", "were zeros of 011 lost"),
        ("12345678901234", "14 digits"),
        ("44 441", "--codes"),
        ("49 151, 152", "--codes"),
        ("355,356", "--codes"),
        ("1-9", "--hyphen"),
        ("4475-59", "--hyphen"),
        ("44759-44754", "--hyphen"),
        ("441000-449999", "9,000 codes"),
        ("UK", "digits"),
        ("44x", "digits"),
        ("٤٤", "digits"),
        (";", "no code"),
    ],
)
def test_codes_with_no_or_two_readings_are_refused(text: str, reason: str) -> None:
    with pytest.raises(CellError, match=reason):
        read_codes(text)


def test_an_operator_decides_between_readings() -> None:
    assert read_codes("44 441", "list") == ("44", "441")
    assert read_codes("44 441", "number") == ("44441",)
    assert read_codes("355,356", "list") == ("355", "356")
    assert read_codes("355,356", "number") == ("355356",)
    assert read_codes("1-9", "", "range") == tuple("123456789")
    assert read_codes("1-9", "", "group") == ("19",)
    assert read_codes("44754-59", "", "range") == (
        "44754", "44755", "44756", "44757", "44758", "44759",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("0.0125", "0.0125"),
        ("0,0125", "0.0125"),
        (".5", "0.5"),
        (",5", "0.5"),
        ("5", "5"),
        ("0,125", "0.125"),
        ("1.012,5", "1012.5"),
        ("1,012.5", "1012.5"),
        ("$0.05", "0.05"),
        ("0.0000000001", "0.0000000001"),
        ("0", "0"),
    ],
)
def test_prices(text: str, price: str) -> None:
    assert read_price(text) == (Decimal(price), None)


def test_prices_name_their_currency() -> None:
    assert read_price("EUR 0,05") == (Decimal("0.05"), "EUR")
    assert read_price("0.05 usd") == (Decimal("0.05"), "USD")
    assert read_price("€0,05") == (Decimal("0.05"), "EUR")


def test_a_blank_price_and_the_word_blocked_are_no_price() -> None:
    assert read_price("") == (None, None)
    assert read_price("Blocked") == (None, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1,234", "--decimal-mark"),
        ("9E-05", "scientific"),
        ("-0.01", "negative"),
        ("(0.01)", "negative"),
        ("n/a", "not a number"),
        ("-", "not a number"),
        ("0.00000000001", "10 decimals"),
        ("1.2.3", "decimal mark"),
        ("1,2.345,6", "decimal mark"),
        ("100000000", "too large"),
    ],
)
def test_prices_that_are_unclear_are_refused(text: str, reason: str) -> None:
    with pytest.raises(CellError, match=reason):
        read_price(text)


def test_the_decimal_mark_given_decides() -> None:
    assert read_price("1,234", ",") == (Decimal("1.234"), None)
    assert read_price("1,234", ".") == (Decimal("1234"), None)
    assert read_price("1.234", ",") == (Decimal("1234"), None)


@pytest.mark.parametrize(
    ("text", "increments"),
    [
        ("60/1", (60, 1)), ("60 / 60", (60, 60)), ("30+6", (30, 6)), ("6", (6, 6)),
        ("60 sec/6 sec", (60, 6)), ("0/1", (0, 1)), ("1-1", (1, 1)), ("", None),
    ],
)  # fmt: skip
def test_increments(text: str, increments: tuple[int, int] | None) -> None:
    assert read_increments(text) == increments


@pytest.mark.parametrize("text", ["06-Jun", "2026-06-06", "60/0", "per minute", "1/1/1"])
def test_increments_that_a_spreadsheet_made_a_date_are_refused(text: str) -> None:
    with pytest.raises(CellError):
        read_increments(text)


@pytest.mark.parametrize(
    ("text", "order", "instant"),
    [
        ("2026-10-05", "", datetime(2026, 10, 5, tzinfo=UTC)),
        ("20261005", "", datetime(2026, 10, 5, tzinfo=UTC)),
        ("05/10/2026", "dmy", datetime(2026, 10, 5, tzinfo=UTC)),
        ("05/10/2026", "mdy", datetime(2026, 5, 10, tzinfo=UTC)),
        ("10/10/2026", "", datetime(2026, 10, 10, tzinfo=UTC)),
        ("5.10.26", "dmy", datetime(2026, 10, 5, tzinfo=UTC)),
        ("5 Oct 2026", "", datetime(2026, 10, 5, tzinfo=UTC)),
        ("05-OCT-26", "", datetime(2026, 10, 5, tzinfo=UTC)),
        ("October 5, 2026", "", datetime(2026, 10, 5, tzinfo=UTC)),
        ("2010-07-02 11:06:58.484053", "", datetime(2010, 7, 2, 11, 6, 58, 484053, UTC)),
        ("2026-10-05 00:00:00+02:00", "", datetime(2026, 10, 4, 22, tzinfo=UTC)),
        ("2026-10-05T00:00:00Z", "", datetime(2026, 10, 5, tzinfo=UTC)),
    ],
)
def test_dates(text: str, order: str, instant: datetime) -> None:
    assert read_instant(text, order, "UTC") == instant


def test_a_day_begins_in_the_zone_of_the_sheet_and_a_last_day_is_included() -> None:
    new_york = "America/New_York"
    assert read_instant("2026-07-01", "", new_york) == datetime(2026, 7, 1, 4, tzinfo=UTC)
    last = datetime(2027, 1, 1, tzinfo=UTC)
    assert read_instant("2026-12-31", "", "UTC", is_last_day=True) == last
    noon = datetime(2026, 12, 31, 12, tzinfo=UTC)
    assert read_instant("2026-12-31 12:00:00", "", "UTC", is_last_day=True) == noon
    assert read_instant("9999-12-31", "", "UTC", is_last_day=True) is None


@pytest.mark.parametrize("text", ["05/10/2026", "31/02/2026", "soon", "46300", "1970-01-01"])
def test_dates_that_are_unclear_are_refused(text: str) -> None:
    with pytest.raises(CellError):
        read_instant(text, "", "UTC")
