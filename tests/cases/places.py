"""Where calls come from and go to: jurisdiction and class of number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from loaders.reference.table_file import open_table
from tests.cases.book import Given, NotSupported
from tests.cases.results import Ask, Results, amount, fact
from tests.cases.world import Bench

_NANP = {"number_plan": "nanp", "classify_mode": "npanxx"}
# Policies of cases and the settings of a deck they stand for.
_POLICIES = {
    "indeterminate": {"indeterminate_policy": "own"},
    "indeterminate_as_intrastate": {"indeterminate_policy": "intrastate"},
    "indeterminate_as_interstate": {"indeterminate_policy": "interstate"},
    "indeterminate_as_highest": {"indeterminate_policy": "highest"},
    "highest": {"indeterminate_policy": "highest"},
    "canada_as_interstate": {"canada_policy": "interstate"},
    "canada_as_indeterminate": {"canada_policy": "indeterminate"},
    "territory_as_indeterminate": {"territory_policy": "indeterminate"},
}


def jurisdictional_call(bench: Bench, given: Given) -> dict[str, Ask]:
    """A call on a deck with a price for each jurisdiction."""
    bench.world.needs_places(given.get("npanxx_table"))
    called = str(given["to"])
    settings: dict[str, str] = {}
    if "policy" in given:
        policy = given["policy"]
        if policy not in _POLICIES:
            raise NotSupported(f"needs the policy {policy}")
        settings = _POLICIES[policy]
    deck = bench.world.real_deck(bench.case.id, given["deck"], called, **settings)
    bench.service(
        bench.plan(deck, rounding_decimals=given.get("dp"), rounding_mode=given.get("mode"))
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
        # As the deck reads it: its policy decides where the record leaves it open.
        "jurisdiction": fact(record, "retail_jurisdiction"),
        "rate_per_min": fact(record, "retail_price_per_minute"),
        "billed_s": fact(record, "retail_billed_seconds"),
        "charge": amount(record),
    }


def jurisdiction_of_prefixes(bench: Bench, given: Given) -> dict[str, Ask]:
    """A call between two areas, on a number of each."""
    bench.world.needs_places()
    calling, called = str(given["from_prefix"]), str(given["to_prefix"])
    # The matrix of a wholesale carrier, which does not take foreign callers as international.
    deck = bench.deck(is_jurisdictional=True, foreign_origin_policy="indeterminate")
    bench.rate(deck, called[:1], price_per_minute="1")
    bench.service(bench.plan(deck))
    record = bench.usage(
        {
            "calling_number": "+" + _number(bench, calling),
            "called_number": "+" + _number(bench, called),
            "duration": 60,
        },
        **_NANP,
    )
    return {"jurisdiction": fact(record, "retail_jurisdiction")}


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
        # With 101XXXX in front the class is of the whole of what was dialled.
        return "carrier_access_code" if leg["carrier_access_code"] else leg["number_class"]

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
    """A caller ID that is no number, for a carrier that takes such calls as intrastate."""
    bench.world.needs_places()
    deck = bench.deck(is_jurisdictional=True, indeterminate_policy="intrastate")
    bench.rate(deck, "1", price_per_minute="1")
    bench.service(bench.plan(deck))
    record = bench.usage(
        {
            "calling_number": given["from"], "called_number": "+" + _number(bench, "1212"),
            "duration": 60,
        },
        **_NANP,
    )  # fmt: skip
    return {"jurisdiction": fact(record, "retail_jurisdiction")}


def toll_free_origin(bench: Bench, given: Given) -> dict[str, Ask]:
    """An inbound toll-free call from a state to a customer in another."""
    if given["to"] != "toll_free":
        raise NotSupported(f"needs a meaning for a call to {given['to']}")
    bench.world.needs_places()
    deck = bench.deck()
    bench.rate(deck, "1", price_per_minute="1")
    bench.service(
        bench.plan(deck, inbound_deck_code=deck), service={"state_code": given["customer_state"]}
    )
    record = bench.usage(
        {
            "calling_number": "+1" + _exchange(bench, state=given["from_state"]) + "0000",
            "called_number": "+18005551234", "duration": 60, "direction": "inbound",
        },
        **_NANP,
    )  # fmt: skip

    def kind(results: Results) -> str:
        leg = results.leg(record)
        words = (leg["direction"], leg["called_class"], leg["jurisdiction"])
        return " ".join(str(word) for word in words).replace("_", "-")

    return {"type": kind}


def _number(bench: Bench, prefix: str) -> str:
    """A whole number that starts so, in an exchange that exists where the area decides."""
    if prefix.startswith("1") and len(prefix) == 4:
        prefix = "1" + _exchange(bench, prefix[1:])
    return prefix.ljust(11 if prefix.startswith("1") else 12, "0")


def _exchange(bench: Bench, npa: str = "", state: str = "") -> str:
    for place, npanxx in _exchanges(bench):
        if npanxx.startswith(npa) and state in ("", place):
            return npanxx
    where = f"area code {npa}" if npa else state
    raise NotSupported(f"needs an exchange of {where} in the CO code report")


def _exchanges(bench: Bench) -> Iterator[tuple[str, str]]:
    with open_table("npanxx", bench.world.reports["npanxx"]) as table:
        npanxx, state = table.columns.index("npanxx"), table.columns.index("state_code")
        service = table.columns.index("is_in_service")
        for _, row in table.rows:
            if row[service].lower() in ("true", "t", "yes"):
                yield row[state], row[npanxx]
