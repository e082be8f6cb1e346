"""Charges, periods and draft invoices: rules sections 8 and 9, hand-computed."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from tests.oracle.charges import Charge, ChargeRater, charge_price, read_amount
from tests.oracle.invoice import draft_invoices, period_bounds, period_of
from tests.oracle.numbers import load_number_plans
from tests.oracle.proration import prorate
from tests.oracle.reading import RawFile, RawRecord
from tests.oracle.reference import Reference
from tests.oracle.run import NUMBER_PLANS
from tests.oracle.usage import UsageLeg


@pytest.mark.parametrize(
    ("raw", "mark", "amount"),
    [
        ("12,50", ",", "12.50"), ("(12,50)", ",", "-12.50"), ("12,50-", ",", "-12.50"),
        ("12,50 CR", ",", "-12.50"), ("-12.50", ".", "-12.50"), ("$56.25", ".", "56.25"),
        ("-$0.73", ".", "-0.73"), ("0", ".", "0"), ("12,50", ".", None), ("n/a", ",", None),
        ("", ".", None), ("two", ".", None),
    ],
)  # fmt: skip
def test_amounts(raw: str, mark: str, amount: str | None) -> None:
    assert read_amount(raw, mark) == (None if amount is None else Decimal(amount))


@pytest.mark.parametrize(
    ("first", "last", "part"),
    [
        ((2026, 10, 1), (2026, 10, 31), Fraction(1)),
        ((2026, 10, 14), (2026, 10, 31), Fraction(18, 31)),
        ((2026, 10, 31), (2026, 10, 31), Fraction(1, 31)),
        ((2026, 2, 10), (2026, 2, 28), Fraction(19, 28)),
        ((2028, 2, 1), (2028, 2, 29), Fraction(1)),
        ((2026, 10, 1), (2026, 11, 30), Fraction(1)),
    ],
)
def test_proration_by_days(first: tuple, last: tuple, part: Fraction) -> None:
    end = dt.datetime(*last) + dt.timedelta(days=1)
    row = tariff("list", proration="actual_days")
    assert prorate("actual_days", dt.datetime(*first), end, 1, "UTC", row).total == part


def tariff(mode: str, **settings: str) -> dict[str, str]:
    return {
        "price_mode": mode, "rounding_decimals": "2", "rounding_mode": "half_up",
        "rounding_level": "line", "fee_period": "month", "end_rule": "stated", **settings,
    }  # fmt: skip


def test_prices_of_charges() -> None:
    whole, part = Fraction(1), Fraction(18, 31)
    # 24.95 * 18 / 31 = 14.4870...
    assert charge_price(tariff("list", unit_price="24.95"), Decimal("7"), Decimal(1), part)[1] == (
        Fraction(1449, 100)
    )
    # Rounded once, after the quantity: 12.50 * 7 * 10 / 31 = 28.2258...
    ten = Fraction(10, 31)
    assert charge_price(tariff("list", unit_price="12.50"), Decimal("1"), Decimal(7), ten)[1] == (
        Fraction(2823, 100)
    )
    credit = charge_price(tariff("list", unit_price="24.95"), Decimal("-7"), Decimal(2), whole)
    assert credit[1] == Fraction(-4990, 100)
    # 1.179 * 1.3 = 1.5327
    markup = tariff("markup", markup_percent="30") | {"rounding_decimals": "6"}
    assert charge_price(markup, Decimal("1.179"), Decimal(5), whole)[1] == Fraction(15327, 10000)
    assert charge_price(tariff("pass_through"), Decimal("-2.005"), Decimal(1), whole)[1] == (
        Fraction(-201, 100)
    )


REFERENCE = Reference(
    {
        "source": [
            {"source_code": "s", "layout_code": "carrier_charge", "charge_tariff_code": "T"},
        ],
        "account": [
            {"account_code": "A", "time_zone": "America/New_York"},
            {"account_code": "B", "anchor_day": "31", "time_zone": "Europe/London"},
        ],
        "service": [
            {"service_code": "SA", "account_code": "A"},
            {"service_code": "SB", "account_code": "B"},
        ],
        "service_identifier": [
            {"service_code": "SA", "identifier_kind": "number", "identifier_value": "12125550100"},
            {"service_code": "SB", "identifier_kind": "circuit", "identifier_value": "CKT/1"},
            {"service_code": "SB", "identifier_kind": "account_key", "identifier_value": "K"},
        ],
        "charge_tariff": [
            {"charge_tariff_code": "T", "product_code": "DID", "price_mode": "list",
             "unit_price": "0.75", "valid_to": "2026-10-15T00:00:00Z"},
            {"charge_tariff_code": "T", "product_code": "DID", "price_mode": "list",
             "unit_price": "0.85", "valid_from": "2026-10-15T00:00:00Z"},
            {"charge_tariff_code": "T", "product_code": "IN", "price_mode": "included"},
            {"charge_tariff_code": "T", "product_code": "DAYS", "price_mode": "list",
             "unit_price": "31", "proration": "actual_days"},
        ],
        "plan": [
            {"plan_code": "LINE", "deck_code": "D", "rounding_level": "line",
             "rounding_decimals": "2"},
            {"plan_code": "CALL", "deck_code": "D"},
        ],
    }
)  # fmt: skip


def line(**changes: str) -> dict[str, str]:
    return {
        "service_key": "2125550100", "account_key": "", "product_code": "DID",
        "period_from": "2026-10-01", "period_to": "2026-10-31", "quantity": "1",
        "net_amount": "0.35",
    } | changes  # fmt: skip


def rate(*records: dict[str, str], rater: ChargeRater | None = None, file_id: int = 1):
    rater = rater or ChargeRater(REFERENCE, load_number_plans(NUMBER_PLANS))
    file = RawFile("s", "f", "landed", file_id=file_id)
    file.records = [RawRecord(number, values) for number, values in enumerate(records, start=1)]
    return rater.rate_file(file)


@pytest.mark.parametrize(
    ("record", "state", "reason", "amount"),
    [
        (line(), "billed", None, "0.75"),
        (line(quantity=""), "billed", None, "0.75"),
        (line(quantity="3", net_amount="-1"), "billed", None, "-2.25"),
        (line(period_from="2026-10-15"), "billed", None, "0.85"),
        (line(product_code="DAYS", period_from="2026-10-22"), "billed", None, "10"),
        (line(product_code="DAYS", period_from="2026-10-22", charge_type="one_off"),
         "billed", None, "31"),
        (line(product_code="DAYS", period_from="", period_to="", event_date="2026-10-22"),
         "billed", None, "31"),
        (line(service_key="", account_key="K"), "billed", None, "0.75"),
        (line(service_key="CKT/1"), "billed", None, "0.75"),
        (line(net_amount="x", quantity="two"), "error", "invalid_amount", None),
        (line(quantity="two", period_from=""), "error", "invalid_quantity", None),
        (line(period_from="2026-02-31"), "error", "invalid_period", None),
        (line(period_from="2026-10-20", period_to="2026-10-02"), "error", "invalid_period", None),
        (line(period_from="", event_date=""), "error", "invalid_period", None),
        (line(service_key="2015550100"), "error", "service_not_found", None),
        (line(product_code="NEW"), "error", "missing_charge_price", None),
        (line(product_code="IN"), "not_billable", "included_in_plan", None),
    ],
)
def test_charge_states(
    record: dict[str, str], state: str, reason: str | None, amount: str | None
) -> None:
    (charge,) = rate(record)
    assert (charge.state, charge.reason) == (state, reason)
    assert charge.charge_amount == (None if amount is None else Fraction(Decimal(amount)))


def test_equal_lines_count_in_one_file_and_repeat_in_the_next() -> None:
    rater = ChargeRater(REFERENCE, load_number_plans(NUMBER_PLANS))
    first = rate(line(), line(), rater=rater)
    assert [charge.state for charge in first] == ["billed", "billed"]
    second = rate(line(), line(), line(), rater=rater, file_id=2)
    assert [(c.state, c.original) for c in second] == [
        ("duplicate", (1, 1)), ("duplicate", (1, 2)), ("billed", None),
    ]  # fmt: skip


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("at", "zone", "anchor", "month"),
    [
        ("2026-10-01 03:59:59", "America/New_York", 1, "2026-09-01"),
        ("2026-10-01 04:00:00", "America/New_York", 1, "2026-10-01"),
        ("2026-10-14 12:00:00", "UTC", 15, "2026-09-01"),
        ("2026-10-15 00:00:00", "UTC", 15, "2026-10-01"),
        ("2026-09-29 12:00:00", "UTC", 31, "2026-08-01"),
        ("2026-09-30 00:00:00", "UTC", 31, "2026-09-01"),
        ("2026-10-30 23:59:59", "UTC", 31, "2026-09-01"),
        ("2026-10-31 00:00:00", "UTC", 31, "2026-10-01"),
        ("2026-02-28 00:00:00", "UTC", 30, "2026-02-01"),
        ("2028-02-28 23:00:00", "UTC", 31, "2028-01-01"),
        ("2027-01-01 00:00:00", "UTC", 2, "2026-12-01"),
    ],
)
def test_period(at: str, zone: str, anchor: int, month: str) -> None:
    assert period_of(utc(at), zone, anchor) == dt.date.fromisoformat(month)


def test_period_bounds_follow_the_clock_of_the_account() -> None:
    # November 2026 in New York begins in summer time and ends in winter time.
    assert period_bounds(dt.date(2026, 11, 1), "America/New_York", 1) == (
        utc("2026-11-01 04:00:00"), utc("2026-12-01 05:00:00"),
    )  # fmt: skip
    assert period_bounds(dt.date(2026, 1, 1), "UTC", 31) == (
        utc("2026-01-31 00:00:00"), utc("2026-02-28 00:00:00"),
    )  # fmt: skip
    assert period_bounds(dt.date(2026, 12, 1), "UTC", 1)[1] == utc("2027-01-01 00:00:00")


def leg(plan: str, amount: str, charge_class: str = "interstate") -> UsageLeg:
    return UsageLeg(
        1, 1, 1, "pbx", "billed", account_code="A", plan_code=plan, charge_class=charge_class,
        started_at=utc("2026-10-05 12:00:00"), period_month=dt.date(2026, 10, 1),
        retail_amount=Fraction(amount), retail_unrounded_amount=Fraction(amount),
        retail_billed_seconds=60,
    )  # fmt: skip


def test_invoice_adds_lines_and_shows_one_rounding() -> None:
    charge = Charge(
        1, 1, "s", "billed", account_code="A", product_code="DID", charge_amount=Fraction(3, 4),
        unrounded_amount=Fraction(3, 4), period_month=dt.date(2026, 10, 1),
    )  # fmt: skip
    legs = [leg("CALL", "0.0036"), leg("CALL", "0.0078"), leg("LINE", "1/300", "inbound"),
            leg("LINE", "1/300", "inbound")]  # fmt: skip
    legs += [leg("CALL", "0.0001", "inbound")]
    other_month = replace(leg("CALL", "9"), period_month=dt.date(2026, 11, 1))
    suspended = replace(leg("CALL", "9"), state="error")
    invoices = draft_invoices(
        REFERENCE, [*legs, other_month, suspended], [charge], dt.date(2026, 10, 1)
    )
    (invoice,) = invoices.values()
    lines = {x.label: x for x in invoice.lines}
    assert lines["interstate"].line_amount == Fraction("0.0114")
    assert lines["inbound"].unrounded_amount == Fraction(2, 300) + Fraction("0.0001")
    # The share of LINE, 0.00666..., is rounded half up; that of CALL was, call by call.
    assert lines["inbound"].line_amount == Fraction("0.0101")
    assert lines["interstate"].record_count == 2
    assert lines["DID"].line_amount == Fraction(3, 4)
    assert invoice.total == Decimal("0.77")  # 0.0114 + 0.01 + 0.0001 + 0.75 = 0.7715
    assert invoice.rounding_amount == Fraction("-0.0015")
    assert sum(x.line_amount for x in invoice.lines) + invoice.rounding_amount == Fraction("0.77")
