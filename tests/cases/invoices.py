"""Whole invoices: fees, usage beyond what is included, packages and taxes together."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tests.cases.book import Given
from tests.cases.results import Ask, amount_of
from tests.cases.world import Bench, Record

_PREFIX = "44"
_CALLED = "442079460000"
_TOLL_FREE_PREFIX = "1800"
_TOLL_FREE = "18005550100"
_MINUTE = 60
# A record of more than seven days would be an error.
_LONGEST_CALL_MINUTES = 1000


def flat_fee(bench: Bench, given: Given) -> dict[str, Ask]:
    """A fee with included minutes, and a price for those beyond."""
    account = _account(bench, given["overage_per_min"])
    bench.add(
        "allowance", allowance_code=bench.code, allowance_name=bench.code, plan_code=bench.code,
        unit="seconds", size=Decimal(str(given["included_min"])) * _MINUTE,
    )  # fmt: skip
    _fee(bench, given["fee"])
    records = list(_calls(bench, [given["used_min"]], _CALLED))
    return _asks(bench, account, records)


def users(bench: Bench, given: Given) -> dict[str, Ask]:
    """Fees of users, their minutes beyond what is included, toll-free numbers, packages, taxes."""
    account = _account(bench, given.get("overage_per_min", 0), given.get("toll_free_per_min", 0))
    _fee(bench, given["fee"], quantity=given["users"])
    for name in ("toll_free_fee", "package"):
        if name in given:
            _fee(bench, given[name])
    if "tax" in given:
        _fee(bench, given["tax"], "tax")
    overage, toll_free = given.get("overage_min", []), given.get("toll_free_min", [])
    records = [*_calls(bench, overage, _CALLED), *_calls(bench, toll_free, _TOLL_FREE)]
    return _asks(bench, account, records)


def _account(bench: Bench, rate: Any, toll_free_rate: Any = 0) -> str:
    deck = bench.deck()
    bench.rate(deck, _PREFIX, price_per_minute=rate)
    bench.rate(deck, _TOLL_FREE_PREFIX, price_per_minute=toll_free_rate)
    return bench.service(bench.plan(deck))


def _fee(bench: Bench, amount: Any, charge_type: str = "recurring", quantity: Any = 1) -> None:
    """A line of this price for each unit."""
    bench.charge(
        {"net_amount": amount, "charge_type": charge_type, "quantity": quantity},
        price_mode="list", unit_price=amount, charge_class=charge_type,
    )  # fmt: skip


def _calls(bench: Bench, minutes: Any, called: str) -> Iterator[Record]:
    """Calls of so many minutes altogether, or of each of several users."""
    number = 0
    for whole in minutes if isinstance(minutes, list) else [minutes]:
        rest = Decimal(str(whole))
        while rest > 0:
            length = min(rest, Decimal(_LONGEST_CALL_MINUTES))
            start = f"2026-09-{1 + number // 24:02d}T{number % 24:02d}:00:00Z"
            yield bench.usage(
                {"duration": length * _MINUTE, "called_number": called, "start_time": start}
            )
            rest -= length
            number += 1


def _asks(bench: Bench, account: str, records: list[Record]) -> dict[str, Ask]:
    month = bench.invoiced()

    def total(results: Any) -> Decimal:
        for record in records:
            amount_of(results.leg(record))
        return results.invoice(month, account)["invoice_total"]

    return {"charge": total, "total": total}
