"""Volume prices, commitments and caps: rules section 9, counted anew for every question."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil

from tests.oracle.invoice import period_bounds
from tests.oracle.reference import Dated, Row
from tests.oracle.rounding import round_amount
from tests.oracle.times import zone_of

_MONTHS = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}
_SCOPES = ("account", "plan", "group", "list")
_CODES = {"volume_price": "volume_code", "spend_limit": "limit_code"}
_INSTANT = dt.timedelta(microseconds=1)


@dataclass(frozen=True)
class Used:
    """A billed leg, as far as counters look at it, or a line that limits look at."""

    account: str
    service: str
    plan: str
    month: dt.date
    usage_type: str
    charge_class: str
    number: str
    billed: int
    real: Decimal
    unrounded: Fraction
    amount: Fraction


@dataclass(frozen=True)
class Customer:
    """An account of the bill group, and its services."""

    code: str
    bill_group: str
    zone: str
    anchor_day: int
    plan: str
    services: tuple[str, ...]


def price_of(schedule: Row, tiers: list[Row], quantity: Fraction) -> Fraction:
    """What a quantity costs by a schedule."""
    paid = max(quantity - _number(schedule.get("free_units")), Fraction(0))
    if schedule["pricing"] == "package":
        return ceil(paid / _number(schedule["package_size"])) * _number(schedule["package_price"])
    total = Fraction(0)
    for tier in sorted(tiers, key=lambda tier: _number(tier["above"])):
        above = _number(tier["above"])
        up_to = _number(tier["up_to"]) if tier.get("up_to") else None
        price = _number(tier.get("unit_price")) + _number(tier.get("rate_percent")) / 100
        fee = _number(tier.get("flat_fee"))
        if paid == 0:
            return fee if schedule.get("zero_quantity_rule") == "first_flat" else Fraction(0)
        is_inside = paid > above and (up_to is None or paid <= up_to)
        if schedule["pricing"] == "volume" and is_inside:
            return paid * price + fee
        if schedule["pricing"] == "graduated" and paid > above:
            total += (paid - above if is_inside else (up_to or paid) - above) * price + fee
    return total


class Volumes:
    """The prices and limits of a world, and what was used in it."""

    def __init__(
        self,
        kinds: dict[str, list[Dated]],
        customers: Iterable[Customer],
        used: Iterable[Used],
    ) -> None:
        self._kinds = kinds
        self._customers = {customer.code: customer for customer in customers}
        self._used = list(used)
        self._known: dict[tuple[str, str, str, dt.date], list[Dated]] = {}

    def _held(self, kind: str, code: str, customer: Customer, month: dt.date) -> list[Dated]:
        """The row that holds: of the first scope that has any the last one."""
        key = (kind, code, customer.code, month)
        if key not in self._known:
            self._known[key] = self._find(kind, code, customer, month)
        return self._known[key]

    def _find(self, kind: str, code: str, customer: Customer, month: dt.date) -> list[Dated]:
        start, end = self._bounds(customer, month)
        for scope in _SCOPES:
            name = {"account": customer.code, "group": customer.bill_group,
                    "plan": customer.plan, "list": ""}[scope]  # fmt: skip
            found = [
                dated
                for dated in self._kinds.get(kind, [])
                if dated.row[_CODES[kind]] == code
                and dated.row["price_scope"] == scope
                and dated.row.get("scope_code", "") == name
                and dated.valid_from < end
                and dated.valid_to > start
            ]
            if found:
                return [max(found, key=lambda dated: dated.valid_from)]
        return []

    def _bounds(self, customer: Customer, month: dt.date) -> tuple[dt.datetime, dt.datetime]:
        return period_bounds(month, customer.zone, customer.anchor_day)

    def codes(self, kind: str) -> list[str]:
        """The codes of a kind."""
        return sorted({dated.row[_CODES[kind]] for dated in self._kinds.get(kind, [])})

    def counters(self, code: str, account: str, month: dt.date) -> tuple[str, ...]:
        """The services that have a counter of their own, or one without a name for the account."""
        dated = self._price(code, self._customers[account], month)
        is_of_services = dated is not None and dated.row["counter"] == "service"
        return self._customers[account].services if is_of_services else ("",)

    def is_minimum(self, code: str) -> bool:
        """Whether a limit is a commitment."""
        return any(
            dated.row["limit_code"] == code and dated.row["limit_rule"] == "minimum"
            for dated in self._kinds["spend_limit"]
        )

    def _price(self, code: str, customer: Customer, month: dt.date) -> Dated | None:
        found = self._held("volume_price", code, customer, month)
        return found[0] if found else None

    def _counter_of(self, code: str, account: str, month: dt.date) -> str | None:
        """The plan that has the counter, or none but the account's or group's own."""
        dated = self._price(code, self._customers[account], month)
        if dated is None:
            return None
        return dated.row["scope_code"] if dated.row["price_scope"] == "plan" else ""

    def _counts(self, code: str, customer: Customer, leg: Used) -> bool:
        """Whether a leg counts in this price: it may in none that comes before it."""
        prices = []
        for other in self.codes("volume_price"):
            dated = self._price(other, customer, leg.month)
            if dated is not None and self._concerns(dated.row, leg):
                prices.append((dated.row["effect"], int(dated.row["priority"]), other))
        effects = {name: effect for effect, _, name in prices}
        if code not in effects:
            return False
        return min(price for price in prices if price[0] == effects[code])[2] == code

    def _concerns(self, row: Row, leg: Used) -> bool:
        classes = row.get("charge_classes", "").split()
        group = row.get("destination_group_code")
        return (
            row.get("usage_type") in (None, "", leg.usage_type)
            and (not classes or leg.charge_class in classes)
            and (row["price_scope"] != "plan" or leg.plan == row["scope_code"])
            and (
                not group
                or any(
                    leg.number.startswith(dated.row["prefix"])
                    for dated in self._kinds["destination_group"]
                    if dated.row["destination_group_code"] == group
                )
            )
        )

    def _quantity(self, code: str, members: list[str], service: str, month: dt.date) -> Fraction:
        total = Fraction(0)
        for account in members:
            customer = self._customers[account]
            dated = self._price(code, customer, month)
            if dated is None:
                continue
            schedule = self._schedule(dated, customer, month)
            for leg in self._legs(code, customer, service, month):
                total += {
                    "billed_units": Fraction(leg.billed), "real_seconds": Fraction(leg.real),
                    "records": Fraction(1), "amount": leg.unrounded,
                }[schedule["measure"]]  # fmt: skip
        return max(total, Fraction(0))

    def _legs(self, code: str, customer: Customer, service: str, month: dt.date) -> list[Used]:
        return [
            leg
            for leg in self._used
            if leg.account == customer.code
            and leg.month == month
            and (not service or leg.service == service)
            and self._counts(code, customer, leg)
        ]

    def _at(self, dated: Dated, customer: Customer, month: dt.date) -> dt.datetime:
        return min(dated.valid_to, self._bounds(customer, month)[1]) - _INSTANT

    def _schedule(self, dated: Dated, customer: Customer, month: dt.date) -> Row:
        at = self._at(dated, customer, month)
        (row,) = (
            other.row
            for other in self._kinds["tier_schedule"]
            if other.row["schedule_code"] == dated.row["schedule_code"] and other.holds(at)
        )
        return row

    def _tiers(self, dated: Dated, customer: Customer, month: dt.date) -> list[Row]:
        at = self._at(dated, customer, month)
        return [
            other.row
            for other in self._kinds["tier"]
            if other.row["schedule_code"] == dated.row["schedule_code"] and other.holds(at)
        ]

    def volume_amount(
        self, code: str, account: str, service: str, month: dt.date
    ) -> Fraction | None:
        """What the line of a counter comes to; none where there is no line."""
        customer = self._customers[account]
        dated = self._price(code, customer, month)
        if dated is None:
            return None
        row, schedule = dated.row, self._schedule(dated, customer, month)
        everybody = sorted(self._customers) if row["counter"] == "group" else [account]
        of_plan = row["scope_code"] if row["price_scope"] == "plan" else ""

        def sharing(when: dt.date) -> list[str]:
            return [m for m in everybody if self._counter_of(code, m, when) == of_plan]

        members = sharing(month)
        earlier = [
            other
            for other in _months_before(month, row["counter_period"], int(row["anchor_month"]))
            if sharing(other)
        ]
        tiers = self._tiers(dated, customer, month)
        size = _number(schedule.get("unit_size") or "1")
        now = {m: self._quantity(code, [m], service, month) for m in members}
        before = sum(
            (self._quantity(code, sharing(other), service, other) for other in earlier),
            Fraction(0),
        )
        charge = price_of(schedule, tiers, (before + sum(now.values())) / size)
        if earlier:
            charge -= price_of(schedule, tiers, before / size)
        own = self._shared(charge, members, now, account, schedule)
        legs = self._legs(code, customer, service, month)
        if not legs and own == 0:
            return None
        return own - (sum((leg.amount for leg in legs), Fraction(0))
                      if row["effect"] == "replace" else 0)  # fmt: skip

    def _shared(
        self, charge: Fraction, members: list[str], now: dict[str, Fraction], account: str,
        schedule: Row,
    ) -> Fraction:  # fmt: skip
        whole = sum(now.values())
        parts = {m: now[m] / whole if whole else Fraction(1, len(members)) for m in members}
        place = members.index(account)
        decimals, mode = int(schedule["rounding_decimals"]), schedule["rounding_mode"]
        until = [
            Fraction(round_amount(charge * sum(parts[m] for m in members[:n]), decimals, mode))
            for n in (place, place + 1)
        ]
        return until[1] - until[0]

    def limit_amount(
        self, code: str, account: str, month: dt.date,
        spent: dict[dt.date, dict[tuple[str, str], Fraction]],
    ) -> Fraction:  # fmt: skip
        """What a commitment adds or a cap takes off; spent is by month, kind and class."""
        customer = self._customers[account]
        found = self._held("spend_limit", code, customer, month)
        if not found:
            return Fraction(0)
        row, length = found[0].row, _MONTHS[found[0].row["limit_period"]]
        before = _months_before(month, row["limit_period"], int(row["anchor_month"]))
        first = before[0] if before else month
        held = [
            other for other in (*before, month)
            if self._held("spend_limit", code, customer, other)
        ]  # fmt: skip
        kinds, classes = row["line_kinds"].split(), row.get("charge_classes", "").split()

        def total(months: list[dt.date]) -> Fraction:
            return sum(
                (
                    amount
                    for other in months
                    for (kind, charge_class), amount in spent.get(other, {}).items()
                    if kind in kinds and (not classes or charge_class in classes)
                ),
                Fraction(0),
            )

        start = self._bounds(customer, first)[0]
        last = _later(first, length - 1)
        end = self._bounds(customer, last)[1]
        amount = _number(row["amount"])
        if row["proration"] == "days":
            days = _days(max(start, found[0].valid_from), min(end, found[0].valid_to), customer)
            amount = amount * days / _days(start, end, customer)
        decimals, mode = int(row["rounding_decimals"]), row["rounding_mode"]
        if row["limit_rule"] == "minimum":
            is_last = month == last or found[0].valid_to <= self._bounds(customer, month)[1]
            due = max(amount - total(held), Fraction(0)) if is_last else Fraction(0)
        else:
            due = max(total(held[:-1]) - amount, Fraction(0)) - max(
                total(held) - amount, Fraction(0)
            )
        return Fraction(round_amount(due, decimals, mode))


def _later(month: dt.date, months: int) -> dt.date:
    count = month.year * 12 + month.month - 1 + months
    return dt.date(count // 12, count % 12 + 1, 1)


def _months_before(month: dt.date, period: str, anchor: int) -> list[dt.date]:
    """The months of the longer period that come before this one."""
    passed = (month.month - anchor) % _MONTHS[period]
    return [_later(month, -n) for n in range(passed, 0, -1)]


def _days(start: dt.datetime, end: dt.datetime, customer: Customer) -> int:
    zone = zone_of(customer.zone)
    return (end.astimezone(zone).date() - start.astimezone(zone).date()).days


def _number(text: str | None) -> Fraction:
    return Fraction(Decimal(text or "0"))
