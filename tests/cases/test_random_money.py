"""Invoices of accounts with random currencies, discounts, surcharges and taxes: the models agree
with the oracle on every amount."""

from __future__ import annotations

import contextlib
import datetime as dt
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from loaders.database import connect
from loaders.reference import load_reference
from orchestration.lib.dry_models import dry_models
from tests.cases.book import Case
from tests.cases.results import Results
from tests.cases.running import rate_world
from tests.cases.world import SOME_MONTH, Bench, Catalogue, World
from tests.oracle import money
from tests.oracle.money import Line, Rate
from tests.oracle.rounding import round_amount

_ACCOUNTS = 40
_START = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
_END = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
_MODES = ("up", "half_up", "half_even", "half_down", "down")
_CLASSES = ("line", "feature", "number")


@dataclass
class Account:
    """One account and what the oracle knows of it."""

    code: str
    settings: dict[str, Any]
    rates: list[Rate] = field(default_factory=list)
    calls: list[tuple[dt.datetime, Fraction]] = field(default_factory=list)
    call_count: int = 0
    charges: list[Line] = field(default_factory=list)
    discounts: list[dict[str, str]] = field(default_factory=list)
    surcharges: list[dict[str, str]] = field(default_factory=list)
    taxes: list[dict[str, str]] = field(default_factory=list)
    factors: dict[str, Fraction] = field(default_factory=dict)
    numbers: int = 0


def _make(bench: Bench, rng: random.Random) -> Account:
    code = bench.code
    settings = {
        "currency_code": rng.choice(("USD", "EUR", "JPY", "KWD")),
        "exchange_source": code,
        "exchange_date": rng.choice(("call_date", "period_end", "period_average")),
        "exchange_level": rng.choice(("line", "record")),
        "exchange_decimals": rng.choice((2, 3, 6)),
        "exchange_rounding_mode": rng.choice(_MODES),
        "tax_jurisdiction": f"US/{code}/Town",
    }
    account = Account(code, settings)
    level = rng.choice(("call", "line"))
    decimals = rng.choice((2, 4))
    deck = bench.deck(currency_code="EUR")
    plan = bench.plan(deck, rounding_level=level, rounding_decimals=decimals)
    bench.service(plan, **settings)
    if settings["currency_code"] != "EUR":
        _make_rates(bench, account, rng)
    account.call_count = rng.randint(1, 5)
    for number in range(account.call_count):
        price = Decimal(rng.randint(1, 99999)) / 10000
        at = _START + dt.timedelta(seconds=rng.randrange(30 * 86400))
        bench.rate(deck, f"44{number}", price_per_call=price)
        bench.usage(
            {"called_number": f"44{number}700900000", "duration": 60,
             "start_time": at.strftime("%Y-%m-%dT%H:%M:%SZ")}
        )  # fmt: skip
        exact = Fraction(price)
        if level == "call":
            exact = Fraction(round_amount(exact, decimals, "half_up"))
        account.calls.append((at, exact))
    if level == "line" and settings["currency_code"] == "EUR":
        whole = sum((amount for _, amount in account.calls), Fraction(0))
        account.calls = [(_START, Fraction(round_amount(whole, decimals, "half_up")))]
    for _ in range(rng.randint(0, 4)):
        amount = Decimal(rng.randint(-3000, 20000)) / 1000
        charge_class = rng.choice(_CLASSES)
        bench.charge(
            {"net_amount": amount, "currency_code": settings["currency_code"]},
            price_mode="pass_through", rounding_decimals=10, charge_class=charge_class,
            currency_code=settings["currency_code"],
        )  # fmt: skip
        account.charges.append(Line("charge", charge_class, Fraction(amount), records=1))
    for number in range(rng.randint(0, 3)):
        account.numbers += 1
        bench.add(
            "service_identifier", service_code=code, identifier_kind="number",
            identifier_value=f"1212{code[1:]}{number:04d}",
        )  # fmt: skip
    _make_rules(bench, account, rng)
    return account


def _make_rates(bench: Bench, account: Account, rng: random.Random) -> None:
    edges = sorted(_START + dt.timedelta(hours=hour) for hour in rng.sample(range(1, 719), 2))
    # Before and after, another rate holds.
    bounds = [
        dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        *edges,
        dt.datetime(2030, 1, 1, tzinfo=dt.UTC),
    ]
    for start, end in zip(bounds, bounds[1:], strict=False):
        rate = Decimal(rng.randint(9000, 13000)) / 10000
        bench.add(
            "exchange_rate", rate_source=bench.code, from_currency="EUR",
            to_currency=account.settings["currency_code"], rate=rate,
            valid_from=start.isoformat(), valid_to=end.isoformat(),
        )  # fmt: skip
        account.rates.append(Rate(Fraction(rate), start, end))


