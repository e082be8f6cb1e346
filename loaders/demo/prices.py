"""Plans, rate decks and charge tariffs of the demo. Every price is invented."""

from collections.abc import Iterator
from dataclasses import dataclass

from loaders.demo.month import Month
from loaders.demo.numbering import (
    BLOCKED_PREFIX,
    CANADA,
    CARIBBEAN,
    COUNTRIES,
    EXTRACT_STATES,
    TOLL_FREE,
    exchanges_of,
    extract_area_codes,
)
from loaders.demo.text import words

PLANS = (
    # code, name, deck, inbound deck, default, duration rounding, base, level, decimals, mode
    (
        "RETAIL-STD",
        "Standard voice",
        "RETAIL-US",
        "",
        "true",
        "up",
        "after_minimum",
        "call",
        "4",
        "half_up",
    ),
    (
        "BUSINESS-60",
        "Business by the minute",
        "RETAIL-BUS",
        "",
        "false",
        "up",
        "whole_duration",
        "call",
        "2",
        "half_up",
    ),
    (
        "TOLLFREE-PLUS",
        "Voice with toll-free answering",
        "RETAIL-US",
        "INBOUND-TF",
        "false",
        "half_up",
        "after_minimum",
        "call",
        "4",
        "half_even",
    ),
    (
        "WORLD-SAVER",
        "World saver",
        "RETAIL-BUS",
        "",
        "false",
        "half_down",
        "after_minimum",
        "invoice",
        "6",
        "half_up",
    ),
    (
        "WHOLESALE-LINE",
        "Wholesale minutes",
        "WHOLESALE-US",
        "",
        "false",
        "up",
        "after_minimum",
        "line",
        "2",
        "half_up",
    ),
)
PLAN_COLUMNS = words(
    "plan_code plan_name deck_code inbound_deck_code is_default duration_rounding increment_base "
    "rounding_level rounding_decimals rounding_mode"
)

DECKS = (
    # code, name, side, carrier, jurisdictional, minimum, increment, decimals, mode
    ("RETAIL-US", "Retail, jurisdictional", "retail", "", "true", "6", "6", "4", "half_up"),
    ("RETAIL-BUS", "Retail, business", "retail", "", "false", "60", "1", "4", "half_up"),
    ("WHOLESALE-US", "Wholesale selling list", "retail", "", "true", "1", "1", "6", "half_up"),
    ("INBOUND-TF", "Toll-free answering", "retail", "", "false", "30", "6", "4", "half_up"),
    ("COST-ALPHA", "Alpha Carrier cost", "wholesale", "ALPHA", "true", "6", "6", "6", "half_up"),
    ("COST-BETA", "Beta Carrier cost", "wholesale", "BETA", "false", "1", "1", "5", "up"),
)
DECK_COLUMNS = words(
    "deck_code deck_name side carrier_code is_jurisdictional minimum_seconds increment_seconds "
    "rounding_decimals rounding_mode"
)

_JURISDICTIONS = ("interstate", "intrastate", "indeterminate")
_WITH_CONNECTION_FEE = {"20", "53", "234", "509", "971", "850", "7"}
_WHOLE_MINUTES = {"52", "502", "503", "504"}
_CHANGED_MID_MONTH = {"44", "4477", "52", "91", "9198"}
_CLOSED = "3247"


@dataclass(frozen=True)
class DeckShape:
    """What makes one deck differ from another."""

    code: str
    factor: int  # per cent of the base price
    us: tuple[str, str, str] | None  # interstate, intrastate, indeterminate per minute
    us_flat: str
    exchange_step: int  # every n-th exchange has its own rows; 0: none
    left_out: frozenset[str]


_SHAPES = (
    DeckShape("RETAIL-US", 100, ("0.0290", "0.0345", "0.0390"), "", 4, frozenset()),
    DeckShape("RETAIL-BUS", 85, None, "0.019", 0, frozenset({"53", "509"})),
    DeckShape("WHOLESALE-US", 62, ("0.00815", "0.01240", "0.01530"), "", 3, frozenset({"53"})),
    DeckShape("COST-ALPHA", 48, ("0.00421", "0.00873", "0.01015"), "", 3, frozenset({"7", "380"})),
    DeckShape("COST-BETA", 51, None, "0.00612", 0, frozenset({"20"})),
)


