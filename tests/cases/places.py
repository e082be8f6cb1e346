"""Where calls come from and go to: jurisdiction and class of number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from loaders.reference.table_file import open_table
from tests.cases.book import Given, NotSupported
from tests.cases.results import Ask, Results, amount, fact, needs
from tests.cases.world import Bench

_NANP = {"number_plan": "nanp", "classify_mode": "npanxx"}
# Columns in which models may put the class of a number, finest first.
_CLASSES = ("number_class", "called_number_detail", "called_class")
# Classes that lie together in one word until the fine ones exist.
_COARSE = {None, "domestic", "unknown", "n11", "other"}
# Policies of cases and the settings they stand for: kind, column, value.
_POLICIES = {
    "indeterminate": None,
    "indeterminate_as_intrastate": ("plan", "indeterminate_rule", "intrastate"),
}


def jurisdictional_call(bench: Bench, given: Given) -> dict[str, Ask]:
    """A call on a deck with a price for each jurisdiction."""
    bench.world.needs_places(given.get("npanxx_table"))
    called = str(given["to"])
    deck = bench.world.real_deck(given["deck"], called)
    settings: dict[str, Any] = {}
    if "policy" in given:
        policy = given["policy"]
        if policy not in _POLICIES:
            raise NotSupported(f"needs the policy {policy}")
        if (setting := _POLICIES[policy]) is not None:
            settings[setting[1]] = setting[2]
    bench.service(
        bench.plan(
            deck, rounding_decimals=given.get("dp"), rounding_mode=given.get("mode"), **settings
        )
    )
    record = bench.usage(
        {
            "calling_number": given["from"], "called_number": called,
            "duration": given["duration_s"],
        },
        **_NANP,
    )  # fmt: skip
    return {
        "from_state": fact(record, "calling_state"),
        "to_state": fact(record, "called_state"),
        "jurisdiction": fact(record, "jurisdiction"),
        "rate_per_min": fact(record, "retail_price_per_minute"),
        "billed_s": fact(record, "retail_billed_seconds"),
        "charge": amount(record),
    }


def jurisdiction_of_prefixes(bench: Bench, given: Given) -> dict[str, Ask]:
    """A call between two areas, on a number of each."""
    bench.world.needs_places()
    calling, called = str(given["from_prefix"]), str(given["to_prefix"])
    settings = {}
    if not calling.startswith("1"):
        # The matrix of a wholesale carrier, which does not take foreign callers as international.
        settings["foreign_origin_rule"] = "indeterminate"
    deck = bench.deck()
    bench.rate(deck, called[:1], price_per_minute="1")
    bench.service(bench.plan(deck, **settings))
    record = bench.usage(
        {
            "calling_number": "+" + _number(bench, calling),
            "called_number": "+" + _number(bench, called),
            "duration": 60,
        },
        **_NANP,
    )
    return {"jurisdiction": fact(record, "jurisdiction")}


def number_class(bench: Bench, given: Given) -> dict[str, Ask]:
    """The class of a number as dialled."""
    bench.world.needs_places()
    deck = bench.deck()
    bench.rate(deck, "1", price_per_minute="1")
    bench.service(bench.plan(deck))
    record = bench.usage(
        {
            "calling_number": "+12122925550", "called_number": given["dialled"], "duration": 60,
        },
        **_NANP,
    )  # fmt: skip

    def found(results: Results) -> Any:
        leg = results.leg(record)
        column = next(name for name in _CLASSES if name in leg)
        if column == "called_class" and leg[column] in _COARSE:
            raise NotSupported("needs the number classes of classification in full")
        return leg[column]

    return {"class": found}


def charged_party(bench: Bench, given: Given) -> dict[str, Ask]:
    """A call to a customer who pays for it."""
    if given["customer"] != "called":
        raise NotSupported(f"needs a meaning for customer {given['customer']}")
    bench.world.needs_places()
    calling = _number(bench, str(given["from"]))
    deck = bench.deck()
    bench.rate(deck, "1", price_per_minute="1")
    bench.service(bench.plan(deck, inbound_deck_code=deck))
    record = bench.usage(
        {
            "calling_number": "+" + calling, "called_number": f"+{given['to']}", "duration": 60,
            "direction": "inbound",
        },
        **_NANP,
    )  # fmt: skip

    def rated_on(results: Results) -> str:
        leg = results.leg(record)
        ends = {leg["calling_number"]: "from", leg["called_number"]: "to"}
        return ends.get(leg["rated_number"], f"({leg['state']}: {leg['reason']})")

    def party(results: Results) -> str:
        leg = results.leg(record)
        if leg["service_code"] != bench.code:
            return "nobody"
        return "called" if leg["direction"] == "inbound" else "calling"

    return {"rated_on": rated_on, "charged_party": party}


def unreadable_origin(bench: Bench, given: Given) -> dict[str, Ask]:
    """A caller ID that is no number, under a carrier's own policy."""
    raise NotSupported("needs a plan setting for callers without a place")


def toll_free_origin(bench: Bench, given: Given) -> dict[str, Ask]:
    """Jurisdiction of an inbound toll-free call by the place of its customer."""
    raise NotSupported("needs the state of the customer for inbound toll-free calls")


def usf_class(bench: Bench, given: Given) -> dict[str, Ask]:
    """The regulatory class of a fee by the type of call."""
    return {"usf_class": needs("USF classes")} if given["call_type"] else {}


def _number(bench: Bench, prefix: str) -> str:
    """A whole number that starts so, in an exchange that exists where the area decides."""
    if prefix.startswith("1") and len(prefix) == 4:
        prefix = "1" + _exchange(bench, prefix[1:])
    return prefix.ljust(11 if prefix.startswith("1") else 12, "0")


def _exchange(bench: Bench, npa: str) -> str:
    for state, npanxx in _exchanges(bench):
        if npanxx.startswith(npa) and state:
            return npanxx
    raise NotSupported(f"needs an exchange of area code {npa} in the CO code report")


def _exchanges(bench: Bench) -> Iterator[tuple[str, str]]:
    with open_table("npanxx", bench.world.reports["npanxx"]) as table:
        npanxx, state = table.columns.index("npanxx"), table.columns.index("state_code")
        service = table.columns.index("is_in_service")
        for _, row in table.rows:
            if row[service].lower() in ("true", "t", "yes"):
                yield row[state], row[npanxx]
