"""Prices by volume, commitments and caps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from tests.cases.book import Given
from tests.cases.results import Ask, Results, amount_of
from tests.cases.world import SOME_MONTH, Bench, Record

_DATA = "1002"
_PREFIX = "44"
# The last months of a quarter. Where the invoice before is asked for too, a quarter of its own:
# what is left of allowances goes from one invoice to the next.
_MONTHS = (date(2026, 8, 1), SOME_MONTH)
_OTHER_MONTHS = (date(2026, 5, 1), date(2026, 6, 1))
_KINDS = ("usage", "volume", "cap", "commitment")


def tiers(bench: Bench, given: Given) -> dict[str, Ask]:
    """A quantity of a period, priced by tiers."""
    levels = given["tiers"]
    is_amount = any("rate_pct" in level for level in levels)
    schedule = {"pricing": _pricing(bench, given), "free_units": given.get("free_units", 0)}
    if is_amount:
        schedule |= {"measure": "amount"}
    else:
        schedule |= {"zero_quantity_rule": "first_flat"}
    above: Any = 0
    for level in levels:
        bench.add(
            "tier", schedule_code=bench.code, above=above, up_to=level["to"],
            unit_price=level.get("unit"), flat_fee=level.get("flat"),
            rate_percent=level.get("rate_pct"),
        )  # fmt: skip
        above = level["to"]
    return _charged(bench, given, schedule, is_amount=is_amount)


def packages(bench: Bench, given: Given) -> dict[str, Ask]:
    """A quantity of a period, priced by the package begun."""
    schedule = {
        "pricing": "package",
        "package_size": given["package_size"],
        "package_price": given["package_price"],
        "free_units": given.get("free_units", 0),
    }
    return _charged(bench, given, schedule)


def one_price(bench: Bench, given: Given) -> dict[str, Ask]:
    """A quantity of a period at one price, with a commitment or a cap."""
    bench.add("tier", schedule_code=bench.code, above=0, unit_price=given["unit_price"])
    schedule = {"pricing": "graduated", "free_units": given.get("free_units", 0)}
    return _charged(bench, given, schedule)


def spent(bench: Bench, given: Given) -> dict[str, Ask]:
    """An amount used, with a commitment or a cap, all in cents."""
    account = _service(bench)
    records = _use(bench, Decimal(given["used_cents"]) / 100, SOME_MONTH, is_amount=True)
    for name, rule in (("minimum_cents", "minimum"), ("maximum_cents", "maximum")):
        if name in given:
            _limit(bench, rule, Decimal(given[name]) / 100)
    month = bench.invoiced()

    def cents(kind: str, sign: int) -> Ask:
        return lambda results: _lines(results, month, account, records, (kind,)) * 100 * sign

    return {"true_up_cents": cents("commitment", 1), "discount_cents": cents("cap", -1)}


def _pricing(bench: Bench, given: Given) -> str:
    """The words of the case say it; counting on over invoices is told of graduated tiers only."""
    rule = bench.case.rule.lower()
    for word in ("graduated", "volume"):
        if word in rule:
            return word
    return "graduated" if "already_rated" in given else "volume"


def _service(bench: Bench) -> str:
    """Data that costs nothing by itself, and calls by their own price."""
    data = bench.deck("D", usage_type="data", unit_bytes=1)
    bench.rate(data, _DATA, price_per_unit=0, minimum_seconds=0, increment_seconds=1)
    return bench.service(bench.plan(bench.deck(), data_deck_code=data))


def _use(bench: Bench, quantity: Decimal, month: date, *, is_amount: bool) -> list[Record]:
    """One record of so many units (bytes), or of an amount of money; none of nothing."""
    if quantity == 0:
        return []
    start = f"{month:%Y-%m}-15T12:00:00Z"
    if not is_amount:
        record = bench.usage(
            {
                "usage_type": "data", "bytes_up": 0, "bytes_down": int(quantity),
                "start_time": start,
            }
        )  # fmt: skip
        return [record]
    # The amount of each month has a code of its own to be priced by.
    prefix = f"{_PREFIX}{month.month}"
    bench.rate(bench.code, prefix, price_per_call=quantity)
    values = {"called_number": f"{prefix}70090000", "duration": 60, "start_time": start}
    return [bench.usage(values)]


def _charged(
    bench: Bench, given: Given, schedule: dict[str, Any], *, is_amount: bool = False
) -> dict[str, Ask]:
    account = _service(bench)
    quantity = Decimal(str(given["quantity"]))
    earlier = Decimal(str(given.get("already_rated", 0)))
    # Records have whole bytes: a unit of decimals is made of more of them.
    size = 1 if is_amount else 10 ** _decimals(quantity, earlier)
    bench.add(
        "tier_schedule", schedule_code=bench.code, schedule_name=bench.code, unit_size=size,
        **schedule,
    )  # fmt: skip
    before, month = _OTHER_MONTHS if "previous_billed" in given else _MONTHS
    records = _use(bench, quantity * size, month, is_amount=is_amount)
    records += _use(bench, earlier * size, before, is_amount=is_amount)
    bench.add(
        "volume_price", volume_code=bench.code, volume_name=bench.code, price_scope="account",
        scope_code=account, schedule_code=bench.code, counter_period="quarter",
        usage_type="voice" if is_amount else "data",
        # The first invoice is the one of the first usage told of.
        valid_from=before if "already_rated" in given else month,
    )  # fmt: skip
    for name in ("minimum", "maximum"):
        if name in given:
            _limit(bench, name, given[name])
    bench.invoiced(month)
    check = _billed_before(bench, given, account, records)

    def of(*kinds: str) -> Ask:
        def ask(results: Results) -> Any:
            check(results)
            return _lines(results, month, account, records, kinds)

        return ask

    discount = of("cap")
    return {
        "charge": of("usage", "volume", "cap"),
        "usage": of("usage", "volume"),
        "gross": of("usage", "volume"),
        "top_up": of("commitment"),
        "discount": lambda results: -discount(results),
        "total": of(*_KINDS),
    }


def _billed_before(
    bench: Bench, given: Given, account: str, records: list[Record]
) -> Callable[[Results], None]:
    """What the case says was billed before must be what the earlier invoice says."""
    if "previous_billed" not in given:
        return lambda results: None
    month = bench.invoiced(_OTHER_MONTHS[0])
    said = Decimal(given["previous_billed"])

    def check(results: Results) -> None:
        billed = _lines(results, month, account, records, _KINDS)
        if billed != said:
            raise LookupError(f"the invoice before is of {billed}, not of {said}")

    return check


def _lines(
    results: Results, month: date, account: str, records: list[Record], kinds: Sequence[str]
) -> Decimal:
    """The lines of these kinds; without any there is nothing to pay, if all usage was rated."""
    for record in records:
        amount_of(results.leg(record))
    return sum(
        (
            Decimal(line["line_amount"])
            for line in results.lines(month, account)
            if line["line_kind"] in kinds
        ),
        Decimal(0),
    )


def _limit(bench: Bench, rule: str, amount: Any) -> None:
    bench.add(
        "spend_limit", limit_code=f"{bench.code}-{rule}", limit_name=rule, limit_rule=rule,
        price_scope="account", scope_code=bench.code, amount=amount, limit_period="quarter",
        rounding_decimals=10,
    )  # fmt: skip


def _decimals(*values: Decimal) -> int:
    return max(0, *(-int(value.normalize().as_tuple().exponent) for value in values))
