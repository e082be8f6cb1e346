"""Allowances: what is included, in which order it is used, what is left of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.cases.book import Given, NotSupported
from tests.cases.results import Ask, Results, charge_amount
from tests.cases.world import SOME_MONTH, Bench, Record

_PREFIX = "44"
_CALLED = "442079460000"
_MINUTE = 60
# A record of more than seven days would be an error.
_LONGEST_CALL_MINUTES = 1000
_DAYS = 30  # of the month of the cases
# What cases call the policy for a call that does not fit.
_OVERAGES = {
    "split": "split", "split_call": "split", "remainder": "split",
    "whole_call": "whole_call", "whole": "whole_call", "charge_whole_call": "whole_call",
}  # fmt: skip


def straddling_call(bench: Bench, given: Given) -> dict[str, Ask]:
    """A call that is longer than what is left of the allowance."""
    rate = {
        "price_per_minute": given["rate_per_min"],
        "connection_fee": given.first("connection_fee", "setup_fee", default=0),
    }
    settings: dict[str, Any] = {}
    policy = given.first("overage", "policy", "overage_policy", "mode", "straddle")
    if policy is not None:
        if str(policy) not in _OVERAGES:
            raise NotSupported(f"needs a call that does not fit to be charged by {policy}")
        settings["overage"] = _OVERAGES[str(policy)]
    waived = given.first("waive_connection_fee", "connection_fee_waived", "waive_setup_fee")
    if waived is not None:
        settings["waives_connection_fee"] = waived
    plan = _plan(bench, rate)
    _allowance(bench, "", given["remaining_allowance_min"], plan_code=plan, **settings)
    account = bench.service(plan)
    calls = _calls(bench, given["billed_min"])
    month = bench.invoiced()
    return {
        "free_min": lambda results: _free(results, calls),
        "charged_min": lambda results: (
            Decimal(str(given["billed_min"])) - _free(results, calls)
        ),
        "charge": lambda results: _after_allowances(results, account),
        "billed_min": lambda results: (
            Decimal(results.usage_line(month, account)["billed_seconds"]) / _MINUTE
        ),
    }


def bundle(bench: Bench, given: Given) -> dict[str, Ask]:
    """Included minutes, packs and what rolled over, and the minutes used in a period."""
    rate = given.first("rate_per_min", "overage_per_min", "overage_rate", default="1")
    plan = _plan(bench, {"price_per_minute": rate})
    settings: dict[str, Any] = {"rollover_percent": given.first("rollover_pct", default=100)}
    for name, column in (("rollover_limit", "limit"), ("rollover_max", "maximum")):
        if name in given:
            settings[f"rollover_{column}"] = _seconds(given[name])
    periods = given.first(
        "rollover_periods", "rollover_months", "expires_after", "expiry_months", "expiry_periods"
    )
    if periods is not None:
        settings["rollover_periods"] = periods
    included = given.first("included", "plan", "included_min")
    used = given.first("used", "used_min")
    allowance = _allowance(bench, "", included, plan_code=plan, **settings)
    account = bench.service(plan)
    pack = given.first("pack", "packs", "pack_min", default=0)
    for number, size in enumerate(_list(pack)):
        _buy(bench, _allowance(bench, f"P{number}", size), f"P{number}")
    rolled = _list(given.first("rollover_before", "rollover", "rolled_over", default=0))
    for number, size in enumerate(rolled):
        # The first is the oldest.
        _buy(
            bench, allowance, f"R{number:02d}", size=_seconds(size), counts_as="rollover",
            valid_from=f"{SOME_MONTH}T00:00:{number:02d}Z",
        )  # fmt: skip
    calls = _calls(bench, used)
    bench.invoiced()
    return {
        "rollover": lambda results: _units(results, account, "carried_units"),
        "rollover_after": lambda results: _units(results, account, "carried_units"),
        "overage": lambda results: Decimal(str(used)) - _free(results, calls),
        "overage_min": lambda results: Decimal(str(used)) - _free(results, calls),
        "plan_left": lambda results: _units(results, account, "left_units", "plan"),
        "pack_left": lambda results: _units(results, account, "left_units", "pack"),
        "rollover_left": lambda results: _units(results, account, "left_units", "rollover"),
        "expired": lambda results: _units(results, account, "expired_units"),
        "charge": lambda results: _after_allowances(results, account),
    }


def weighted(bench: Bench, given: Given) -> dict[str, Ask]:
    """Minutes that count more, or less, than one of the allowance."""
    minutes = given["minutes"]
    rate = given.first("rate_per_min", "overage_per_min", default="1")
    plan = _plan(bench, {"price_per_minute": rate})
    size = given.first("pool", "pool_min", "included", default=1_000_000)
    allowance = _allowance(bench, "", size, plan_code=plan)
    bench.add("destination_group", destination_group_code=bench.code, prefix=_PREFIX)
    bench.add(
        "allowance_rule", allowance_code=allowance, destination_group_code=bench.code,
        multiplier=given["multiplier"],
    )  # fmt: skip
    account = bench.service(plan)
    calls = _calls(bench, minutes)
    bench.invoiced()
    return {
        "pool_minutes": lambda results: _units(results, account, "used_units"),
        "pool_left": lambda results: _units(results, account, "left_units"),
        "free_min": lambda results: _free(results, calls),
        "overage": lambda results: Decimal(str(minutes)) - _free(results, calls),
        "charge": lambda results: _after_allowances(results, account),
    }


def part_of_first_period(bench: Bench, given: Given) -> dict[str, Ask]:
    """A service that starts within the period: its fee is prorated, its allowance may be."""
    days = int(given["days"])
    is_prorated = given.first("included_value_prorated", "included_prorated", default=False)
    size = given.first("included_value", "included", "included_min", default="100")
    start = SOME_MONTH + timedelta(days=_DAYS - days)
    plan = _plan(bench, {"price_per_minute": "1"})
    bench.add(
        "allowance", allowance_code=bench.code, allowance_name=bench.code, plan_code=plan,
        unit="money", currency_code="USD", size=size, proration_unit="0.01",
        proration_rounding="half_up", proration="start" if is_prorated else "none",
    )  # fmt: skip
    account = bench.service(plan, service={"valid_from": start})
    fee = bench.charge(
        {"net_amount": given["fee"], "period_from": start,
         "period_to": start + timedelta(days=days - 1)},
        price_mode="list", unit_price=given["fee"], charge_class="recurring",
        proration="annualised",
    )  # fmt: skip
    month = bench.invoiced()

    def included(results: Results) -> Any:
        granted = sum(
            row["granted_units"] for row in results.allowance_balances(month, account)
        )
        if bench.case.expected.get("included") in ("full", "prorated"):
            return "full" if granted == Decimal(str(size)) else "prorated"
        return granted

    return {"fee": charge_amount(fee), "included": included}


def _plan(bench: Bench, rate: dict[str, Any]) -> str:
    deck = bench.deck()
    bench.rate(deck, _PREFIX, **rate)
    return bench.plan(deck)


def _allowance(bench: Bench, suffix: str, minutes: Any, **settings: Any) -> str:
    code = f"{bench.code}{suffix}"
    bench.add(
        "allowance", allowance_code=code, allowance_name=code, unit="seconds",
        size=_seconds(minutes), **settings,
    )  # fmt: skip
    return code


def _buy(bench: Bench, allowance: str, suffix: str, **purchase: Any) -> None:
    bench.add(
        "allowance_purchase", purchase_code=f"{bench.code}{suffix}", allowance_code=allowance,
        service_code=bench.code, **purchase,
    )  # fmt: skip


def _calls(bench: Bench, minutes: Any) -> list[Record]:
    """Calls of so many minutes altogether, one after the other."""
    rest = Decimal(str(minutes))
    calls = []
    while rest > 0 or not calls:
        length = min(rest, Decimal(_LONGEST_CALL_MINUTES))
        # From the second day on: all packs are bought by then.
        start = f"2026-09-{2 + len(calls) // 24:02d}T{len(calls) % 24:02d}:00:00Z"
        calls.append(
            bench.usage(
                {"duration": length * _MINUTE, "called_number": _CALLED, "start_time": start}
            )
        )
        rest -= length
    return calls


def _seconds(minutes: Any) -> Decimal:
    return Decimal(str(minutes)) * _MINUTE


def _list(value: Any) -> list[Any]:
    """One size or several, of which nothing is none."""
    sizes = value if isinstance(value, list) else [value]
    return [size for size in sizes if Decimal(str(size)) > 0]


def _free(results: Results, calls: Iterable[Record]) -> Decimal:
    """Minutes of these calls that an allowance paid for."""
    return sum(
        (use["units_taken"] for call in calls for use in results.allowance_uses(call)), Decimal(0)
    ) / _MINUTE


def _units(results: Results, account: str, column: str, kind: str | None = None) -> Decimal:
    """Minutes of the balances of an account."""
    rows = results.allowance_balances(SOME_MONTH, account)
    return sum(
        (row[column] for row in rows if kind in (None, row["grant_kind"])), Decimal(0)
    ) / _MINUTE


def _after_allowances(results: Results, account: str) -> Decimal:
    invoice = results.invoice(SOME_MONTH, account)
    return invoice["usage_amount"] + invoice["allowance_amount"]
