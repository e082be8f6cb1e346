"""Time bands that leave a moment without a clear price are refused when they are loaded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from loaders.database import connect
from loaders.reference import ReferenceRefused, load_reference
from tests.loaders.conftest import Warehouse

# What is known before: a deck with bands, one without a calendar, one that splits by increments.
KNOWN = (
    ("calendar", "calendar_code,zone_rule,time_zone\nUK,fixed,Europe/London\nOWN,account,\n"),
    ("calendar_day", "calendar_code,calendar_date\nUK,2026-12-25\n"),
    (
        "deck",
        "deck_code,deck_name,side,currency_code,calendar_code,straddle_policy,uncovered_time,"
        "increment_amount_decimals\n"
        "D,D,retail,USD,UK,start,refused,\nOPEN,O,retail,USD,UK,start,row_price,\n"
        "BARE,B,retail,USD,,start,refused,\nINC,I,retail,USD,UK,split_per_increment,refused,\n"
        "DRIFT,F,retail,USD,UK,start,refused,6\n",
    ),
    (
        "rate",
        "deck_code,prefix,price_per_minute,price_per_call\n"
        "D,1,0.01,\nD,44,0.02,\nD,33,,0.5\nINC,1,0.01,\nDRIFT,1,0.01,\n",
    ),
    ("time_band", "deck_code,band_code\nD,all\nINC,all\n"),
    ("band_rate", "deck_code,prefix,band_code,price_per_minute\nD,1,all,0.02\n"),
    ("rate_step", "deck_code,prefix,from_second,price_per_minute\nD,44,60,0.005\n"),
)
BAND = "deck_code,band_code,weekdays,from_time,to_time,day_class,weight\n"
RATE = "deck_code,prefix,band_code,price_per_minute,price_per_call,increment_seconds\n"
DECK = (
    "deck_code,deck_name,side,currency_code,calendar_code,straddle_policy,"
    "increment_amount_decimals\n"
)


def load(warehouse: Warehouse, folder: Path, kind: str, text: str) -> None:
    path = folder / f"{kind}.csv"
    path.write_text(text)
    load_reference(warehouse.connection, kind, path)


@pytest.fixture(scope="module")
def known(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A deck with bands and some that have none yet."""
    folder = tmp_path_factory.mktemp("known")
    with contextlib.closing(connect("ratehouse_loader", module_database)) as connection:
        warehouse = Warehouse(connection, folder)
        for kind, text in KNOWN:
            load(warehouse, folder, kind, text)
        yield warehouse


