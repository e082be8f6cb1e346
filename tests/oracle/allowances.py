"""Allowances of one period, call by call: rules section 9, Allowances."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from tests.oracle.invoice import period_bounds
from tests.oracle.reference import Dated, Row, truth
from tests.oracle.rounding import round_amount
from tests.oracle.times import zone_of

_TYPES = {
    "seconds": ("voice",), "calls": ("voice",), "messages": ("sms", "mms"), "bytes": ("data",),
    "money": ("voice", "sms", "mms", "data", "feature", "other"),
}  # fmt: skip
_PRIORITIES = {"plan": 100, "pack": 200}
_LAST = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
_NO_END = dt.date(9999, 12, 1)


@dataclass(frozen=True)
class Leg:
    """A billed usage leg, as rated."""

    usage_id: int
    account: str
    service: str
    plan: str
    started_at: dt.datetime
    usage_type: str
    charge_class: str
    direction: str
    rated_number: str
    currency: str
    real_seconds: Fraction
    billed_units: Fraction
    amount: Fraction  # as the plan rounds it
    exact: Fraction
    fee: Fraction  # its part of the exact amount


@dataclass
class Grant:
    """Units of one allowance that a holder may use in a period."""

    allowance: str
    holder: tuple[str, str]  # kind, code
    account: str
    kind: str
    origin: dt.date
    granted: Fraction
    purchase: str = ""
    usable_from: dt.datetime | None = None
    usable_to: dt.datetime | None = None
    is_once: bool = False
    expires: dt.date | None = None
    is_usable: bool = True
    used: Fraction = Fraction(0)
    carried: Fraction = Fraction(0)

    @property
    def left(self) -> Fraction:
        """Units not used."""
        return self.granted - self.used


@dataclass
class Use:
    """What one leg took from one grant."""

    usage_id: int
    allowance: str
    kind: str
    consumed: Fraction
    covered: Fraction
    waived: Fraction


@dataclass
class Period:
    """All that came of a period."""

    grants: list[Grant] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)


def allowances_of(
    kinds: dict[str, list[Dated]],
    legs: Iterable[Leg],
    month: dt.date,
    before: Sequence[Grant] = (),
) -> Period:
    """Draft a period; ``before`` are the grants of the period before, at its end."""
    book = _Book(kinds, month)
    period = Period(book.grants(before))
    order = book.in_order(period.grants)
    for leg in sorted(legs, key=lambda leg: (leg.started_at, leg.usage_id)):
        period.uses += _take(book, order, leg)
    book.close(period.grants)
    return period


def _take(book: "_Book", order: dict[str, list[list[Grant]]], leg: Leg) -> list[Use]:
    """Offer a leg to the ladders of its account, one after the other."""
    uses: list[Use] = []
    open_share = Fraction(1)  # what nothing covers yet
    fee_left, waived, is_first = leg.fee, Fraction(0), True
    for ladder in order.get(leg.account, []):
        mine = [grant for grant in ladder if book.may_take(grant, leg)]
        if not mine or not open_share:
            continue
        row = book.allowance(mine[0].allowance)
        whole_leg = book.demand(row, leg)
        if whole_leg is None or not whole_leg:
            continue
        demand = whole_leg * open_share
        room = sum((grant.left for grant in mine), Fraction(0))
        if _setting(row, "overage", "split") == "whole_call" and demand > room:
            continue
        for grant in mine:
            taken = min(grant.left, demand)
            if not taken:
                continue
            grant.used += taken
            demand -= taken
            share = taken / whole_leg
            open_share -= share
            if row["unit"] == "money":
                fee_left -= leg.fee * share
            elif is_first and truth(row.get("waives_connection_fee")):
                fee_left = Fraction(0)
            is_first = False
            rest = (leg.exact - leg.fee) * open_share + fee_left
            now = leg.amount - book.rounded(leg, rest)
            uses.append(
                Use(
                    leg.usage_id, grant.allowance, grant.kind, taken,
                    share * max(leg.billed_units, 1), now - waived,
                )
            )  # fmt: skip
            waived = now
    return uses


def _setting(row: Row, name: str, default: str) -> str:
    """A setting or its default."""
    return row.get(name) or default


class _Book:
    """Reference data as one period sees it."""

    def __init__(self, kinds: dict[str, list[Dated]], month: dt.date) -> None:
        self._kinds = kinds
        self._month = month
        self._accounts = {d.row["account_code"]: d.row for d in kinds["account"]}
        self._services = {d.row["service_code"]: d for d in kinds["service"]}

    def allowance(self, code: str) -> Row:
        """The version in force last."""
        end = max(self.bounds(account)[1] for account in self._accounts)
        found = [
            d for d in self._kinds["allowance"]
            if d.row["allowance_code"] == code and d.valid_from < end
        ]  # fmt: skip
        return max(found, key=lambda d: d.valid_from).row

    def bounds(self, account: str) -> tuple[dt.datetime, dt.datetime]:
        """Start and end of the account's period."""
        row = self._accounts[account]
        return period_bounds(
            self._month, row.get("time_zone") or "UTC", int(row.get("anchor_day") or 1)
        )

    def pool_of(self, service: str, account: str, at: dt.datetime) -> str | None:
        """The pool of a service, else of its account."""
        for kind, code in (("service", service), ("account", account)):
            for d in self._kinds.get("allowance_pool", []):
                if d.row["member_kind"] == kind and d.row["member_code"] == code and d.holds(at):
                    return d.row["pool_code"]
        return None

    # -- what is granted --------------------------------------------------------------------------

    def grants(self, before: Sequence[Grant]) -> list[Grant]:
        """Of plans, bought, and carried."""
        found = [*self._of_plans(), *self._bought()]
        holders = {(grant.allowance, grant.holder) for grant in found}
        for old in before:
            if old.carried > 0:
                found.append(
                    replace(
                        old,
                        kind=old.kind if old.is_once else "rollover",
                        granted=old.carried, used=Fraction(0), carried=Fraction(0),
                        usable_from=None,
                        is_usable=old.is_once or (old.allowance, old.holder) in holders,
                    )
                )  # fmt: skip
        return found

    def _held(self) -> dict[tuple[str, str, str], list[tuple[dt.datetime, dt.datetime, str]]]:
        """Kind and code of who has a plan, and the plan: from when to when, of which account."""
        held: dict[Any, list[Any]] = defaultdict(list)
        default = next(
            (d.row["plan_code"] for d in self._kinds["plan"] if truth(d.row.get("is_default"))),
            None,
        )
        for account, row in self._accounts.items():
            start, end = self.bounds(account)
            held["account", account, row.get("plan_code") or default].append((start, end, account))
        for service, d in self._services.items():
            account = d.row["account_code"]
            start, end = self.bounds(account)
            start, end = max(start, d.valid_from), min(end, d.valid_to)
            if start < end:
                plan = d.row.get("plan_code") or self._accounts[account].get("plan_code")
                for party in (("service", service), ("account", account)):
                    held[(*party, plan or default)].append((start, end, account))
        return held

    def _of_plans(self) -> list[Grant]:
        brought: dict[tuple[str, tuple[str, str]], list[tuple[Fraction, str]]] = defaultdict(list)
        for (kind, code, plan), times in self._held().items():
            start, end = min(t[0] for t in times), max(t[1] for t in times)
            account = times[0][2]
            for d in self._kinds["allowance"]:
                row = d.row
                if (
                    row.get("plan_code") != plan
                    or _setting(row, "granted_per", "service") != kind
                    or not d.holds(start)
                ):
                    continue
                holder = (kind, code)
                shared = _setting(row, "shared_by", "service")
                if shared != "service":
                    pool = self.pool_of(code if kind == "service" else "", account, start)
                    holder = ("account", account)
                    if shared == "pool" and pool:
                        holder = ("pool", pool)
                units = self._prorated(row, Fraction(row["size"]), account, start, end)
                brought[row["allowance_code"], holder].append((units, account))
        return [
            Grant(
                code, holder, min(account for _, account in parts), "plan", self._month,
                sum((units for units, _ in parts), Fraction(0)),
            )
            for (code, holder), parts in brought.items()
        ]  # fmt: skip

    def _bought(self) -> list[Grant]:
        found = []
        for d in self._kinds.get("allowance_purchase", []):
            row = d.row
            if row.get("account_code"):
                holder, account = ("account", row["account_code"]), row["account_code"]
            elif row.get("service_code"):
                holder = ("service", row["service_code"])
                service = self._services[row["service_code"]]
                account = service.row["account_code"]
                start, end = self.bounds(account)
                if service.valid_from >= end or service.valid_to <= start:
                    continue
            else:
                holder = ("pool", row["pool_code"])
                account = min(self._members(row["pool_code"]))
            start, end = self.bounds(account)
            if d.valid_from >= end or d.valid_to <= start:
                continue
            allowance = self.allowance(row["allowance_code"])
            kind = _setting(row, "counts_as", "pack")
            is_once = kind == "rollover" or allowance.get("grant_rule") == "once"
            size = Fraction(row.get("size") or allowance["size"]) * Fraction(
                row.get("quantity") or 1
            )
            if is_once and d.valid_from < start:
                continue
            if not is_once:
                size = self._prorated(
                    allowance, size, account, max(start, d.valid_from), min(end, d.valid_to)
                )
            found.append(
                Grant(
                    row["allowance_code"], holder, account, kind, self._month, size,
                    row["purchase_code"],
                    d.valid_from if d.valid_from > start else None,
                    d.valid_to if is_once or d.valid_to < end else None,
                    is_once,
                )
            )  # fmt: skip
        return found

    def _members(self, pool: str) -> set[str]:
        """Accounts with something in a pool."""
        return {
            d.row["member_code"]
            if d.row["member_kind"] == "account"
            else self._services[d.row["member_code"]].row["account_code"]
            for d in self._kinds.get("allowance_pool", [])
            if d.row["pool_code"] == pool
        }

    def _prorated(
        self, row: Row, size: Fraction, account: str, held_from: dt.datetime, held_to: dt.datetime
    ) -> Fraction:
        zone = zone_of(self._accounts[account].get("time_zone") or "UTC")
        first, following = (at.astimezone(zone).date() for at in self.bounds(account))
        # A day held in part counts.
        last = (held_to - dt.timedelta(microseconds=1)).astimezone(zone).date()
        rule = _setting(row, "proration", "none")
        late = (held_from.astimezone(zone).date() - first).days if rule in ("start", "both") else 0
        early = (following - last).days - 1 if rule in ("end", "both") else 0
        days = (following - first).days
        if late + early <= 0:
            return size
        unit = Fraction(row.get("proration_unit") or 1)
        part = size * (days - max(late, 0) - max(early, 0)) / days
        mode = _setting(row, "proration_rounding", "up")
        return Fraction(round_amount(part / unit, 0, mode)) * unit

    # -- who takes what in which order -----------------------------------------------------------

    def in_order(self, grants: Iterable[Grant]) -> dict[str, list[list[Grant]]]:
        """By account the grants its calls may meet; those that count as one stand together."""
        usable = sorted((grant for grant in grants if grant.is_usable), key=self._place)
        ladders: list[list[Grant]] = []
        for holder in sorted({grant.holder for grant in usable}):
            between = True
            mine: list[Grant] = []
            for grant in usable:
                if grant.holder != holder:
                    between |= self._meet(grant, holder)
                    continue
                if between or not mine or _offer(grant) != _offer(mine[-1]):
                    mine = [grant]
                    ladders.append(mine)
                else:
                    mine.append(grant)
                between = False
        ladders.sort(key=lambda ladder: self._place(ladder[0]))
        return dict.fromkeys(self._accounts, ladders)

    def _meet(self, grant: Grant, holder: tuple[str, str]) -> bool:
        """Whether usage of a holder, or of others it stands beside, may take from a grant too."""
        mine = {"account": holder[1]}.get(holder[0]) or ""
        if holder[0] == "service":
            mine = self._services[holder[1]].row["account_code"]
        is_same = self._component(mine, holder) == self._component(grant.account, grant.holder)
        if "pool" in (holder[0], grant.holder[0]):
            return is_same and holder[0] != grant.holder[0]
        return grant.account == mine and holder[0] != grant.holder[0]

    def _component(self, account: str, holder: tuple[str, str]) -> Any:
        """Pools that have accounts in common, or an account alone."""
        pools = {d.row["pool_code"] for d in self._kinds.get("allowance_pool", [])}
        if holder[0] == "pool":
            found = {holder[1]}
        else:
            found = {pool for pool in pools if account in self._members(pool)}
        if not found:
            return account
        while True:
            accounts = {account for pool in found for account in self._members(pool)}
            wider = {pool for pool in pools if accounts & self._members(pool)}
            if wider == found:
                return frozenset(found)
            found = wider

    def _place(self, grant: Grant) -> tuple[Any, ...]:
        row = self.allowance(grant.allowance)
        if grant.kind == "rollover":
            priority = int(row.get("rollover_priority") or 300)
        else:
            priority = int(row.get("priority") or _PRIORITIES[grant.kind])
        return (
            priority, grant.kind == "rollover", grant.origin, grant.expires or _NO_END,
            grant.usable_to or _LAST, grant.usable_from or _LAST, grant.allowance,
            grant.holder[0], grant.purchase, grant.holder,
        )  # fmt: skip

    def may_take(self, grant: Grant, leg: Leg) -> bool:
        """Whether a leg may take from a grant at all."""
        pool = self.pool_of(leg.service, leg.account, leg.started_at)
        if grant.holder not in (
            ("service", leg.service), ("account", leg.account), ("pool", pool),
        ):  # fmt: skip
            return False
        if grant.usable_from and leg.started_at < grant.usable_from:
            return False
        if grant.usable_to and leg.started_at >= grant.usable_to:
            return False
        row = self.allowance(grant.allowance)
        is_own = _setting(row, "eligible_plans", "own") == "own"
        return not (row.get("plan_code") and is_own and row["plan_code"] != leg.plan)

    def demand(self, row: Row, leg: Leg) -> Fraction | None:
        """Units a leg needs if nothing covers it yet; None: the allowance is not for it."""
        if leg.usage_type not in _TYPES[row["unit"]]:
            return None
        if row["unit"] == "money" and row["currency_code"] != leg.currency:
            return None
        rules = [
            d.row for d in self._kinds.get("allowance_rule", [])
            if d.row["allowance_code"] == row["allowance_code"]
        ]  # fmt: skip
        multiplier = Fraction(1)
        if rules:
            fitting = [
                (self._closeness(rule, leg), rule) for rule in rules if self._fits(rule, leg)
            ]
            if not fitting:
                return None
            rule = max(fitting, key=lambda item: item[0])[1]
            if _setting(rule, "is_included", "true") == "false":
                return None
            multiplier = Fraction(rule.get("multiplier") or 1)
        units = {
            "money": leg.amount,
            "calls": Fraction(1),
        }.get(row["unit"], leg.billed_units)
        if _setting(row, "consumes", "billed") == "real":
            units = leg.real_seconds
        return units * multiplier

    def _prefix(self, rule: Row, leg: Leg) -> int | None:
        """Length of the longest prefix of the rule's group that fits; 0 of any destination."""
        group = _setting(rule, "destination_group_code", "any")
        if group == "any":
            return 0
        return max(
            (
                len(d.row["prefix"]) for d in self._kinds.get("destination_group", [])
                if d.row["destination_group_code"] == group
                and leg.rated_number.startswith(d.row["prefix"])
            ),
            default=None,
        )  # fmt: skip

    def _fits(self, rule: Row, leg: Leg) -> bool:
        return self._prefix(rule, leg) is not None and all(
            _setting(rule, name, "any") in ("any", value)
            for name, value in (
                ("charge_class", leg.charge_class), ("usage_type", leg.usage_type),
                ("direction", leg.direction),
            )
        )  # fmt: skip

    def _closeness(self, rule: Row, leg: Leg) -> tuple[Any, ...]:
        names = ("charge_class", "usage_type", "direction")
        return (
            self._prefix(rule, leg),
            *(_setting(rule, name, "any") != "any" for name in names),
            _setting(rule, "is_included", "true") == "false",
            Fraction(rule.get("multiplier") or 1),
        )

    def rounded(self, leg: Leg, rest: Fraction) -> Fraction:
        """What is left to pay of a leg."""
        plan = next(d.row for d in self._kinds["plan"] if d.row["plan_code"] == leg.plan)
        if _setting(plan, "rounding_level", "call") != "call":
            return rest
        decimals = int(plan.get("rounding_decimals") or 4)
        unit = Fraction(plan.get("rounding_unit") or Fraction(1, 10**decimals))
        mode = _setting(plan, "rounding_mode", "half_up")
        discount = 1 - Fraction(plan.get("discount_percent") or 0) / 100
        if discount != 1 and plan.get("rounding_place") == "before_discount":
            return Fraction(round_amount(rest / discount / unit, 0, mode)) * unit * discount
        return Fraction(round_amount(rest / unit, 0, mode)) * unit

    # -- what becomes of the rest ----------------------------------------------------------------

    def close(self, grants: Iterable[Grant]) -> None:
        """Say what is carried to the next period; the rest expires."""
        rolled: dict[Any, Fraction] = defaultdict(Fraction)
        for grant in sorted(grants, key=lambda grant: grant.is_once or grant.kind == "rollover",
                            reverse=True):  # fmt: skip
            row = self.allowance(grant.allowance)
            key = (grant.allowance, grant.holder)
            if not grant.is_usable:
                continue
            if grant.is_once:
                is_open = grant.usable_to is None or (
                    grant.usable_to > self.bounds(grant.account)[1]
                )
                grant.carried = grant.left if is_open else Fraction(0)
            elif grant.kind == "rollover":
                is_open = grant.expires is None or grant.expires > self._month
                grant.carried = grant.left if is_open else Fraction(0)
            else:
                kept = grant.left * Fraction(row.get("rollover_percent") or 0) / 100
                kept = Fraction(round_amount(kept, 4, "down"))
                if row.get("rollover_limit"):
                    kept = min(kept, Fraction(row["rollover_limit"]))
                if row.get("rollover_maximum"):
                    kept = min(kept, max(Fraction(row["rollover_maximum"]) - rolled[key], 0))
                grant.carried = kept
                if row.get("rollover_periods") and kept:
                    grant.expires = _months_later(self._month, int(row["rollover_periods"]))
            if grant.kind != "pack" or not grant.is_once:
                rolled[key] += grant.carried


def _offer(grant: Grant) -> tuple[Any, ...]:
    return grant.allowance, grant.usable_from, grant.usable_to


def _months_later(month: dt.date, count: int) -> dt.date:
    years, index = divmod(month.month - 1 + count, 12)
    return dt.date(month.year + years, index + 1, 1)