def _make_rules(bench: Bench, account: Account, rng: random.Random) -> None:
    scope = {"price_scope": "account", "scope_code": account.code}
    currency = account.settings["currency_code"]

    def rounding() -> dict[str, str]:
        return {"rounding_decimals": str(rng.choice((2, 3))), "rounding_mode": rng.choice(_MODES)}

    def base(kinds: str) -> dict[str, str]:
        words = kinds.split()
        chosen = rng.sample(words, rng.randint(1, len(words)))
        classes = rng.choice(("", "", " ".join(rng.sample(_CLASSES, 2))))
        return {"line_kinds": " ".join(chosen), "charge_classes": classes}

    def percent(highest: int) -> str:
        return str(Decimal(rng.randint(1, highest * 1000)) / 1000)

    for number in range(rng.randint(0, 2)):
        row = {"discount_code": f"d{number}", "discount_name": "D", "currency_code": currency}
        row |= {rng.choice(("percent", "amount")): percent(40)} | base("usage charge") | rounding()
        account.discounts.append(row)
        bench.add("discount", **row, **scope)
    for number in range(rng.randint(0, 3)):
        rule = rng.choice(
            ("percent", "fund", "per_record", "per_minute", "per_number", "per_invoice")
        )
        row = {"surcharge_code": f"s{number}", "surcharge_name": "S", "charge_rule": rule,
               "currency_code": currency}  # fmt: skip
        row |= base("usage charge discount") | rounding()
        if rule == "percent":
            row |= {"percent": percent(20), "share_percent": percent(100)}
        elif rule == "fund":
            fund = f"{account.code}{number}"
            row |= {"fund_code": fund, "share_percent": percent(100)}
            account.factors[fund] = Fraction(factor := percent(40))
            bench.add("usf_factor", fund_code=fund, factor_percent=factor)
        else:
            row |= {"unit_amount": percent(2)}
        account.surcharges.append(row)
        bench.add("surcharge", **row, **scope)
    for number in range(rng.randint(0, 4)):
        inclusive = rng.random() < 0.25
        row = {
            "tax_code": f"t{number}", "tax_name": "T", "percent": percent(25),
            "jurisdiction": rng.choice((f"US/{account.code}", f"US/{account.code}/Town")),
            "tax_order": str(rng.randint(1, 3)), "is_inclusive": str(inclusive).lower(),
            "on_taxes": str(not inclusive and rng.random() < 0.5).lower(),
            "on_surcharges": rng.choice(("true", "false")),
            "rounding_level": rng.choice(("line", "invoice")),
        } | base("usage charge discount") | rounding()  # fmt: skip
        account.taxes.append(row)
        bench.add("tax_rate", **row)


def _expected(account: Account) -> tuple[dict[str, Fraction], Fraction]:
    """Amounts by kind and code, and the total, as the oracle has them."""
    if account.rates:
        usage = money.converted(account.calls, account.rates, account.settings, _START, _END)
        assert usage is not None
    else:
        usage = sum((amount for _, amount in account.calls), Fraction(0))
    count = account.call_count
    lines = [
        Line("usage", "usage", usage, records=count, seconds=60 * count),
        *account.charges,
    ]
    lines += money.discounts(lines, account.discounts)
    lines += money.surcharges(lines, account.surcharges, account.factors, account.numbers)
    taxes = money.taxes(lines, account.taxes)
    amounts = {"usage": usage}
    amounts |= {f"{line.kind} {line.code}": line.amount for line in lines if line.code}
    amounts |= {f"tax {code}": amount for code, amount in taxes.items() if amount}
    currency = account.settings["currency_code"]
    return amounts, money.total(lines, account.taxes, taxes, currency)


def _found(results: Results, account: Account) -> tuple[dict[str, Fraction], Fraction]:
    amounts: dict[str, Fraction] = {}
    for line in results.lines(SOME_MONTH, account.code):
        if line["line_kind"] == "usage":
            amounts["usage"] = Fraction(line["line_amount"])
        elif line["product_code"] and line["line_kind"] != "charge":
            # A tax that the prices contain is taken off again.
            if "contained in" in line["description"]:
                continue
            key = f"{line['line_kind']} {line['product_code']}"
            amounts[key] = Fraction(line["line_amount"])
    invoice = results.invoice(SOME_MONTH, account.code)
    assert invoice["hold_reason"] is None
    return amounts, Fraction(invoice["invoice_total"])


def _fee(bench: Bench, **surcharge: Any) -> None:
    bench.add(
        "surcharge", surcharge_code="fee", surcharge_name="Fee", charge_rule="per_invoice",
        **surcharge,
    )  # fmt: skip


