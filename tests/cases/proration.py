"""Fees for parts of periods: the carrier's line says the days, the tariff how they count.

Cases give the first day that is not charged; lines of charges have the last one that is.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.cases.book import Given, NotSupported
from tests.cases.results import Ask, charge_amount, charge_fact
from tests.cases.world import Bench, Record

_DAY = timedelta(days=1)
_CENTS = 2


def parts_of_periods(bench: Bench, given: Given) -> dict[str, Ask]:
    """A recurring fee from one day to another, cut at the bill days."""
    values: dict[str, Any] = {"period_from": given.first("start", "last_billed")}
    settings: dict[str, Any] = {"proration": "actual_actual"}
    if "period" in given:
        settings["fee_period"] = given["period"]
    if "period_days" in given:
        settings |= {"fee_period": "days", "fee_period_days": given["period_days"]}
    if "periods" in given:
        settings["fee_period_count"] = given["periods"]
    if "days_in_month" in given:
        settings |= {"proration": "days_30", "days_in_month": given["days_in_month"]}
    end = given.get("end_exclusive")
    if end is not None:
        values["period_to"] = date.fromisoformat(end) - _DAY
    elif "target" in given:
        # In advance: the period that has begun on this day is charged to its end.
        values["period_to"] = given["target"]
        settings["end_rule"] = "period_end"
    bench.service(anchor_day=given.get("bill_day", 1))
    record = _fee(bench, values, "1", **settings)
    is_cut = "full_cycles" in bench.case.expected
    return {
        "fraction": _only_part(bench, record) if is_cut else _part(bench, record, "fraction"),
        "leading": _part(bench, record, "leading", "leading_part"),
        "full_cycles": charge_fact(record, "full_periods"),
        "trailing": _part(bench, record, "trailing", "trailing_part"),
        "days": charge_fact(record, "charged_days"),
        "date": lambda results: (
            date.fromisoformat(results.charge(record)["charged_to"]) + _DAY
        ).isoformat(),
    }


def inclusive_days(bench: Bench, given: Given) -> dict[str, Ask]:
    """A fee for the days from one to another, both counted."""
    period = given.get("period", "month")
    decimals = 0 if "amount_cents" in given else _CENTS
    month_days = given.get("days_in_month")
    start, end = (_day(str(given[name]), month_days) for name in ("from", "to_inclusive"))
    # The service starts with what it pays for: trial days count from there.
    bench.service(service={"valid_from": start} if "trial_days" in given else None)
    record = _fee(
        bench, {"period_from": start, "period_to": end},
        given.first("monthly_fee", "amount_cents"), fee_period=period,
        proration="actual_days" if period == "month" else "actual_actual",
        trial_days=given.get("trial_days", 0), rounding_decimals=decimals,
        rounding_mode=given.get("mode", "half_up"),
    )  # fmt: skip
    return {
        "amount": charge_amount(record),
        "amount_cents": charge_amount(record),
        "days": charge_fact(record, "charged_days"),
    }


def daily_rate(bench: Bench, given: Given) -> dict[str, Ask]:
    """A monthly fee for some days, as the days of a year."""
    if re.sub(r"\s", "", given["method"]) != "feex12/365xdays":
        raise NotSupported(f"needs proration by {given['method']}")
    start = date(2026, 9, 1)
    bench.service()
    record = _fee(
        bench,
        {"period_from": start, "period_to": start + int(given["days"]) * _DAY - _DAY},
        given["monthly_fee"],
        proration="annualised",
        rounding_decimals=given.get("dp", _CENTS),
    )
    return {"amount": charge_amount(record)}


def part_of_period(bench: Bench, given: Given) -> dict[str, Ask]:
    """Several units for some days of a month."""
    levels = {"per_line": "line", "per_unit": "unit"}
    level = given.get("level", "per_line")
    if level not in levels:
        raise NotSupported(f"needs charges rounded {level}")
    month_days = given["days_in_period"]
    start = _day("1", month_days)
    bench.service()
    record = _fee(
        bench,
        {
            "quantity": given.get("quantity", 1), "period_from": start,
            "period_to": start.replace(day=int(given["days"])),
        },
        given["unit_price"], proration="actual_days", rounding_level=levels[level],
        rounding_decimals=given.get("dp", _CENTS), rounding_mode=given.get("mode", "half_up"),
    )  # fmt: skip
    return {"amount": charge_amount(record)}


def unused_rest(bench: Bench, given: Given) -> dict[str, Ask]:
    """A fee billed in advance is given back for the days after the end of the service."""
    begin, end = (date.fromisoformat(text) for text in given["period"])
    bench.service(anchor_day=begin.day)
    record = _fee(
        bench,
        {
            "charge_type": "credit", "period_from": given["cancelled"], "period_to": end - _DAY,
        },
        given["monthly_fee"], proration="actual_actual",
        rounding_decimals=given.get("dp", _CENTS),
    )  # fmt: skip
    return {"credit": charge_amount(record)}


def first_paid_day(bench: Bench, given: Given) -> dict[str, Ask]:
    """Bill day of a service whose first days are free: of the customer's calendar."""
    start = given["start_local"]
    datetime.fromisoformat(start)
    bench.service(service={"valid_from": start}, time_zone=given["tz"])
    record = _fee(
        bench, {"period_from": start}, "1", proration="actual_actual",
        trial_days=given["trial_days"],
    )  # fmt: skip
    return {
        "bill_day": lambda results: date.fromisoformat(results.charge(record)["charged_from"]).day
    }


