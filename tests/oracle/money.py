"""Currency, discounts, surcharges and taxes of one invoice: rules section 10."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tests.oracle.reference import Row, truth
from tests.oracle.rounding import round_amount

_HUNDRED = Fraction(100)
_PRICED = ("usage", "charge", "allowance", "volume")
_NET = (*_PRICED, "discount", "commitment", "cap")


@dataclass(frozen=True)
class Line:
    """A line of an invoice. A problem holds the invoices of the account."""

    kind: str
    charge_class: str
    amount: Fraction
    code: str = ""
    records: int = 0
    seconds: int = 0
    problem: str | None = None


@dataclass(frozen=True)
class Rate:
    """What one unit of a currency is in another, from one instant to the next."""

    rate: Fraction
    valid_from: dt.datetime
    valid_to: dt.datetime


def _rounded(amount: Fraction, row: Row, default_decimals: str = "2") -> Fraction:
    decimals = int(row.get("rounding_decimals") or default_decimals)
    return Fraction(round_amount(amount, decimals, row.get("rounding_mode") or "half_up"))


def _listed(word: str, words: str) -> bool:
    return not words or word in words.split()


def average_rate(rates: Sequence[Rate], start: dt.datetime, end: dt.datetime) -> Fraction | None:
    """Mean by time, to ten decimals, of rates that cover the period."""
    seconds = total = Fraction(0)
    for rate in rates:
        overlap = min(rate.valid_to, end) - max(rate.valid_from, start)
        if overlap > dt.timedelta():
            part = Fraction(overlap // dt.timedelta(microseconds=1))
            seconds += part
            total += part * rate.rate
    if seconds != Fraction((end - start) // dt.timedelta(microseconds=1)):
        return None
    return Fraction(round_amount(total / seconds, 10, "half_up"))


def rate_at(rates: Sequence[Rate], at: dt.datetime) -> Fraction | None:
    """The rate in force at an instant."""
    return next((rate.rate for rate in rates if rate.valid_from <= at < rate.valid_to), None)


def converted(
    records: Sequence[tuple[dt.datetime, Fraction]],
    rates: Sequence[Rate],
    account: Row,
    start: dt.datetime,
    end: dt.datetime,
) -> Fraction | None:
    """The amounts of a line in the account's currency, rounded; None without a rate."""
    setting = account.get("exchange_date") or "period_end"
    by_record = account.get("exchange_level") == "record"
    decimals = int(account.get("exchange_decimals") or "2")
    mode = account.get("exchange_rounding_mode") or "half_up"
    total = Fraction(0)
    for at, amount in records:
        if setting == "call_date":
            rate = rate_at(rates, at)
        elif setting == "period_average":
            rate = average_rate(rates, start, end)
        else:
            rate = rate_at(rates, end - dt.timedelta(microseconds=1))
        if rate is None:
            return None
        value = amount * rate
        total += Fraction(round_amount(value, decimals, mode)) if by_record else value
    return Fraction(round_amount(total, decimals, mode))


def discounts(lines: Sequence[Line], rows: Sequence[Row]) -> list[Line]:
    """All on the lines before any discount."""
    found = []
    for row in rows:
        kinds = row.get("line_kinds") or "usage allowance volume"
        base = sum(
            (
                line.amount
                for line in lines
                if line.kind in kinds.split()
                and _listed(line.charge_class, row.get("charge_classes", ""))
            ),
            Fraction(0),
        )
        if row.get("percent"):
            off = base * Fraction(row["percent"]) / _HUNDRED
        else:
            off = min(Fraction(row["amount"]), max(base, Fraction(0)))
        found.append(Line("discount", "discount", _rounded(-off, row), row["discount_code"]))
    return [line for line in found if line.amount]


