"""Periods and draft invoices: rules section 9."""

import calendar
import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from tests.oracle.reference import Reference
from tests.oracle.rounding import round_amount
from tests.oracle.times import localise, zone_of

if TYPE_CHECKING:
    from tests.oracle.charges import Charge
    from tests.oracle.usage import UsageLeg


def _anchor(year: int, month: int, anchor_day: int) -> dt.date:
    return dt.date(year, month, min(anchor_day, calendar.monthrange(year, month)[1]))


def period_of(at: dt.datetime, zone: str, anchor_day: int) -> dt.date:
    """The first of the month in which the period of an instant starts, in the account's zone."""
    day = at.astimezone(zone_of(zone)).date()
    if day >= _anchor(day.year, day.month, anchor_day):
        return day.replace(day=1)
    return (day.replace(day=1) - dt.timedelta(days=1)).replace(day=1)


def period_bounds(
    period_month: dt.date, zone: str, anchor_day: int
) -> tuple[dt.datetime, dt.datetime]:
    """Start and end of a period as instants."""
    following = (period_month.replace(day=28) + dt.timedelta(days=7)).replace(day=1)
    edges = []
    for month in (period_month, following):
        day = _anchor(month.year, month.month, anchor_day)
        edges.append(localise(dt.datetime(day.year, day.month, day.day), zone)[0])
    return edges[0], edges[1]


@dataclass(frozen=True)
class InvoiceLine:
    """One draft line."""

    account_code: str
    line_kind: str
    label: str  # charge class, or product code
    record_count: int
    billed_seconds: int | None
    unrounded_amount: Fraction
    line_amount: Fraction


@dataclass(frozen=True)
class Invoice:
    """A draft invoice of an account and a period."""

    account_code: str
    period_month: dt.date
    period_start_at: dt.datetime
    period_end_at: dt.datetime
    lines: tuple[InvoiceLine, ...]
    usage_amount: Fraction
    charge_amount: Fraction
    rounding_amount: Fraction
    total: Decimal


def draft_invoices(
    reference: Reference,
    legs: Iterable["UsageLeg"],
    charges: Iterable["Charge"],
    period_month: dt.date,
) -> dict[str, Invoice]:
    """Draft the invoices of a period, by account."""
    usage: dict[tuple[str, str], list[UsageLeg]] = defaultdict(list)
    products: dict[tuple[str, str], list[Charge]] = defaultdict(list)
    for leg in legs:
        if leg.state == "billed" and leg.period_month == period_month:
            usage[(leg.account_code or "", leg.charge_class or "")].append(leg)
    for charge in charges:
        if charge.state == "billed" and charge.period_month == period_month:
            products[(charge.account_code or "", charge.product_code or "")].append(charge)
    lines: dict[str, list[InvoiceLine]] = defaultdict(list)
    for (account, charge_class), members in sorted(usage.items()):
        lines[account].append(
            InvoiceLine(
                account, "usage", charge_class, len(members),
                int(round_amount(
                    sum(
                        (
                            (leg.retail_billed_seconds or 0) - leg.retail_unbilled
                            for leg in members
                            if charge_class not in ("messages", "data")
                        ),
                        Fraction(0),
                    ), 0, "half_up",
                )),
                sum((leg.retail_unrounded_amount or Fraction(0) for leg in members), Fraction(0)),
                _line_amount(reference, members),
            )
        )  # fmt: skip
    for (account, product), items in sorted(products.items()):
        lines[account].append(
            InvoiceLine(
                account, "charge", product, len(items), None,
                sum((item.unrounded_amount or Fraction(0) for item in items), Fraction(0)),
                sum((item.charge_amount or Fraction(0) for item in items), Fraction(0)),
            )
        )  # fmt: skip
    return {
        account: _total(reference, account, period_month, members)
        for account, members in lines.items()
    }


def _line_amount(reference: Reference, legs: list["UsageLeg"]) -> Fraction:
    """Add the amounts of a line; a plan that rounds per line rounds its own share."""
    shares: dict[str, list[UsageLeg]] = defaultdict(list)
    for leg in legs:
        shares[leg.plan_code or ""].append(leg)
    amount = Fraction(0)
    for plan_code, members in shares.items():
        share = sum((leg.retail_amount or Fraction(0) for leg in members), Fraction(0))
        plan = reference.plan(plan_code, members[0].started_at or dt.datetime.now(dt.UTC))
        if plan and plan["rounding_level"] == "line":
            decimals = int(plan["rounding_decimals"])
            unit = Fraction(plan.get("rounding_unit") or Fraction(1, 10**decimals))
            share = Fraction(round_amount(share / unit, 0, plan["rounding_mode"])) * unit
        amount += share
    return amount


def _total(
    reference: Reference, account: str, period_month: dt.date, lines: list[InvoiceLine]
) -> Invoice:
    middle = dt.datetime(period_month.year, period_month.month, 15, tzinfo=dt.UTC)
    row = reference.account(account, middle)
    assert row is not None, f"{account} has lines but is not valid in {period_month}"
    start, end = period_bounds(period_month, row["time_zone"], int(row["anchor_day"]))
    usage = sum((x.line_amount for x in lines if x.line_kind == "usage"), Fraction(0))
    charges = sum((x.line_amount for x in lines if x.line_kind == "charge"), Fraction(0))
    exact = usage + charges
    total = round_amount(exact, 2, "half_up")
    return Invoice(
        account, period_month, start, end, tuple(lines), usage, charges,
        Fraction(total) - exact, total,
    )  # fmt: skip