@pytest.mark.parametrize(
    ("kind", "text", "line", "column", "words"),
    [
        ("calendar", "calendar_code,zone_rule\nX,fixed\n", 2, "time_zone",
         "must not be empty, unless zone_rule is account or source"),
        ("calendar", "calendar_code,zone_rule\nX,calling_area\n", 2, "time_zone", "not be empty"),
        ("calendar", "calendar_code,time_zone\nX,Europe/Londinium\n", 2, "time_zone",
         "is no zone of the IANA list"),
        ("calendar_day", "calendar_code,calendar_date\nUK,25.12.2026\n", 2, "calendar_date",
         "is no day; write 2026-12-25"),
        ("calendar_day", "calendar_code,calendar_date\nFR,2026-12-25\n", 2, "calendar_code",
         "there is no such calendar"),
        ("time_band", BAND + "BARE,all,,,,,\n", 2, "deck_code", "has no calendar_code"),
        ("time_band", BAND + "OPEN,x,Mon-Fri,,,,\n", 2, "weekdays", "must be days like 1-5"),
        ("time_band", BAND + "OPEN,x,5-1,,,,\n", 2, "weekdays", "from the earlier day"),
        ("time_band", BAND + "OPEN,x,,8:00,,,\n", 2, "from_time", "a time of day like 08:00"),
        ("time_band", BAND + "OPEN,x,,09:00,09:00,,\n", 2, "to_time", "is also from_time"),
        # Known: all times with weight 10.
        ("time_band", BAND + "D,peak,1-5,08:00,18:00,,10\n", 2, "weight",
         "and band all hold at the same time on Monday from 08:00 with the same weight"),
        ("time_band", BAND + "D,feast,,,,holiday,10\n", 2, "weight", "and band all hold"),
        ("time_band", BAND + "OPEN,a,5,22:00,06:00,,\nOPEN,b,6,05:00,07:00,,\n", 2, "weight",
         "and band b hold at the same time on Saturday from 05:00"),
        ("time_band", BAND + "DRIFT,a,1-5,,,,\nDRIFT,b,6,,,,\n", 2, "band_code",
         "the bands of deck DRIFT leave Sunday from 00:00 to 24:00 in no band"),
        ("time_band", BAND + "DRIFT,a,,08:00,18:00,,\nDRIFT,b,,19:30,08:00,,\n", 2, "band_code",
         "leave Monday from 18:00 to 19:30 in no band"),
        # A holiday covers only holidays.
        ("time_band", BAND + "DRIFT,a,1-6,,,,\nDRIFT,b,7,,,holiday,20\n", 2, "band_code",
         "leave Sunday"),
        ("band_rate", RATE + "D,1,evening,0.01,,\n", 2, "band_code",
         "the deck has no such time band"),
        ("band_rate", RATE + "D,49,all,0.01,,\n", 2, "prefix", "no row of this prefix"),
        ("band_rate", RATE + "D,44,all,0.01,,\n", 2, "prefix", "has steps inside the call"),
        ("band_rate", RATE + "D,33,all,0.01,,\n", 2, "price_per_minute",
         "is no price of the same kind"),
        ("band_rate", RATE + "D,1,all,0.01,0.5,\n", 2, "price_per_minute",
         "give one of the three"),
        ("band_rate", RATE + "INC,1,all,0.01,,6\n", 2, "increment_seconds",
         "deck INC splits calls by increments"),
        ("rate_step", "deck_code,prefix,from_second,price_per_minute\nD,1,60,0.1\n", 2, "prefix",
         "has prices in time bands"),
        ("rate_step", "deck_code,prefix,from_second,price_per_minute\nDRIFT,1,60,0.1\n", 2,
         "deck_code", "rounds the price of an increment"),
        ("deck", DECK + "D,D,retail,USD,,start,\n", 2, "calendar_code", "the deck has time bands"),
        ("deck", DECK + "D,D,retail,USD,UK,start,6\n", 2, "increment_amount_decimals",
         "cannot be combined with steps"),
        ("deck", DECK + "D,D,retail,USD,UK,never,\n", 2, "straddle_policy", "must be one of start"),
    ],
)  # fmt: skip
def test_refused_with_line_column_and_reason(
    known: Warehouse, tmp_path: Path, kind: str, text: str, line: int, column: str, words: str
) -> None:
    before = known.rows(f"select t::text from reference.{kind} as t order by 1")
    with pytest.raises(ReferenceRefused) as refused:
        load(known, tmp_path, kind, text)
    first = refused.value.refusals[0]
    assert (first.line, first.column) == (line, column)
    assert words in first.reason
    assert known.rows(f"select t::text from reference.{kind} as t order by 1") == before


@pytest.mark.parametrize(
    "rows",
    [
        # The higher weight says which of the two counts.
        "D,peak,1-5,08:00,18:00,,20\nD,feast,,,,holiday,30\n",
        # Two classes of days never meet; one band may overlap itself.
        "OPEN,a,,,,holiday,10\nOPEN,b,,,,bridge,10\nOPEN,c,1-5,,,,5\nOPEN,c,5-6,,,,5\n",
        # Over midnight, all week.
        "DRIFT,day,,06:00,22:00,,\nDRIFT,night,,22:00,06:00,,\n",
    ],
)
def test_bands_in_order_are_taken(known: Warehouse, tmp_path: Path, rows: str) -> None:
    before = known.value("select count(*) from reference.time_band")
    load(known, tmp_path, "time_band", BAND + rows)
    assert known.value("select count(*) from reference.time_band") == before + rows.count("\n")
