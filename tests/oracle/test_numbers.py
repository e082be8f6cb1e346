"""The number table of rules section 3, row by row."""

import pytest

from tests.oracle.numbers import load_number_plans, read_called, read_number
from tests.oracle.run import NUMBER_PLANS

PLANS = load_number_plans(NUMBER_PLANS)


@pytest.mark.parametrize(
    ("plan", "raw", "number_class", "e164"),
    [
        ("nanp", "", "missing", None),
        ("nanp", "   ", "missing", None),
        ("nanp", None, "missing", None),
        ("nanp", "anonymous", "anonymous", None),
        ("nanp", "Anonymous <sip:anonymous@anonymous.invalid>", "anonymous", None),
        ("nanp", "RESTRICTED", "anonymous", None),
        ("nanp", "4.47912E+11", "scientific", None),
        ("nanp", "1.2E10", "scientific", None),
        ("e164", "4,47912E+11", "scientific", None),  # a spreadsheet with a decimal comma
        ("nanp", "*98", "service_code", None),
        ("nanp", "#31#2125550100", "service_code", None),
        ("nanp", "sip:*72@gw", "service_code", None),
        ("nanp", "s", "name", None),
        ("nanp", "0297XXXXXX", "invalid", None),
        ("nanp", "+6128458xxxx", "invalid", None),
        ("nanp", "297XXXX1", "name", None),
        ("nanp", "411", "n11", None),
        ("nanp", "+411", "invalid", None),
        ("nanp", "911", "emergency", None),
        ("nanp", "933", "emergency", None),
        ("nanp", "988", "emergency", None),
        ("uk", "999", "emergency", None),
        ("uk", "112", "emergency", None),
        ("uk", "911", "extension", None),
        ("e164", "112", "emergency", None),
        ("nanp", "112", "extension", None),
        ("nanp", "101", "extension", None),
        ("nanp", "123456", "extension", None),
        ("nanp", "1234567", "invalid", None),
        ("nanp", "2125550100", "e164", "12125550100"),
        ("nanp", "12125550100", "e164", "12125550100"),
        ("nanp", "02125550100", "e164", "12125550100"),
        ("nanp", "+12125550100", "e164", "12125550100"),
        ("nanp", "(212) 555-0100", "e164", "12125550100"),
        ("nanp", "1.212.555.0100", "e164", "12125550100"),
        ("nanp", '="12125550100"', "e164", "12125550100"),
        ("nanp", "'12125550100", "e164", "12125550100"),
        ("nanp", "tel:+1-212-555-0100", "e164", "12125550100"),
        ("nanp", "SIP:+12125550100@gw.example.net;user=phone", "e164", "12125550100"),
        ("nanp", "011442079460999", "e164", "442079460999"),
        ("nanp", "0114420", "invalid", None),
        ("nanp", "442079460999", "e164", "442079460999"),
        ("nanp", "+44 (0)20 7946 0999", "e164", "442079460999"),
        ("nanp", "+266696687", "e164", "266696687"),
        ("nanp", "00442079460999", "invalid", None),  # "as they are" starts with 0
        ("nanp", "1125550100", "invalid", None),  # area code starts with 1
        ("nanp", "12110550100", "invalid", None),
        ("nanp", "12115550100", "invalid", None),  # area code is N11
        ("nanp", "12121550100", "invalid", None),  # exchange starts with 1
        ("nanp", "+1212555010", "invalid", None),  # eleven digits or nothing
        ("uk", "02079460999", "e164", "442079460999"),
        ("uk", "2079460999", "e164", "442079460999"),
        ("uk", "442079460999", "e164", "442079460999"),
        ("uk", "00442079460999", "e164", "442079460999"),
        ("uk", "0012125550100", "e164", "12125550100"),
        ("uk", "12125550100", "invalid", None),  # eleven digits are no British number
        ("uk", "491511234567", "e164", "491511234567"),
        ("es", "912345678", "e164", "34912345678"),
        ("it", "0612345678", "e164", "390612345678"),
        ("e164", "442079460999", "e164", "442079460999"),
        ("e164", "00442079460999", "invalid", None),
        ("e164", "1234567890123456", "invalid", None),
    ],
)
def test_number(plan: str, raw: str | None, number_class: str, e164: str | None) -> None:
    number = read_number(raw, PLANS[plan])
    assert (number.number_class, number.e164) == (number_class, e164)


def test_digits_as_dialled_are_kept_for_short_numbers() -> None:
    assert read_number("411", PLANS["nanp"]).dialled == "411"
    assert read_number("1-0-1", PLANS["nanp"]).dialled == "101"


@pytest.mark.parametrize(
    ("plan", "raw", "number_class", "e164", "dialling", "code"),
    [
        ("nanp", "10102882125550100", "e164", "12125550100", None, "0288"),
        ("nanp", "101028812125550100", "e164", "12125550100", None, "0288"),
        ("nanp", "101028802125550100", "e164", "12125550100", "operator_assisted", "0288"),
        ("nanp", "1010288011442079460999", "e164", "442079460999", None, "0288"),
        ("nanp", "1010288411", "n11", None, None, "0288"),
        ("nanp", "10102880", "extension", None, "local_operator", "0288"),
        ("nanp", "10102885550100", "e164", "13125550100", None, "0288"),
        ("nanp", "1010288", "service_code", None, None, "0288"),
        ("nanp", "950-1288", "service_code", None, None, "1288"),
        ("nanp", "02125550100", "e164", "12125550100", "operator_assisted", None),
        ("nanp", "01442079460999", "e164", "442079460999", "operator_assisted", None),
        ("nanp", "00", "extension", None, "long_distance_operator", None),
        ("nanp", "1170", "extension", None, "vertical_service", None),
        ("nanp", "5550100", "e164", "13125550100", None, None),
        ("nanp", "1550100", "invalid", None, None, None),
        ("nanp", "+10102881", "invalid", None, None, None),
        ("e164", "10102882125550100", "invalid", None, None, None),
        ("uk", "5550100", "invalid", None, None, None),
    ],
)
def test_what_is_dialled_in_front_of_a_number(
    plan: str,
    raw: str,
    number_class: str,
    e164: str | None,
    dialling: str | None,
    code: str | None,
) -> None:
    number = read_called(raw, PLANS[plan], "13125550199")
    assert (number.number_class, number.e164, number.dialling, number.carrier_code) == (
        number_class, e164, dialling, code,
    )  # fmt: skip


def test_seven_digits_need_a_caller_of_north_america() -> None:
    assert read_called("5550100", PLANS["nanp"], "442079460000").number_class == "invalid"
    assert read_called("5550100", PLANS["nanp"], None).number_class == "invalid"
