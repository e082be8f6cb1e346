"""Universal service: what contributions are due on."""

from __future__ import annotations

import re

from tests.cases.book import Given, NotSupported
from tests.cases.results import Ask, Results
from tests.cases.world import Bench

_CATEGORIES = {
    "interconnected_voip": "voip_local",
    "voip": "voip_local",
    "paging": "wireless",
    "cellular": "wireless",
    "wireless": "wireless",
    "analog_dispatch": "wireless",
    "dispatch": "wireless",
}
_LINES = re.compile(r"(?P<kind>\w+)_revenue")
_ACTUAL = re.compile(r"(?P<kind>\w+)_revenue_(?P<jurisdiction>[a-z]+)_actual")
_NUMBERS = {"toll_free": "+18005551234", "premium": "+19005551234"}
_JURISDICTIONS = ("intrastate", "interstate", "international")


def safe_harbour(bench: Bench, given: Given) -> dict[str, Ask]:
    """Revenue of lines, divided by a safe harbour."""
    kinds = [match for name in sorted(given.keys()) if (match := _LINES.fullmatch(name))]
    if len(kinds) != 1 or kinds[0]["kind"] not in _CATEGORIES:
        raise NotSupported("needs a revenue category for these inputs")
    bench.add(
        "usf_safe_harbour", harbour_code=bench.code, interstate_percent=given["safe_harbour_pct"]
    )
    month = bench.world.own_month()
    bench.service()
    bench.charge(
        {"net_amount": given[kinds[0].string], "period_from": month},
        price_mode="pass_through", usf_category=_CATEGORIES[kinds[0]["kind"]],
        usf_safe_harbour=bench.code,
    )  # fmt: skip
    return {"assessable": lambda results: results.usf_base(month)["assessable_amount"]}


def actual_jurisdiction(bench: Bench, given: Given) -> dict[str, Ask]:
    """Itemised revenue, by where the calls went."""
    month = bench.world.own_month()
    bench.service()
    for name in sorted(given.keys()):
        match = _ACTUAL.fullmatch(name)
        if match is None or "toll" not in match["kind"]:
            raise NotSupported("needs a revenue category for these inputs")
        bench.charge(
            {"net_amount": given[name], "period_from": month},
            price_mode="pass_through", usf_category="toll",
            usf_jurisdiction=match["jurisdiction"],
        )  # fmt: skip
    return {"assessable": lambda results: results.usf_base(month)["assessable_amount"]}


def contribution_base(bench: Bench, given: Given) -> dict[str, Ask]:
    """The base of a factor, from the figures of the regulator's notice."""
    bench.add(
        "usf_factor", fund_code=bench.code, factor_percent=0,
        projected_revenue=given["projected_revenue_bn"],
        revenue_requirement=given["revenue_requirement_bn"],
        uncollectible_percent=given.get("uncollectible_pct", 1),
    )  # fmt: skip
    bench.world.own_month()

    def column(name: str) -> Ask:
        return lambda results: results.usf_factor(bench.code)[name]

    return {
        "base_bn": column("contribution_base"),
        "factor_pct": column("computed_factor_percent"),
    }


def class_of_fee(bench: Bench, given: Given) -> dict[str, Ask]:
    """The jurisdiction in which a connection fee is reported, by the type of call."""
    kind = given["call_type"]
    if kind not in _NUMBERS:
        raise NotSupported(f"needs a number to call for a {kind} call")
    bench.world.needs_places()
    month = bench.world.own_month()
    deck = bench.deck()
    bench.rate(deck, "1", price_per_minute=given.get("rate_per_min", 0), connection_fee=1)
    bench.service(bench.plan(deck))
    bench.usage(
        {
            "start_time": f"{month}T12:00:00Z", "calling_number": "+12122925550",
            "called_number": _NUMBERS[kind], "duration": 60,
        },
        number_plan="nanp", classify_mode="npanxx",
    )  # fmt: skip

    def found(results: Results) -> str:
        row = results.usf_base(month)
        return " and ".join(name for name in _JURISDICTIONS if row[f"{name}_amount"])

    return {"usf_class": found}
