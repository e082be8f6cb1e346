"""Currency, discounts, surcharges and taxes: rules section 10, hand-computed."""

import datetime as dt
from fractions import Fraction

from tests.oracle.money import (
    Line,
    Rate,
    average_rate,
    converted,
    discounts,
    rate_at,
    surcharges,
    taxes,
    total,
)

START, MIDDLE, END = (dt.datetime(2026, 9, day, tzinfo=dt.UTC) for day in (1, 11, 21))
RATES = [Rate(Fraction("1.1"), START, MIDDLE), Rate(Fraction("1.2"), MIDDLE, END)]


def charge(amount: str, charge_class: str = "recurring") -> Line:
    return Line("charge", charge_class, Fraction(amount), records=1)


def test_rates_of_days_and_averages() -> None:
    assert rate_at(RATES, MIDDLE) == Fraction("1.2")
    assert rate_at(RATES, END) is None
    assert average_rate(RATES, START, END) == Fraction("1.15")
    # Nothing is guessed for the days without a rate.
    assert average_rate(RATES[:1], START, END) is None


def test_conversion_happens_once_and_is_rounded_last() -> None:
    early = START + dt.timedelta(days=1)
    # 10.005 * 1.085 = 10.855425
    one = [Rate(Fraction("1.085"), START, END)]
    assert converted([(early, Fraction("10.005"))], one, {}, START, END) == Fraction("10.86")
    calls = [(early, Fraction("0.004")), (MIDDLE, Fraction("0.004"))]
    # 0.008 * 1.2 = 0.0096; 0.008 * 1.15 = 0.0092; 0.0044 + 0.0048; each to a cent: nothing
    for setting, level, amount in (
        ("period_end", "line", "0.010"),
        ("period_average", "line", "0.009"),
        ("call_date", "line", "0.009"),
        ("call_date", "record", "0.009"),
    ):
        account = {"exchange_date": setting, "exchange_level": level, "exchange_decimals": "3"}
        assert converted(calls, RATES, account, START, END) == Fraction(amount)
    account = {"exchange_date": "call_date", "exchange_level": "record"}
    assert converted(calls, RATES, account, START, END) == 0
    assert converted(calls, RATES[1:], {"exchange_date": "call_date"}, START, END) is None


def test_discounts_have_the_same_base_and_never_exceed_it() -> None:
    lines = [Line("usage", "interstate", Fraction(40)), charge("10")]
    rows = [
        {"discount_code": "A", "percent": "10"},
        {"discount_code": "B", "amount": "60", "line_kinds": "usage charge"},
        {"discount_code": "C", "percent": "50", "charge_classes": "inbound"},
    ]
    assert [(line.code, line.amount) for line in discounts(lines, rows)] == [("A", -4), ("B", -50)]


def test_surcharges_and_the_tax_on_them() -> None:
    lines = [charge("10.00")]
    usf = {
        "surcharge_code": "usf",
        "charge_rule": "fund",
        "fund_code": "f",
        "share_percent": "64.9",
    }
    (found,) = surcharges(lines, [usf], {"f": Fraction("37.6")})
    assert found.amount == Fraction("2.44")
    tax = {"tax_code": "t", "percent": "8"}
    amounts = taxes([*lines, found], [tax])
    assert amounts == {"t": Fraction("1.00")}  # 0.9952
    assert total([*lines, found], [tax], amounts) == Fraction("13.44")
    assert taxes([*lines, found], [tax | {"on_surcharges": "false"}]) == {"t": Fraction("0.80")}
    (missing,) = surcharges(lines, [usf], {})
    assert missing.problem


def test_surcharges_by_unit() -> None:
    lines = [Line("usage", "toll_free", Fraction(0), records=3, seconds=90)]
    for rule, amount in (
        ("per_record", "0.72"), ("per_minute", "0.36"), ("per_number", "1.20"),
        ("per_invoice", "0.24"),
    ):  # fmt: skip
        row = {"surcharge_code": "s", "charge_rule": rule, "unit_amount": "0.24"}
        (found,) = surcharges(lines, [row], {}, numbers=5)
        assert found.amount == Fraction(amount)


def test_tax_of_lines_and_of_the_whole_differ() -> None:
    lines = [charge("0.35")] * 3
    row = {"tax_code": "t", "percent": "10"}
    assert taxes(lines, [row | {"rounding_level": "line"}]) == {"t": Fraction("0.12")}
    assert taxes(lines, [row | {"rounding_level": "invoice"}]) == {"t": Fraction("0.11")}


def test_tax_on_tax_and_taxes_in_the_prices() -> None:
    gst = {"tax_code": "gst", "percent": "5"}
    pst = {"tax_code": "pst", "percent": "9.5", "on_taxes": "true", "tax_order": "2"}
    # (100 + 5) * 9.5 % = 9.975
    assert taxes([charge("100")], [pst, gst]) == {"gst": 5, "pst": Fraction("9.98")}
    # By line: 1.00 + 0.05, of which 9.5 % is 0.09975, twice.
    by_line = [row | {"rounding_level": "line"} for row in (gst, pst)]
    assert taxes([charge("1")] * 2, by_line) == {"gst": Fraction("0.10"), "pst": Fraction("0.20")}
    vat = [{"tax_code": code, "percent": "10", "is_inclusive": "true"} for code in ("a", "b")]
    assert taxes([charge("120")], vat) == {"a": 10, "b": 10}
    assert total([charge("120")], vat, {"a": Fraction(10), "b": Fraction(10)}) == 120