def _make_by_hand(bench: Bench, name: str) -> None:
    """An account in which something is missing, or of which several rows could be the one."""
    code = bench.code
    place = None if name == "nowhere" else f"US/{code}/Town"
    plan = None
    if name in ("no rate", "plan", "discount"):
        deck = bench.deck(currency_code="EUR" if name == "no rate" else "USD")
        bench.rate(deck, "44", price_per_call=1)
        plan = bench.plan(deck)
    bench.service(plan, tax_jurisdiction=place, exchange_source=code)
    if name != "no rate":
        bench.charge({"net_amount": 10}, price_mode="pass_through")
    else:
        bench.add("exchange_rate", rate_source=code, from_currency="EUR", to_currency="USD",
                  rate=2, valid_to="2026-08-01")  # fmt: skip
        bench.usage({"called_number": "44700900000", "duration": 60})
    if name == "no factor":
        bench.add("usf_factor", fund_code=code, factor_percent=20, valid_to="2026-08-01")
        bench.add(
            "surcharge", surcharge_code="fee", surcharge_name="Fee", charge_rule="fund",
            fund_code=code, price_scope="account", scope_code=code,
        )  # fmt: skip
    if name in ("plan", "inner"):
        _fee(bench, unit_amount=1, price_scope="jurisdiction", scope_code=f"US/{code}")
        _fee(bench, unit_amount=2, price_scope="jurisdiction", scope_code=f"US/{code}/Town")
        _fee(bench, unit_amount=3, price_scope="jurisdiction", scope_code=f"US/{code}/To")
        # It ends with the last day, so that it is not in force when the period ends.
        _fee(bench, unit_amount=4, price_scope="account", scope_code=code, valid_to="2026-09-30")
    if name == "plan":
        _fee(bench, unit_amount=5, price_scope="plan", scope_code=code)
    if name == "discount":
        # That of everybody is on a class that nobody has: it takes nothing off the others.
        for scope, where, percent, classes in (
            ("list", "", 50, "premium"), ("plan", plan, 20, ""), ("account", code, 10, "")
        ):  # fmt: skip
            bench.add("discount", discount_code="off", discount_name="Off", percent=percent,
                      line_kinds="usage charge",
                      charge_classes=classes, price_scope=scope, scope_code=where)  # fmt: skip
    if name == "exempt":
        _fee(bench, unit_amount=6, price_scope="account", scope_code=code)
        bench.add("exemption", account_code=code, exempt_from="surcharge", exempt_code="fee",
                  certificate="S-1")  # fmt: skip
        bench.add("exemption", account_code=code, exempt_from="tax", jurisdiction=place,
                  certificate="T-1")  # fmt: skip
        for tax, jurisdiction in (("state", f"US/{code}"), ("town", place)):
            bench.add("tax_rate", tax_code=tax, tax_name=tax, percent=10,
                      jurisdiction=jurisdiction)  # fmt: skip


# Name, the surcharge, the total, and what holds the invoice. The others have no tax.
_BY_HAND = (
    ("no rate", None, "1", "no exchange rate from EUR to USD of source {code}"),
    ("no factor", "0", "10",
     "no factor of fund {code} is in force on the first day of the month"),
    ("plan", "5", "15", None),
    ("inner", "2", "12", None),
    ("exempt", "0", "11", None),
    ("discount", None, "9", None),
    ("nowhere", None, "10", "the account has no tax jurisdiction"),
)  # fmt: skip


@pytest.fixture(scope="module")
def invoices(
    make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Results, list[Account], dict[str, str]]:
    """All accounts in one dry run: the invoices, the random ones, and codes of the others."""
    rng = random.Random(20260901)
    url, folder = make_database(), tmp_path_factory.mktemp("money")
    with contextlib.closing(connect(url=url)) as connection:
        with connection, connection.cursor() as cursor:
            world = World(Catalogue(cursor), [])
        world.months.add(SOME_MONTH)

        def bench(number: int) -> Bench:
            return Bench(world, Case(f"R{number}", "", "", {}, {}), number)

        accounts = [_make(bench(number), rng) for number in range(1, _ACCOUNTS + 1)]
        codes = {}
        for number, (name, *_) in enumerate(_BY_HAND, start=901):
            _make_by_hand(bench(number), name)
            codes[name] = bench(number).code
        for kind, path in world.write_reference(folder):
            load_reference(connection, kind, path)
        return rate_world(connection, dry_models(url), world, folder), accounts, codes


def test_random_invoices_agree_with_the_oracle(
    invoices: tuple[Results, list[Account], dict[str, str]],
) -> None:
    results, accounts, _ = invoices
    for account in accounts:
        assert _found(results, account) == _expected(account), account


@pytest.mark.parametrize(("name", "fee", "total", "hold"), _BY_HAND)
def test_what_is_missing_holds_the_invoice_and_the_nearest_row_counts(
    invoices: tuple[Results, list[Account], dict[str, str]],
    name: str,
    fee: str | None,
    total: str,
    hold: str | None,
) -> None:
    results, _, codes = invoices
    code = codes[name]
    fees = [
        line["line_amount"]
        for line in results.lines(SOME_MONTH, code)
        if line["line_kind"] == "surcharge"
    ]
    assert fees == ([] if fee is None else [Decimal(fee)])
    invoice = results.invoice(SOME_MONTH, code)
    assert invoice["invoice_total"] == Decimal(total)
    assert invoice["hold_reason"] == (hold and hold.format(code=code))