def recognised_by_month(bench: Bench, given: Given) -> dict[str, Ask]:
    """Revenue of each month of a yearly fee."""
    months = given["months"]
    bench.service()
    record = _fee(
        bench, {"charge_type": "recurring_advance"}, given["annual_fee"],
        fee_period="year", proration="actual_actual",
    )  # fmt: skip
    bench.invoiced()

    def per_month(results: Any) -> Any:
        amounts = results.recognised(record)
        if len(amounts) != months or len(set(amounts)) != 1:
            raise LookupError(f"months of {', '.join(map(str, amounts))}")
        return amounts[0]

    return {"per_month": per_month}


def _fee(bench: Bench, values: dict[str, Any], fee: Any, **tariff: Any) -> Record:
    """A line of the carrier, and our own fee for it."""
    return bench.charge({"net_amount": fee, **values}, price_mode="list", unit_price=fee, **tariff)


def _part(bench: Bench, record: Record, key: str, column: str = "charged_part") -> Ask:
    """A part of the fee, to as many decimals as the case states."""
    decimals = _decimals(bench.case.expected.get(key))
    return lambda results: _shortened(results.charge(record)[column], decimals)


def _only_part(bench: Bench, record: Record) -> Ask:
    """The part beside the full periods, leading or trailing; a case with both names them."""
    decimals = _decimals(bench.case.expected.get("fraction"))

    def ask(results: Any) -> Any:
        charge = results.charge(record)
        parts = [charge[name] for name in ("leading_part", "trailing_part") if charge[name]]
        if len(parts) != 1:
            raise LookupError(f"{len(parts)} parts in place of one")
        return _shortened(parts[0], decimals)

    return ask


def _decimals(expected: Any) -> Decimal:
    """The last digit of a number that is expected."""
    return Decimal(1).scaleb(Decimal(str(expected or 0)).as_tuple().exponent)  # type: ignore[arg-type]


def _shortened(value: Any, last_digit: Decimal) -> Decimal:
    return Decimal(value).quantize(last_digit, ROUND_HALF_UP)


def _day(text: str, month_days: int | None) -> date:
    """A day as it stands, or the day of a month of that many days."""
    if not text.isdigit():
        return date.fromisoformat(text)
    # February and a leap one, a month of thirty days and one of thirty-one.
    months = {28: (2026, 2), 29: (2024, 2), 30: (2026, 6), 31: (2026, 7)}
    if month_days not in months:
        raise NotSupported(f"needs a month of {month_days} days")
    return date(*months[month_days], int(text))
