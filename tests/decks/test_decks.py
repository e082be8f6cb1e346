"""Rate sheets against the deck in force: read, compared, refused in words, loaded whole."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from loaders.decks import DeckRefused
from loaders.errors import RatehouseError
from tests.decks.conftest import SAMPLES, Warehouse, workbook

HEADER = "Destination,Code,Rate,Increment,Effective\n"
FIRST = HEADER + "A,331,0.01,60/60,2026-01-01\nB,332,0.02,60/60,2026-01-01\n"


def _only(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def _refusal(
    warehouse: Warehouse, content: str | Path, deck: str = "NEW", **options: object
) -> str:
    """Refused by the preview and by the import, and nothing has changed."""
    before = warehouse.everything()
    with pytest.raises(DeckRefused) as refused:
        warehouse.preview(content, deck, **options)
    with pytest.raises(DeckRefused):
        warehouse.load(content, deck, **options)
    assert warehouse.everything() == before
    return str(refused.value)


def test_a_notice_is_read_and_compared(noticed: Warehouse) -> None:
    preview = noticed.preview(
        SAMPLES / "notice.csv", "NOTICE", effective="2026-10-01", is_full=False
    )
    assert preview.row_count == 10
    assert preview.difference.counts == {
        "new": 6, "increased": 3, "decreased": 2, "changed": 0, "blocked": 1, "removed": 1,
        "unchanged": 2,
    }  # fmt: skip
    assert preview.question is None
    assert any("Billing 60/60 for Mexico" in note for note in preview.notes)
    # A preview leaves nothing behind.
    assert noticed.loads() == ["rate.csv"]


def test_a_notice_is_loaded_with_each_row_from_its_day(noticed: Warehouse) -> None:
    before = noticed.prices("NOTICE", "2026-10-09")
    done = noticed.load(SAMPLES / "notice.csv", "NOTICE", effective="2026-10-01", is_full=False)
    # What holds until then has not changed, but Belgium, which changed as soon as possible.
    assert noticed.prices("NOTICE", "2026-10-09") == before | {"32": "0.012"}
    assert noticed.prices("NOTICE", "2026-10-10") == {
        "1416": "0.009", "1900": "blocked", "32": "0.012", "33": "0.008", "336": "0.031",
        "337": "0.031", "346": "0.05", "347": "0.05", "49": "0.007", "51": "0.013",
        "52998": "0.02",
    }  # fmt: skip
    later = noticed.prices("NOTICE", "2026-10-31")
    assert {code: later[code] for code in later if code.startswith("39")} == {
        "39320": "0.09", "39321": "0.09", "39322": "0.09", "39323": "0.09",
    }  # fmt: skip
    assert noticed.rows(
        "select minimum_seconds, increment_seconds, destination_name from reference.rate "
        "where deck_code = 'NOTICE' and prefix = '346' and recorded_to = 'infinity'"
    ) == [(60, 1, "SPAIN - MOBILE")]
    assert done.load.rows_read == 15
    assert noticed.loads() == ["rate.csv", "notice.csv"]


def test_the_same_sheet_again_changes_nothing(noticed: Warehouse) -> None:
    options = {"effective": "2026-10-01", "is_full": False}
    noticed.load(SAMPLES / "notice.csv", "NOTICE", **options)
    before = noticed.everything()
    again = noticed.load(SAMPLES / "notice.csv", "NOTICE", **options)
    assert _only(again.preview.difference.counts) == {"unchanged": 15}
    assert noticed.everything() == before


def test_what_was_known_before_stays_known(noticed: Warehouse) -> None:
    noticed.load(SAMPLES / "notice.csv", "NOTICE", effective="2026-10-01", is_full=False)
    assert noticed.rows(
        "select trim_scale(price_per_minute)::text, valid_from::date::text, "
        "case when valid_to = 'infinity' then '' else valid_to::date::text end, "
        "recorded_to = 'infinity' from reference.rate "
        "where deck_code = 'NOTICE' and prefix = '33' order by rate_id"
    ) == [
        ("0.009", "2026-01-01", "", False),
        ("0.009", "2026-01-01", "2026-10-10", True),
        ("0.008", "2026-10-10", "", True),
    ]


def test_a_closed_code_falls_back_or_blocks(noticed: Warehouse) -> None:
    sheet = HEADER + "FRANCE - MOBILE,336,,,2026-12-01\n"
    sheet = sheet.replace("Effective", "Effective,Status").replace("12-01", "12-01,Closed")
    noticed.load(sheet, "NOTICE", is_full=False, closed="blocked")
    assert noticed.prices("NOTICE", "2026-12-01")["336"] == "blocked"
    noticed.load(sheet.replace("336", "337"), "NOTICE", is_full=False)
    assert "337" not in noticed.prices("NOTICE", "2026-12-01")
    assert noticed.prices("NOTICE", "2026-11-30")["337"] == "0.03"


def test_a_full_list_ends_what_it_lacks(warehouse: Warehouse) -> None:
    warehouse.load(FIRST, is_full=True)
    sheet = HEADER + "A,331,0.01,60/60,2026-12-01\n"
    preview = warehouse.preview(sheet)
    assert preview.question is not None and "1 codes of deck NEW" in preview.question
    with pytest.raises(DeckRefused, match="--full"):
        warehouse.load(sheet)
    done = warehouse.load(sheet, is_full=True)
    assert _only(done.preview.difference.counts) == {"removed": 1, "unchanged": 1}
    assert warehouse.prices(at="2026-11-30") == {"331": "0.01", "332": "0.02"}
    assert warehouse.prices(at="2026-12-01") == {"331": "0.01"}


def test_a_partial_list_says_nothing_of_the_rest(warehouse: Warehouse) -> None:
    warehouse.load(FIRST)
    warehouse.load(HEADER + "A,331,0.03,60/60,2026-12-01\n", is_full=False)
    assert warehouse.prices(at="2026-12-01") == {"331": "0.03", "332": "0.02"}


def test_what_a_sheet_does_not_speak_of_stays(warehouse: Warehouse) -> None:
    warehouse.load(FIRST)
    warehouse.load("Code,Rate,Effective\n331,0.03,2026-12-01\n", is_full=False)
    assert warehouse.rows(
        "select destination_name, minimum_seconds, increment_seconds from reference.rate "
        "where prefix = '331' and valid_from = '2026-12-01'"
    ) == [("A", 60, 60)]


def test_a_price_known_for_later_is_not_met_in_silence(warehouse: Warehouse) -> None:
    warehouse.load(FIRST)
    warehouse.load(HEADER + "A,331,0.05,60/60,2027-01-01\n", is_full=False)
    sheet = HEADER + "A,331,0.03,60/60,2026-12-01\n"
    assert "row 2, code '331': a price is already known from 2027-01-01" in _refusal(
        warehouse, sheet, is_full=False
    )
    warehouse.load(sheet, is_full=False, pending="keep")
    assert warehouse.prices(at="2026-12-31")["331"] == "0.03"
    assert warehouse.prices(at="2027-01-01")["331"] == "0.05"
    warehouse.load(sheet.replace("0.03", "0.04"), is_full=False, pending="replace")
    assert warehouse.prices(at="2026-12-31")["331"] == "0.04"
    assert warehouse.prices(at="2027-01-01")["331"] == "0.04"


def test_a_full_list_of_today_leaves_a_price_of_tomorrow_alone(warehouse: Warehouse) -> None:
    warehouse.load(FIRST)
    warehouse.load(HEADER + "A,331,0.05,60/60,2027-01-01\n", is_full=False)
    again = warehouse.load(FIRST.replace("01-01", "06-01"), is_full=True)
    assert _only(again.preview.difference.counts) == {"unchanged": 2}
    assert warehouse.prices(at="2027-01-01")["331"] == "0.05"


def test_current_and_pending_rows_of_one_code(warehouse: Warehouse) -> None:
    sheet = (
        "Code,Rate,Start,End,Status\n331,0.01,2026-01-01,2026-11-30,Current\n"
        "331,0.02,2026-12-01,,Pending\n332,0.05,2026-01-01,,Current\n332,0.06,2026-12-01,,Pending\n"
    )
    warehouse.load(sheet)
    assert warehouse.prices(at="2026-11-30 23:59:59+00") == {"331": "0.01", "332": "0.05"}
    assert warehouse.prices(at="2026-12-01") == {"331": "0.02", "332": "0.06"}
    again = warehouse.load(sheet, is_full=True, effective="2026-12-01")
    assert _only(again.preview.difference.counts) == {"unchanged": 4}


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("331,0.01,2026-01-01,\n331,0.02,2026-01-01,\n", "row 3, code '331': stands in row 2 too"),
        (
            "331,0.01,2026-01-01,2026-12-31\n331,0.02,2026-06-01,\n",
            "row 3, code '331': stands in row 2 too, whose end is later",
        ),
        ("331,0.01,2026-06-01,2026-01-01\n", "row 2, End '2026-01-01': is not later"),
    ],
)
def test_overlaps_are_refused(warehouse: Warehouse, rows: str, reason: str) -> None:
    assert reason in _refusal(warehouse, "Code,Rate,Start,End\n" + rows)


def test_equal_rows_count_once(warehouse: Warehouse) -> None:
    done = warehouse.load(FIRST + "A,331,0.01,60/60,2026-01-01\n")
    assert warehouse.prices() == {"331": "0.01", "332": "0.02"}
    assert any("twice" in warning for warning in done.preview.difference.warnings)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("A,4.47912E+11,0.01,60/60,2026-01-01", "row 2, Code '4.47912E+11': scientific"),
        ("A,0331,0.01,60/60,2026-01-01", "row 2, Code '0331': starts with 0"),
        ("A,,0.01,60/60,2026-01-01", "row 2, Code '': the row has no code"),
        ("A,331,abc,60/60,2026-01-01", "row 2, Rate 'abc': is not a number"),
        ("A,331,0.01,01-Jun,2026-01-01", "row 2, Increment '01-Jun': is no increment"),
        ("A,331,0.01,60/60,05/06/2026", "row 2, Effective '05/06/2026': may be day-month"),
        ("A,331,0.01,60/60,ASAP", "row 2, Effective 'ASAP': is no date"),
        ("A,331,0.01,60/60,", "1 rows do not say from when they hold"),
        ("A,331,EUR 0.01,60/60,2026-01-01", "the prices of deck NEW are USD"),
    ],
)
def test_what_is_unclear_is_refused_with_row_and_column(
    warehouse: Warehouse, row: str, reason: str
) -> None:
    assert reason in _refusal(warehouse, HEADER + row + "\n")


def test_all_that_is_unclear_is_said_at_once(warehouse: Warehouse) -> None:
    message = _refusal(
        warehouse, HEADER + "A,331,abc,1/1,2026-01-01\nB,332,0.1,1/1,2026-01-01\nC,x,0.1,1/1,soon\n"
    )
    assert "row 2" in message and "row 4" in message and "row 3" not in message


def test_a_day_above_twelve_proves_the_order_for_the_file(warehouse: Warehouse) -> None:
    warehouse.load(HEADER + "A,331,0.01,1/1,05/06/2026\nB,332,0.02,1/1,31/12/2026\n")
    assert warehouse.prices(at="2026-06-05") == {"331": "0.01"}
    assert warehouse.prices(at="2026-06-04") == {}
    contradiction = HEADER + "A,331,0.01,1/1,12/31/2026\nB,332,0.02,1/1,31/12/2026\n"
    assert "has the month first, but '31/12/2026' in row 3 the day" in _refusal(
        warehouse, contradiction
    )
    warehouse.load(
        HEADER + "C,335,0.01,1/1,05/06/2026\n", "EURO", date_order="mdy", is_full=False
    )
    assert warehouse.prices("EURO", "2026-05-06") == {"335": "0.01"}


def test_asap_and_missing_days_hold_from_the_day_given(warehouse: Warehouse) -> None:
    sheet = HEADER + "A,331,0.01,1/1,ASAP\nB,332,0.02,1/1,\nC,333,0.03,1/1,2026-12-01\n"
    warehouse.load(sheet, effective="2026-11-01")
    assert warehouse.prices(at="2026-11-01") == {"331": "0.01", "332": "0.02"}
    assert warehouse.prices(at="2026-12-01")["333"] == "0.03"


def test_a_blank_price_blocks_but_not_where_the_row_says_increase(warehouse: Warehouse) -> None:
    warehouse.load(HEADER + "A,331,,1/1,2026-01-01\n")
    assert warehouse.prices() == {"331": "blocked"}
    sheet = "Code,Rate,Effective,Change\n332,,2026-01-01,Increase\n"
    assert "row 2, Rate '': is blank, but marked increase" in _refusal(warehouse, sheet)


def test_a_word_nobody_knows_is_no_open_price(warehouse: Warehouse) -> None:
    sheet = "Code,Rate,Effective,Status\n332,0.1,2026-01-01,Dormant\n"
    assert "row 2, Status 'Dormant': is no known word" in _refusal(warehouse, sheet)
    warehouse.load(sheet, ignore=("Status",))
    assert warehouse.prices() == {"332": "0.1"}


def test_money_nobody_reads_is_asked_about(warehouse: Warehouse) -> None:
    sheet = "Code,Rate,Weekend rate,Effective\n331,0.1,0.05,2026-01-01\n"
    assert "row 1, Weekend rate: looks like money" in _refusal(warehouse, sheet)
    warehouse.load(sheet, column={"price": "Weekend rate"}, ignore=("Rate",))
    assert warehouse.prices() == {"331": "0.05"}
    both = "Code,Rate,Price,Effective\n331,0.1,0.05,2026-01-01\n"
    assert "more than one column could be price" in _refusal(warehouse, both)


def test_the_new_price_counts_beside_an_old_one(warehouse: Warehouse) -> None:
    warehouse.load("Code,Current Rate,New Rate,Effective\n331,0.1,0.2,2026-01-01\n")
    assert warehouse.prices() == {"331": "0.2"}


def test_footnotes_of_increments_must_be_certain(warehouse: Warehouse) -> None:
    table = HEADER + "MEXICO - CITY,5255,0.01,1/1,2026-01-01\nGAMBIA,220,0.7,60/60,2026-01-01\n"
    sheet = "Billing 60/60 for Mexico and Gambia.\n" + table
    assert 'confirm with --increment "Mexico=60/60" or --increment "Mexico=row"' in _refusal(
        warehouse, sheet
    )
    units = "select minimum_seconds, increment_seconds from reference.rate where deck_code = %s " \
        "and prefix = '5255' and recorded_to = 'infinity'"
    warehouse.load(sheet, increments={"MEXICO": (60, 60)})
    assert warehouse.rows(units, "NEW") == [(60, 60)]
    warehouse.load(sheet.replace("0.7", "0.9"), "NOTICE", increments={"Mexico": None})
    assert warehouse.rows(units, "NOTICE") == [(1, 1)]
    vague = table + "Unless agreed otherwise 30/6 applies,,,,\n"
    assert "speaks of 30/6, but not clearly of whom" in _refusal(warehouse, vague)


def test_european_lists(warehouse: Warehouse) -> None:
    warehouse.load(SAMPLES / "european.csv", "EURO")
    assert warehouse.prices("EURO", "2026-10-13") == {"47": "0.01", "472": "0.0125"}
    # The last day is included.
    assert "472" in warehouse.prices("EURO", "2026-12-31 23:59:59+00")
    assert "472" not in warehouse.prices("EURO", "2027-01-01")
    assert warehouse.rows(
        "select destination_name, trim_scale(price_per_minute)::text, "
        "trim_scale(connection_fee)::text, minimum_seconds, increment_seconds "
        "from reference.rate where deck_code = 'EURO' order by prefix"
    ) == [
        ("Denmark", "1012.5", "0", 1, 1),
        ("Norway", "0.01", "0", 1, 1),
        ("Norway; Oslo", "0.0125", "0.01", 60, 1),
    ]
    assert "the prices of deck NEW are USD" in _refusal(warehouse, SAMPLES / "european.csv")


def test_interstate_and_intrastate_columns(warehouse: Warehouse) -> None:
    warehouse.load(SAMPLES / "npanxx.csv", "US")
    assert warehouse.prices("US", "2026-10-01") == {
        "1212555 interstate": "0.001", "1212555 intrastate": "0.002",
        "1212555 indeterminate": "0.003", "1305555 interstate": "0.0011",
        "1305555 intrastate": "0.0021", "1305555 indeterminate": "blocked",
    }  # fmt: skip
    assert "deck NEW is not jurisdictional" in _refusal(warehouse, SAMPLES / "npanxx.csv")
    short = "Prefix,Interstate,Intrastate,Indeterminate,Effective\n212555,1,1,1,2026-01-01\n"
    assert "--code-prefix 1" in _refusal(warehouse, short, "US")
    warehouse.load(short, "US", code_prefix="1", is_full=False, pending="keep")
    assert warehouse.prices("US", "2026-02-01")["1212555 interstate"] == "1"


def test_country_and_area_codes_in_two_columns(warehouse: Warehouse) -> None:
    warehouse.load(
        "Country,Country code,Area code,Price/min,Effective\n"
        'Germany,49,"151, 160-162",0.05,2026-01-01\nGermany,49,,0.01,2026-01-01\n'
    )
    assert warehouse.prices() == {
        "49": "0.01", "49151": "0.05", "49160": "0.05", "49161": "0.05", "49162": "0.05",
    }  # fmt: skip


def test_prices_per_second_and_per_call(warehouse: Warehouse) -> None:
    warehouse.load("Code,Rate per second,Effective\n331,0.0001,2026-01-01\n")
    warehouse.load("Code,Price per call,Effective\n1411,1.25,2026-01-01\n", is_full=False)
    assert warehouse.rows(
        "select prefix, trim_scale(price_per_minute), trim_scale(price_per_call) "
        "from reference.rate order by 1"
    ) == [("1411", None, Decimal("1.25")), ("331", Decimal("0.006"), None)]


def test_workbooks_with_preamble_removed_codes_and_hidden_sheets(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    from datetime import datetime

    warehouse.load(FIRST)
    path = workbook(
        tmp_path / "deck.xlsx",
        {
            "Cover": [["Mock Telecom"], ["Valid prices"]],
            "Rates": [
                ["Mock Telecom"],
                [],
                ["Destination", "Dial Codes", "Rate per minute (USD)", "Billing", "Effective Date"],
                ["A", 331, 0.0123, "60/1", datetime(2026, 12, 1)],
                ["C", "333;334", 0.1 + 0.2, "1/1", datetime(2026, 12, 1)],
            ],
            "Removed codes": [["Destination", "Code", "Date"], ["B", 332, datetime(2026, 12, 5)]],
        },
    )
    done = warehouse.load(path, is_full=False)
    assert _only(done.preview.difference.counts) == {"new": 2, "increased": 1, "removed": 1}
    assert warehouse.prices(at="2026-12-04") == {
        "331": "0.0123", "332": "0.02", "333": "0.3", "334": "0.3",
    }  # fmt: skip
    assert "332" not in warehouse.prices(at="2026-12-05")
    packed = tmp_path / "deck.xlsx.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    again = warehouse.load(packed, is_full=False)
    assert _only(again.preview.difference.counts) == {"unchanged": 4}


def test_workbooks_say_sheet_and_row_of_what_is_unclear(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    from datetime import datetime

    path = workbook(
        tmp_path / "deck.xlsx",
        {"Rates": [
            ["Code", "Rate", "Billing", "Effective"],
            [4420.5, 0.1, "1/1", "2026-12-01"],
            [331, 0.1, datetime(2026, 6, 6), "2026-12-01"],
            [332, "=0.1*2", "1/1", "2026-12-01"],
        ]},
    )  # fmt: skip
    message = _refusal(warehouse, path)
    assert "sheet Rates, row 2, Code '4420.5': a decimal number" in message
    assert "sheet Rates, row 3, Billing '2026-06-06': is no increment" in message
    assert "sheet Rates, row 4, Rate: is a formula without a stored result" in message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"%PDF-1.7", "a PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an old or protected workbook"),
        (b"PK\x03\x04broken", "damaged"),
        (b"\x1f\x8bbroken", "damaged"),
        (b"a\x00b", "neither text nor a workbook"),
        (b"36, 0.092\n40, 0.091\n", "--columns code,price"),
        (b"mcc,mnc,country,price_per_sms\n202,01,Greece,0.04\n", "messages or data"),
    ],
)
def test_files_that_are_no_rate_sheet(warehouse: Warehouse, content: bytes, reason: str) -> None:
    assert reason in _refusal(warehouse, warehouse.write("sheet.csv", content))


def test_a_list_without_a_header(warehouse: Warehouse) -> None:
    warehouse.load("36, 0.092\n40, 0.091\n", columns=("code", "price"), effective="beginning")
    assert warehouse.prices(at="1999-01-01") == {"36": "0.092", "40": "0.091"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_dialects_and_encodings(warehouse: Warehouse, encoding: str, delimiter: str) -> None:
    content = FIRST.replace("A,", "Señal,").replace(",", delimiter).encode(encoding)
    warehouse.load(warehouse.write("sheet.csv", content))
    assert warehouse.rows(
        "select destination_name from reference.rate order by prefix"
    ) == [("Señal",), ("B",)]


def test_short_notice_is_warned_of_or_refused(warehouse: Warehouse) -> None:
    from datetime import date

    warehouse.load(FIRST)
    sheet = HEADER + "A,331,0.05,60/60,2026-12-01\nB,332,0.01,60/60,2026-12-01\n"
    options = {"is_full": False, "received": date(2026, 11, 26)}
    (warning,) = [
        text for text in warehouse.preview(sheet, **options).difference.warnings
        if "notice" in text
    ]  # fmt: skip
    assert warning == "1 increases have less than 7 days of notice (row 2 first)"
    assert "row 2, effective date '331': increases on 2026-12-01" in _refusal(
        warehouse, sheet, notice="refuse", **options
    )
    warehouse.load(sheet, notice="refuse", notice_days=5, **options)
    assert warehouse.prices(at="2026-12-01") == {"331": "0.05", "332": "0.01"}


def test_a_deck_nobody_declared(warehouse: Warehouse) -> None:
    with pytest.raises(RatehouseError, match="there is no deck NOBODY"):
        warehouse.load(FIRST, "NOBODY")


def test_options_that_make_no_sense(warehouse: Warehouse) -> None:
    for options in (
        {"date_order": "ymd"}, {"pending": "drop"}, {"time_zone": "Mars/Olympus"},
        {"columns": ("codes",)}, {"notice_days": -1}, {"code_prefix": "+1"},
    ):  # fmt: skip
        with pytest.raises(RatehouseError):
            warehouse.preview(FIRST, **options)
