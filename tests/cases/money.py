"""What stands on an invoice beside prices: other currencies, discounts, surcharges, taxes."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.cases.book import Given, NotSupported
from tests.cases.results import Ask, Results, Row
from tests.cases.world import Bench

_AMOUNTS = re.compile(r"(?:amounts?|calls|lines|charges?|prices?|total)_(?P<currency>[a-z]{3})")
_CURRENCY = re.compile(r"(?:^|_)(aud|cad|chf|eur|gbp|jpy|mxn|nzd|sek|usd)(?:_|$)")
_RATE = re.compile("fx(?:_rate)?(?:_(?P<day>.+))?")
# Words for the day of a rate, and the setting that takes the rate of that day.
_RATE_DATES = {
    "call": "call_date",
    "call_date": "call_date",
    "invoice": "period_end",
    "invoice_date": "period_end",
    "period_end": "period_end",
    "average": "period_average",
    "avg": "period_average",
    "period_average": "period_average",
}
# Answers for which each call is rounded in its own currency, or converted by itself.
_ROUNDED_FIRST = re.compile("round(ed)?_(first|before|then)")
_ONE_BY_ONE = re.compile("(per|each|every)_(call|record|item)")
# Calls are on the day that has a rate of its own; the month ends with another.
_DAY, _NEXT_DAY = "2026-09-15", "2026-09-16"
_PERCENT = Decimal(100)


def currency_or_tax(bench: Bench, given: Given) -> dict[str, Ask]:
    """Amounts of a currency with its rate, or lines of an invoice."""
    names = sorted(given.keys())
    has_rate = any(_RATE.fullmatch(name) for name in names)
    is_foreign = any(_AMOUNTS.fullmatch(name) for name in names)
    return (converted if has_rate and is_foreign else charged)(bench, given)


def converted(bench: Bench, given: Given) -> dict[str, Ask]:
    """Amounts in one currency on an invoice in another."""
    (match,) = [m for name in sorted(given.keys()) if (m := _AMOUNTS.fullmatch(name))]
    amounts = _list(given[match.string])
    source = match["currency"].upper()
    count = int(given.first("count", "calls", default=1))
    decimals, mode = given.first("dp", "decimals", default=2), given.get("mode", "half_up")
    rates = {
        match["day"] or "": given[match.string]
        for name in sorted(given.keys())
        if (match := _RATE.fullmatch(name))
    }
    if rates.keys() - {""} - _RATE_DATES.keys():
        raise NotSupported(f"needs a meaning for the rates {', '.join(rates)}")
    stated = given.get("rate_date", "")
    asks: dict[str, Ask] = {}
    for number, key in enumerate(bench.case.expected):
        suffix = f"-{number}"
        day = max((day for day in rates if day in key), key=len, default=next(iter(rates)))
        found = _CURRENCY.search(key)
        target = given.get("to_currency", found[1].upper() if found else "USD")
        _rate_source(bench, suffix, source, target, rates, day)
        deck = bench.deck(suffix, currency_code=source)
        for place, amount in enumerate(amounts):
            bench.rate(deck, f"44{place:03d}", price_per_call=amount)
        plan = bench.plan(
            deck, suffix,
            rounding_level="call" if _ROUNDED_FIRST.search(key) else "line",
            rounding_decimals=decimals, rounding_mode=mode,
        )  # fmt: skip
        account = bench.service(
            plan, suffix, currency_code=target, exchange_source=bench.code + suffix,
            exchange_date=_RATE_DATES.get(stated or day, "period_end"),
            exchange_decimals=decimals, exchange_rounding_mode=mode,
            exchange_level="record" if _ONE_BY_ONE.search(key) else "line",
        )  # fmt: skip
        for place, _ in enumerate(amounts):
            for _ in range(count):
                bench.usage(
                    {
                        "called_number": f"44{place:03d}7009000", "duration": 60,
                        "service_key": account, "start_time": f"{_DAY}T12:00:00Z",
                    }
                )  # fmt: skip
        asks[key] = _sum(bench, account, lambda line: line["line_kind"] == "usage")
    return asks


def _rate_source(
    bench: Bench, suffix: str, source: str, target: str, rates: dict[str, Any], day: str
) -> None:
    """The rates of an account: of all days, or that of the calls and others around it."""
    pair = {
        "rate_source": bench.code + suffix, "from_currency": source, "to_currency": target,
    }  # fmt: skip
    setting = _RATE_DATES.get(day)
    of_calls = next((rates[name] for name in rates if _RATE_DATES.get(name) == "call_date"), None)
    of_end = next((rates[name] for name in rates if _RATE_DATES.get(name) == "period_end"), None)
    if setting in (None, "period_average") or of_calls is None or of_end is None:
        bench.add("exchange_rate", **pair, rate=rates[day])
        return
    bench.add("exchange_rate", **pair, rate=of_calls, valid_to=_NEXT_DAY)
    bench.add("exchange_rate", **pair, rate=of_end, valid_from=_NEXT_DAY)


def charged(bench: Bench, given: Given) -> dict[str, Ask]:
    """Lines of an invoice, and what is worked out on them."""
    lines = _list(given.first("lines", "charges", "amounts", "charge", "amount"))
    asks: dict[str, Ask] = {}
    levels = {
        key: "line" if re.search("per_line|line_level", key) else "invoice"
        for key in bench.case.expected
    }
    stated = {"per_line": "line", "line": "line"}.get(given.get("level", ""), "invoice")
    names = _Names()
    for level in dict.fromkeys(levels.values()):
        suffix = f"-{level}"
        account = bench.service(None, suffix, tax_jurisdiction=f"US/{bench.code}{suffix}")
        for number, amount in enumerate(lines):
            bench.charge(
                {"net_amount": amount, "service_key": account},
                price_mode="pass_through", rounding_decimals=10,
                charge_class=f"charge{number}",
            )  # fmt: skip
        _discounts(bench, given, account)
        _surcharges(bench, given, account, names)
        _taxes(bench, given, account, level if "line" in levels.values() else stated, names)
        for key in (key for key, own in levels.items() if own == level):
            asks |= _answer(bench, account, key, names)
    return asks


class _Names:
    """Codes of surcharges and taxes by the words that cases have for them."""

    def __init__(self) -> None:
        self.surcharges: list[str] = []
        self.taxes: list[str] = []


def _discounts(bench: Bench, given: Given, account: str) -> None:
    scope = {"price_scope": "account", "scope_code": account, "line_kinds": "usage charge"}
    if "discount_pct" in given:
        bench.add(
            "discount", discount_code="percentage", discount_name="Percentage",
            percent=given["discount_pct"], **scope,
        )  # fmt: skip
    if "discount_amount" in given:
        bench.add(
            "discount", discount_code="amount", discount_name="Amount",
            amount=given["discount_amount"], **scope,
        )  # fmt: skip


def _surcharges(bench: Bench, given: Given, account: str, names: _Names) -> None:
    rounding = {"rounding_decimals": given.get("dp", 2), "rounding_mode": given.get("mode")}
    scope = {"price_scope": "account", "scope_code": account} | {
        name: value for name, value in rounding.items() if value is not None
    }
    found: dict[str, dict[str, Any]] = {}
    if "usf_factor" in given or "usf_factor_pct" in given:
        factor = (
            Decimal(given["usf_factor"]) * _PERCENT
            if "usf_factor" in given
            else Decimal(given["usf_factor_pct"])
        )
        share = Decimal(given.get("usf_interstate_share", 1)) * _PERCENT
        if "safe_harbour_pct" in given:
            share = Decimal(given["safe_harbour_pct"])
        bench.add("usf_factor", fund_code=account, factor_percent=factor)
        found["usf"] = {"charge_rule": "fund", "fund_code": account, "share_percent": share}
    for name in sorted(given.keys()):
        word = name.removesuffix("_pct")
        if word != name and re.search("regulatory|recovery|surcharge|fee", word):
            found[word] = {"charge_rule": "percent", "percent": given[name]}
    for units, prices, rule in (
        (("payphone_calls",), ("payphone_rate", "payphone_fee", "payphone_per_call"), "per_record"),
        (("numbers",), ("lnp_fee", "lnp_rate", "portability_fee", "per_number"), "per_number"),
    ):
        count = given.first(*units)
        price = given.first(*prices)
        if count is None or price is None:
            continue
        word = "payphone" if rule == "per_record" else "portability"
        found[word] = {"charge_rule": rule, "unit_amount": price, "line_kinds": "usage"}
        if rule == "per_record":
            _free_calls(bench, account, int(count))
        else:
            for number in range(int(count)):
                bench.add(
                    "service_identifier", service_code=account, identifier_kind="number",
                    identifier_value=f"1212{bench.code[1:]}{number:04d}",
                )  # fmt: skip
    for word, settings in found.items():
        bench.add("surcharge", surcharge_code=word, surcharge_name=word, **scope, **settings)
    names.surcharges = list(found)


def _free_calls(bench: Bench, account: str, count: int) -> None:
    """Calls that cost nothing themselves."""
    deck = bench.deck(account)
    bench.rate(deck, "44", price_per_call=0)
    bench.plan(deck, account)
    bench.add("service", service_code=f"{account}P", account_code=account,
              plan_code=bench.code + account)  # fmt: skip
    bench.add(
        "service_identifier", service_code=f"{account}P", identifier_kind="account_key",
        identifier_value=f"{account}P",
    )  # fmt: skip
    for _ in range(count):
        bench.usage(
            {"called_number": "447700900000", "duration": 60, "service_key": f"{account}P"}
        )


def _taxes(bench: Bench, given: Given, account: str, level: str, names: _Names) -> None:
    found = {
        name.removesuffix("_pct"): given[name]
        for name in sorted(given.keys())
        if re.search(r"(?:^|_)(tax|vat|gst|pst|qst|hst)(?:\d|_\w+)?_pct$", name)
    }
    listed = given.get("taxes", [])
    for number, tax in enumerate(listed):
        word = str(tax.get("name", f"tax{number + 1}")) if isinstance(tax, dict) else f"tax{number}"
        found[word] = tax["pct"] if isinstance(tax, dict) else tax
    on_surcharges = given.get("tax_on_surcharge", True)
    on_taxes = given.first("tax_on_tax", "compound", default=False)
    inclusive = given.first("tax_inclusive", "inclusive", default=False)
    for order, (word, percent) in enumerate(found.items(), start=1):
        bench.add(
            "tax_rate", tax_code=word, tax_name=word, jurisdiction=f"US/{account}",
            percent=percent, on_surcharges=on_surcharges, on_taxes=on_taxes and order > 1,
            tax_order=order if on_taxes else 1, is_inclusive=inclusive, rounding_level=level,
            rounding_decimals=given.get("dp", 2), rounding_mode=given.get("mode", "half_up"),
        )  # fmt: skip
    if given.get("exempt", False):
        bench.add("exemption", account_code=account, exempt_from="tax", certificate="on file")
    names.taxes = list(found)


def _answer(bench: Bench, account: str, key: str, names: _Names) -> dict[str, Ask]:
    """The answer by its name: a surcharge, a tax, the lines before them, or everything."""

    def lines_of(kind: str, *codes: str) -> Ask:
        return _sum(
            bench, account,
            lambda line: line["line_kind"] == kind
            and (not codes or line["product_code"] in codes)
            # a tax that the prices contain is taken off again
            and "contained in" not in line["description"],
        )  # fmt: skip

    for code in names.surcharges:
        if key in (code, f"{code}_amount", f"{code}_surcharge"):
            return {key: lines_of("surcharge", code)}
    for code in names.taxes:
        if key in (code, f"{code}_amount") and len(names.taxes) > 1:
            return {key: lines_of("tax", code)}
    if key.startswith("surcharge"):
        return {key: lines_of("surcharge")}
    if key.startswith("discount"):
        return {key: _negated(lines_of("discount"))}
    if key.startswith(("net", "subtotal")):
        return {
            key: _sum(bench, account, lambda line: line["line_kind"] in ("charge", "discount"))
        }
    if key.startswith("total"):
        month = bench.invoiced()
        return {key: lambda results: results.invoice(month, account)["invoice_total"]}
    return {key: lines_of("tax")} if key.startswith("tax") else {}


def _sum(bench: Bench, account: str, wanted: Callable[[Row], bool]) -> Ask:
    """Ask for the sum of these lines of the account's invoice."""
    month = bench.invoiced()

    def ask(results: Results) -> Decimal:
        found = [line for line in results.lines(month, account) if wanted(line)]
        if problems := [line["detail"]["problem"] for line in found if _problem(line)]:
            raise LookupError("; ".join(problems))
        return sum((Decimal(line["line_amount"]) for line in found), Decimal(0))

    return ask


def _problem(line: Row) -> bool:
    return bool(line["detail"] and line["detail"].get("problem"))


def _negated(ask: Ask) -> Ask:
    return lambda results: -ask(results)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
