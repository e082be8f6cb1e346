"""From the shape of a case to the translator that writes it down as reference data and records."""

from __future__ import annotations

from collections.abc import Callable

from tests.cases import (
    allowances,
    calls,
    charges,
    invoices,
    money,
    places,
    prefixes,
    prices,
    proration,
    tiers,
    usf,
    volumes,
)
from tests.cases.book import Case, Given, NotSupported
from tests.cases.results import Ask
from tests.cases.world import Bench

Translator = Callable[[Bench, Given], dict[str, Ask]]

# Inputs by which a case is known, and its translator; the first that fits. An empty set: any case
# of these areas.
_RULES: tuple[tuple[frozenset[str], frozenset[str], Translator], ...] = tuple(
    (frozenset(areas.split()), frozenset(inputs.split()), translator)
    for areas, inputs, translator in (
        ("", "deck destination", prefixes.lookup),
        ("prefix", "customer", prefixes.unknown_customer),
        ("", "deck from to", places.jurisdictional_call),
        ("jurisdiction", "from_prefix to_prefix", places.jurisdiction_of_prefixes),
        ("jurisdiction", "from", places.unreadable_origin),
        ("jurisdiction", "from_state customer_state", places.toll_free_origin),
        ("", "call_type", usf.class_of_fee),
        ("usf", "safe_harbour_pct", usf.safe_harbour),
        ("usf", "projected_revenue_bn revenue_requirement_bn", usf.contribution_base),
        ("usf", "", usf.actual_jurisdiction),
        ("classification", "dialled", places.number_class),
        ("", "to from customer", places.charged_party),
        ("", "buy_rate sell_rate", calls.two_sides),
        ("", "amount mode dp", charges.rounded_amount),
        ("allowance", "minutes inbound_rate forward_rate", calls.both_legs),
        ("allowance", "remaining_allowance_min billed_min rate_per_min",
         allowances.straddling_call),
        ("allowance", "included used", allowances.bundle),
        ("allowance", "plan used", allowances.bundle),
        ("allowance", "minutes multiplier", allowances.weighted),
        ("allowance", "fee included_value_prorated days", allowances.part_of_first_period),
        ("allowance", "fee included_min used_min overage_per_min", invoices.flat_fee),
        ("allowance", "users fee", invoices.users),
        ("", "one_off", charges.one_off),
        ("", "cost fixed_price", charges.fixed_price),
        ("", "cost markup_pct", charges.markup),
        ("", "monthly_fee from to_inclusive", proration.inclusive_days),
        ("", "amount_cents from to_inclusive", proration.inclusive_days),
        ("", "unit_price days days_in_period", proration.part_of_period),
        ("", "monthly_fee days method", proration.daily_rate),
        ("", "monthly_fee period cancelled", proration.unused_rest),
        ("", "annual_fee months", proration.recognised_by_month),
        ("proration", "start_local trial_days tz", proration.first_paid_day),
        ("proration", "start", proration.parts_of_periods),
        ("proration", "last_billed end_exclusive", proration.parts_of_periods),
        ("time_bands", "units steps", volumes.first_block),
        ("", "quantity tiers", tiers.tiers),
        ("", "quantity package_size package_price", tiers.packages),
        ("commitment", "quantity unit_price", tiers.one_price),
        ("commitment", "used_cents", tiers.spent),
        ("data_sms", "price_per_message messages", volumes.messages),
        ("", "chars encoding", prices.segments),
        ("", "upstream_price", prices.pre_rated),
        ("", "supplier_price", prices.pre_rated),
        ("", "events rate_pct", prices.percentage),
        ("data_sms", "units inc price_per_inc", volumes.units_of_data),
        ("data_sms", "kb inc_kb", volumes.kilobytes),
        ("currency_tax", "", money.currency_or_tax),
        ("increments rounding fees time_bands", "", calls.call),
    )
)

# What whole areas wait for, where no translator knows the shape.
_WAITING = {
    "allowance": "period rating: allowances",
    "tiers": "period rating: volume tiers",
    "commitment": "period rating: commitments and caps",
    "data_sms": "more ways to price messages and data",
    "proration": "more ways to prorate",
    "sdr_price": "more ways to price a charge",
}


def translate(case: Case, bench: Bench) -> dict[str, Ask]:
    """Write the case down; the answers to ask for, by the keys of what is expected."""
    given = Given(case.inputs)
    for areas, inputs, translator in _RULES:
        if inputs <= given.keys() and (not areas or case.area in areas):
            asks = translator(bench, given)
            if given.unread():
                raise NotSupported(f"needs a meaning for the input {', '.join(given.unread())}")
            return asks
    if case.area in _WAITING:
        raise NotSupported(f"needs {_WAITING[case.area]}")
    raise NotSupported(f"needs a translation of the inputs {', '.join(case.inputs) or '(none)'}")