def surcharges(
    lines: Sequence[Line], rows: Sequence[Row], factors: dict[str, Fraction], numbers: int = 0
) -> list[Line]:
    """Each on its own base. ``factors``: percentages of the funds in force."""
    found = []
    for row in rows:
        kinds = (row.get("line_kinds") or " ".join(_NET)).split()
        base = [
            line
            for line in lines
            if line.kind in kinds and _listed(line.charge_class, row.get("charge_classes", ""))
        ]
        counted = [line for line in base if line.kind in ("usage", "charge")]
        share = Fraction(row.get("share_percent") or 100) / _HUNDRED
        money = sum((line.amount for line in base), Fraction(0)) * share
        units = {
            "per_record": Fraction(sum(line.records for line in counted)),
            "per_minute": Fraction(sum(line.seconds for line in counted), 60),
            "per_number": Fraction(numbers),
            "per_invoice": Fraction(1),
        }
        rule, problem = row["charge_rule"], None
        if rule in units:
            exact = units[rule] * Fraction(row["unit_amount"])
        elif rule == "percent":
            exact = money * Fraction(row["percent"]) / _HUNDRED
        elif row["fund_code"] in factors:
            exact = money * factors[row["fund_code"]] / _HUNDRED
        else:
            exact, problem = Fraction(0), "no factor"
        amount = _rounded(exact, row)
        if amount or problem:
            found.append(
                Line("surcharge", "surcharge", amount, row["surcharge_code"], problem=problem)
            )
    return found


def taxes(lines: Sequence[Line], rows: Sequence[Row]) -> dict[str, Fraction]:
    """Amount by tax code of the rates that concern the account; contained ones among them."""
    amounts: dict[str, Fraction] = {}
    # Of each line, what the taxes of lower order came to.
    parts = [Fraction(0)] * len(lines)
    for order in ("1", "2", "3"):
        totals_before = sum(
            (amounts[row["tax_code"]] for row in rows
             if row["tax_code"] in amounts and not truth(row.get("is_inclusive"))),
            Fraction(0),
        )  # fmt: skip
        new_parts = list(parts)
        for row in (row for row in rows if (row.get("tax_order") or "1") == order):
            percent = Fraction(row["percent"])
            base = [place for place, line in enumerate(lines) if _is_taxed(line, row)]
            exact = {}
            for place in base:
                amount = lines[place].amount
                if truth(row.get("is_inclusive")):
                    contained = sum(
                        Fraction(other["percent"])
                        for other in rows
                        if truth(other.get("is_inclusive")) and _is_taxed(lines[place], other)
                    )
                    exact[place] = amount * percent / (_HUNDRED + contained)
                else:
                    earlier = parts[place] if truth(row.get("on_taxes")) else 0
                    exact[place] = (amount + earlier) * percent / _HUNDRED
            if row.get("rounding_level") == "line":
                exact = {place: _rounded(value, row) for place, value in exact.items()}
                total = sum(exact.values(), Fraction(0))
            elif truth(row.get("on_taxes")) and base:
                net = sum((lines[place].amount for place in base), Fraction(0))
                total = _rounded((net + totals_before) * percent / _HUNDRED, row)
            else:
                total = _rounded(sum(exact.values(), Fraction(0)), row)
            amounts[row["tax_code"]] = total
            if not truth(row.get("is_inclusive")):
                for place, value in exact.items():
                    new_parts[place] += value
        parts = new_parts
    return amounts


def _is_taxed(line: Line, row: Row) -> bool:
    if line.kind == "surcharge":
        return truth(row.get("on_surcharges") or "true")
    kinds = (row.get("line_kinds") or " ".join(_NET)).split()
    return line.kind in kinds and _listed(line.charge_class, row.get("charge_classes", ""))


_SMALLEST_UNIT = {"JPY": 0, "KWD": 3}


def total(
    lines: Sequence[Line],
    tax_rows: Sequence[Row],
    tax_amounts: dict[str, Fraction],
    currency: str = "USD",
) -> Fraction:
    """What the invoice comes to: contained taxes are in the lines already."""
    on_top = sum(
        (tax_amounts[row["tax_code"]] for row in tax_rows if not truth(row.get("is_inclusive"))),
        Fraction(0),
    )
    decimals = _SMALLEST_UNIT.get(currency, 2)
    return Fraction(round_amount(sum((x.amount for x in lines), on_top), decimals, "half_up"))
