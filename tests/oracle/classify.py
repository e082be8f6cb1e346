"""Place, class and jurisdiction: rules section 6."""

import datetime as dt
from dataclasses import dataclass

from tests.oracle.numbers import Number
from tests.oracle.reference import Reference, truth


@dataclass(frozen=True)
class Place:
    """What the numbering tables say about an E.164 number."""

    called_class: str
    state: str | None
    is_outside_us: bool


def place_of(number: Number, reference: Reference, at: dt.datetime) -> Place:
    """Classify a number at an instant; the state only where both rows are in service."""
    if number.number_class == "n11":
        return Place("n11", None, False)
    if number.e164 is None:
        return Place("other", None, False)
    digits = number.e164
    if digits[0] != "1":
        return Place("international", None, True)
    area = reference.area_code(digits[1:4], at)
    if area is None or not truth(area.get("is_in_service")):
        return Place("unknown", None, False)
    service = area.get("service", "")
    country = area.get("country", "")
    if service == "Toll-Free":
        return Place("toll_free", None, False)
    foreign = country not in ("US", "")
    state = None
    geographic = area["usage_class"] == "geographic"
    if geographic and country == "US":
        exchange = reference.exchange(digits[1:7], at)
        if exchange is not None and truth(exchange.get("is_in_service")):
            state = exchange["state_code"]
    if digits[1:4] == "900" or digits[4:7] == "976":
        return Place("premium", state, foreign)
    if foreign:
        return Place("international", None, True)
    return Place("domestic" if geographic else "other", state, False)


def jurisdiction_of(calling: Place | None, called: Place) -> str:
    """Compare both ends."""
    if called.called_class == "international":
        return "international"
    if called.called_class == "domestic":
        if calling is not None and calling.is_outside_us:
            return "international"
        if calling is not None and calling.state and called.state:
            return "intrastate" if calling.state == called.state else "interstate"
    return "indeterminate"


def charge_class_of(direction: str, called_class: str, jurisdiction: str | None) -> str:
    """The class under which the leg appears on the invoice."""
    if direction == "inbound":
        return "inbound"
    named = {"toll_free": "toll_free", "premium": "premium", "n11": "directory"}
    return named.get(called_class) or jurisdiction or "indeterminate"
