"""Which part of a recurring fee is charged: rules section 8, period by period and day by day."""

import calendar
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from tests.oracle.reference import Row
from tests.oracle.times import localise

_MONTHS = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}
_DAY = dt.timedelta(days=1)
_EPOCH = dt.datetime(1970, 1, 1)


@dataclass(frozen=True)
class Part:
    """What is charged: parts of a fee period, whole ones, and the days."""

    leading: Fraction
    full: int
    trailing: Fraction
    first: dt.datetime
    end: dt.datetime

    @property
    def total(self) -> Fraction:
        return self.leading + self.full + self.trailing


def bill_date(month: int, bill_day: int) -> dt.datetime:
    """The bill day of a month, counted from year 0; the last day of shorter months."""
    year, number = month // 12, month % 12 + 1
    return dt.datetime(year, number, min(bill_day, calendar.monthrange(year, number)[1]))


def _edges(start: dt.datetime, end: dt.datetime, bill_day: int, tariff: Row) -> list[dt.datetime]:
    """Starts of the fee periods from the one that contains start to one after end."""
    period = tariff["fee_period"]
    if period not in _MONTHS:
        days = 7 if period == "week" else int(tariff["fee_period_days"])
        edges = [start]
        while edges[-1] <= end:
            edges.append(edges[-1] + days * _DAY)
        return edges
    month = start.year * 12 + start.month - 1
    if bill_date(month, bill_day) < start:
        month += 1
    step = _MONTHS[period]
    months = [month - step, month]
    while bill_date(months[-1], bill_day) <= end:
        months.append(months[-1] + step)
    return [bill_date(month, bill_day) for month in months]


def _equal_days(start: dt.datetime, end: dt.datetime, month_days: int) -> int:
    """Days as if every month had month_days of them: the last day stands for those it lacks."""
    total = 0
    day = start
    while day < end:
        length = calendar.monthrange(day.year, day.month)[1]
        if day.day <= month_days:
            total += 1
        if day.day == length < month_days:
            total += month_days - length
        day += _DAY
    return total


def _whole_periods(
    periods: list[tuple[dt.datetime, dt.datetime]],
    start: dt.datetime,
    end: dt.datetime,
    measure: Callable[[dt.datetime, dt.datetime], Fraction],
) -> tuple[Fraction, int, Fraction]:
    """Shares of the periods that are not whole, before and after those that are."""
    leading, full, trailing = Fraction(0), 0, Fraction(0)
    for since, until in periods:
        one, other = max(start, since), min(end, until)
        if one >= other:
            continue
        if (one, other) == (since, until):
            full += 1
        elif one > since:
            leading += measure(one, other) / measure(since, until)
        else:
            trailing += measure(one, other) / measure(since, until)
    return leading, full, trailing


def prorate(
    method: str, start: dt.datetime, end: dt.datetime | None, bill_day: int, zone: str, tariff: Row
) -> Part:
    """Start and end (not counted; None: open) are local times."""
    if method != "seconds":
        start = dt.datetime(start.year, start.month, start.day)
    if end is None:
        count = int(tariff["fee_period_count"])
        edges = _edges(start, start, bill_day, tariff)
        if start in edges:
            far = start + dt.timedelta(days=400 * (count + 1))
            edges = _edges(start, far, bill_day, tariff)
            end = edges[edges.index(start) + count]
        else:
            end = next(edge for edge in edges if edge > start)
    edges = _edges(start, end, bill_day, tariff)
    if tariff["end_rule"] == "period_end" and end > start:
        end = next(edge for edge in edges if edge >= end)
    nothing = Fraction(0)
    if method == "none":
        return Part(nothing, 1, nothing, start, end)
    if end <= start:
        return Part(nothing, 0, nothing, start, end)
    days = (end.date() - start.date()).days
    in_months = _MONTHS.get(tariff["fee_period"])
    length = 7 if tariff["fee_period"] == "week" else int(tariff.get("fee_period_days") or 0)
    periods = list(zip(edges, edges[1:], strict=False))
    if method == "actual_days":
        month = calendar.monthrange(start.year, start.month)[1]
        return Part(Fraction(min(days, month), month), 0, nothing, start, end)
    if method == "days_30" and in_months:
        month_days = int(tariff["days_in_month"])
        counted = _equal_days(start, end, month_days)
        return Part(Fraction(counted, month_days * in_months), 0, nothing, start, end)
    if method == "annualised" and in_months:
        return Part(Fraction(12 * days, 365 * in_months), 0, nothing, start, end)
    if method in ("days_30", "annualised"):
        return Part(Fraction(days, length), 0, nothing, start, end)
    if method == "full_month":
        rule = tariff["full_month_rule"]
        touched = 0
        for since, until in periods:
            tested = {"first_day": since, "fifteenth": since + 14 * _DAY}.get(rule)
            if tested is None:
                touched += max(start, since) < min(end, until)
            else:
                touched += start <= tested < end
        return Part(nothing, touched, nothing, start, end)

    def seconds(one: dt.datetime, other: dt.datetime) -> Fraction:
        elapsed = localise(other, zone)[0] - localise(one, zone)[0]
        return Fraction(int(elapsed.total_seconds()))

    def whole_days(one: dt.datetime, other: dt.datetime) -> Fraction:
        return Fraction((other - one).days)

    if method == "seconds" and not in_months:
        return Part(seconds(start, end) / (length * 86400), 0, nothing, start, end)
    measure = seconds if method == "seconds" else whole_days
    return Part(*_whole_periods(periods, start, end, measure), start, end)