def _price(tenths_of_cents: int, factor: int) -> str:
    """Price per minute: tenths of a cent times a percentage, exactly, as text."""
    scaled = tenths_of_cents * factor
    return f"{scaled // 100000}.{scaled % 100000:05d}"


def rate_rows(month: Month) -> Iterator[dict[str, str]]:
    """Give the rows of rate.csv."""

    def row(
        deck: str,
        prefix: str,
        name: str,
        price: str,
        jurisdiction: str = "any",
        fee: str = "0",
        minimum: str = "",
        increment: str = "",
        status: str = "open",
        valid_from: str = "",
        valid_to: str = "",
    ) -> dict[str, str]:
        return {
            "deck_code": deck,
            "prefix": prefix,
            "jurisdiction": jurisdiction,
            "destination_name": name,
            "status": status,
            "price_per_minute": price,
            "connection_fee": fee,
            "minimum_seconds": minimum,
            "increment_seconds": increment,
            "valid_from": valid_from,
            "valid_to": valid_to,
        }

    for shape in _SHAPES:
        deck = shape.code
        retail = deck.startswith("RETAIL")
        if shape.us:
            for jurisdiction, price in zip(_JURISDICTIONS, shape.us, strict=True):
                yield row(deck, "1", "United States", price, jurisdiction)
        else:
            yield row(deck, "1", "United States", shape.us_flat)
        yield row(deck, "1907", "Alaska", _price(84, shape.factor))
        yield row(deck, "1808", "Hawaii", _price(52, shape.factor))
        yield row(deck, "1787", "Puerto Rico", _price(47, shape.factor))
        if shape.us:
            # At equal prefix the row of the jurisdiction wins over "any".
            yield row(deck, "1212", "New York City", _price(26, shape.factor))
            yield row(deck, "1212", "New York City", _price(31, shape.factor), "intrastate")
        for toll_free in TOLL_FREE:
            yield row(deck, f"1{toll_free}", "Toll-free", "0")
        if deck == "RETAIL-US":
            yield row(deck, "1900", "Premium", "", status="blocked")
        elif retail:
            yield row(deck, "1900", "Premium", "1.99", fee="0.50", minimum="60", increment="60")
        yield row(deck, "1411", "Directory assistance", "0", fee="1.25" if retail else "0.38")
        if shape.exchange_step:
            counter = 0
            for state in EXTRACT_STATES:
                for area_code in extract_area_codes(state):
                    for exchange in exchanges_of(area_code):
                        counter += 1
                        if counter % shape.exchange_step or (retail and counter % 5):
                            continue
                        base = 13 + (area_code * 7 + exchange) % 37
                        for step, jurisdiction in enumerate(_JURISDICTIONS):
                            yield row(
                                deck,
                                f"1{area_code}{exchange}",
                                f"{state} exchange",
                                _price(base + 4 * step, shape.factor),
                                jurisdiction,
                            )
        for codes in CANADA.values():
            for code in codes.split():
                yield row(deck, f"1{code}", "Canada", _price(17, shape.factor))
        for place, codes in CARIBBEAN.items():
            for position, code in enumerate(codes.split()):
                yield row(
                    deck,
                    f"1{code}",
                    place.title(),
                    _price(158 + 11 * position, shape.factor),
                    fee="0.03" if retail else "0",
                    minimum="30",
                    increment="6",
                )
        yield from _international(shape, month, row)
        yield row(deck, BLOCKED_PREFIX[0], BLOCKED_PREFIX[1], "", status="blocked")

    for prefix, price in (("1", "0.0250"), ("1907", "0.0900"), ("1808", "0.0600")):
        yield row("INBOUND-TF", prefix, "United States", price)
    for codes in CANADA.values():
        for code in codes.split():
            yield row("INBOUND-TF", f"1{code}", "Canada", "0.0625", fee="0.01")


def _international(shape: DeckShape, month: Month, row) -> Iterator[dict[str, str]]:
    retail = shape.code.startswith("RETAIL")
    for code, name, fixed, mobile, mobile_prefixes, _ in COUNTRIES:
        if code in shape.left_out:
            continue
        if code in _WHOLE_MINUTES:
            minimum, increment = "60", "60"
        elif not retail:
            minimum, increment = "", ""
        elif len(code) == 3:
            minimum, increment = "30", "6"
        elif fixed % 3 == 0:
            minimum, increment = "60", "1"
        elif fixed % 3 == 1:
            minimum, increment = "45", "60"
        else:
            minimum, increment = "1", "1"
        fee = "0.0500" if retail and code in _WITH_CONNECTION_FEE else "0"
        prefixes = [(code, name, fixed)]
        for position, mobile_prefix in enumerate(mobile_prefixes.split()):
            prefixes.append((code + mobile_prefix, f"{name} mobile", mobile + 3 * position))
        for prefix, destination, base in prefixes:
            price = _price(base, shape.factor)
            common = {"fee": fee, "minimum": minimum, "increment": increment}
            if prefix in _CHANGED_MID_MONTH and retail:
                # A new price from the 15th, 00:00 UTC: two dated rows that meet.
                yield row(
                    shape.code, prefix, destination, price, **common, valid_to=month.instant(15)
                )
                yield row(
                    shape.code,
                    prefix,
                    destination,
                    _price(base + 5, shape.factor),
                    **common,
                    valid_from=month.instant(15),
                )
            elif prefix == _CLOSED and retail:
                # A closed code: from the 10th the shorter code prices the call.
                yield row(
                    shape.code, prefix, destination, price, **common, valid_to=month.instant(10)
                )
            else:
                yield row(shape.code, prefix, destination, price, **common)


CHARGE_TARIFF_COLUMNS = words(
    "charge_tariff_code product_code product_name charge_class price_mode unit_price "
    "markup_percent currency_code proration rounding_decimals rounding_mode valid_from valid_to"
)


def charge_tariff_rows(month: Month) -> Iterator[dict[str, str]]:
    """Give the rows of charge_tariff.csv."""

    def row(*values: str) -> dict[str, str]:
        return dict(zip(CHARGE_TARIFF_COLUMNS, values, strict=True))

    middle = month.instant(15)
    for code in ("ALPHA-RETAIL", "BETA-RETAIL"):
        yield row(
            code,
            "LINE-B",
            "Business line",
            "recurring",
            "list",
            "24.95",
            "",
            "USD",
            "actual_days",
            "2",
            "half_up",
            "",
            "",
        )
        yield row(
            code,
            "DID",
            "Direct number",
            "recurring",
            "list",
            "0.75",
            "",
            "USD",
            "none",
            "2",
            "half_up",
            "",
            middle,
        )
        yield row(
            code,
            "DID",
            "Direct number",
            "recurring",
            "list",
            "0.85",
            "",
            "USD",
            "none",
            "2",
            "half_up",
            middle,
            "",
        )
        yield row(
            code,
            "SIP-TRUNK",
            "SIP trunk",
            "recurring",
            "markup",
            "",
            "17.5",
            "USD",
            "none",
            "2",
            "half_up",
            "",
            "",
        )
        yield row(
            code,
            "FIBER-100",
            "Fiber 100 Mb/s",
            "recurring",
            "list",
            "312.5",
            "",
            "USD",
            "actual_days",
            "2",
            "half_even",
            "",
            "",
        )
        yield row(
            code,
            "INST",
            "Installation",
            "one_off",
            "list",
            "99",
            "",
            "USD",
            "none",
            "2",
            "half_up",
            "",
            "",
        )
        yield row(
            code,
            "EQUIP",
            "Equipment",
            "one_off",
            "pass_through",
            "",
            "",
            "USD",
            "none",
            "2",
            "half_up",
            "",
            "",
        )
        yield row(
            code,
            "CARE4",
            "Care level 4",
            "recurring",
            "included",
            "",
            "",
            "USD",
            "none",
            "2",
            "half_up",
            "",
            "",
        )
        yield row(
            code,
            "TAXPT",
            "Carrier tax",
            "tax",
            "excluded",
            "",
            "",
            "USD",
            "none",
            "2",
            "half_up",
            "",
            "",
        )
