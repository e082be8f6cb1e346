"""Place, class and jurisdiction: rules section 6."""

import csv
import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

from tests.oracle.numbers import Number
from tests.oracle.reference import Reference, Row, truth

_WORDS = Path(__file__).resolve().parents[2] / "seeds" / "class_words.csv"
_TERRITORIES = {"PR", "VI", "GU", "AS", "NN"}
_SHORT = {
    "211": "n11_community", "311": "n11_government", "411": "n11_directory_assistance",
    "511": "n11_traffic", "611": "n11_repair", "711": "n11_relay", "811": "n11_dig_line",
    "988": "n11_crisis_line",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """What the numbering tables say about a number."""

    called_class: str
    state: str | None
    is_outside_us: bool
    number_class: str | None = None
    lata: str | None = None
    # State and rate centre.
    centre: tuple[str, str] | None = None
    # The class of its area code alone.
    area_class: str | None = None


def special_class(called: Number, calling: Number) -> str | None:
    """The class of what is no number of an area."""
    by_class = {"invalid": "invalid", "scientific": "invalid"}
    if called.number_class in ("n11", "emergency"):
        return _SHORT.get(called.dialled or "", "n11_emergency")
    if called.number_class == "service_code":
        return "carrier_access_code" if called.carrier_code else "vertical_service"
    if called.number_class == "extension":
        if called.dialling in ("local_operator", "long_distance_operator"):
            return "operator"
        if called.dialling == "vertical_service" and calling.number_class == "e164":
            return "vertical_service"
        return "extension"
    return by_class.get(called.number_class)


def place_of(
    number: Number, reference: Reference, at: dt.datetime, *, by_area_code: bool = False
) -> Place:
    """Classify a number at an instant; the state only where both rows are in service."""
    if number.number_class == "n11":
        return Place("n11", None, False)
    if number.e164 is None:
        return Place("other", None, False)
    digits = number.e164
    if digits[0] != "1":
        return Place("international", None, True, "international")
    exchange = reference.exchange(digits[1:7], at)
    lata = reference.lata(digits[1:7], at)
    if exchange is not None and not truth(exchange.get("is_in_service")):
        exchange = None
    centre = None
    if exchange is not None and exchange.get("rate_centre"):
        centre = (exchange["state_code"].upper(), exchange["rate_centre"].upper())
    area = reference.area_code(digits[1:4], at)
    if area is None or not truth(area.get("is_in_service")):
        return Place("unknown", None, False, "unassigned", lata, centre)
    number_class = _area_class(area)
    state = None
    foreign = area.get("country", "") not in ("US", "")
    in_us = number_class in ("us_geographic", "us_territory")
    if in_us and exchange is not None:
        state = exchange["state_code"]
    elif in_us and by_area_code:
        state = _state(area) if re.fullmatch("[A-Z]{2}", _state(area)) else None
    if number_class == "toll_free":
        called_class, foreign = "toll_free", False
    elif number_class == "premium" or (in_us and digits[4:7] == "976"):
        called_class = "premium"
    elif foreign:
        called_class = "international"
    else:
        called_class = "domestic" if in_us else "other"
    area_class = number_class
    if in_us and called_class == "premium":
        number_class = "premium"
    if digits[4:] == "5551212" and (in_us or number_class == "canada"):
        number_class = "directory_assistance"
    return Place(called_class, state, foreign, number_class, lata, centre, area_class)


def _state(area: Row) -> str:
    location = area.get("location", "")
    return "NN" if location in ("CNMI", "MP") else location


def _area_class(area: Row) -> str:
    service = area.get("service", "").lower()
    country = area.get("country", "")
    geographic = area["usage_class"] == "geographic"
    if re.match("toll.*free", service):
        return "toll_free"
    if service.startswith("premium"):
        return "premium"
    if country not in ("US", ""):
        if country.upper() != "CANADA":
            return "international"
        return "canada" if geographic else "canada_non_geographic"
    if geographic and country == "US":
        return "us_territory" if _state(area) in _TERRITORIES else "us_geographic"
    if "government" in service:
        return "us_government"
    return "carrier_specific" if service.startswith("interexchange") else "personal"


def stated_jurisdiction(word: str) -> str | None:
    """What a record of a pre-classified source says, where its word is known."""
    with _WORDS.open(encoding="utf-8", newline="") as stream:
        words = {row["word"]: row["jurisdiction"] for row in csv.DictReader(stream)}
    return words.get(word.strip(" ").lower())


def jurisdiction_of(calling: Place | None, called: Place, service_state: str | None = None) -> str:
    """Compare both ends; a toll-free number called inbound ends where the service is."""
    if called.called_class == "international":
        return "international"
    end = called.state or service_state
    if called.called_class == "domestic" or service_state:
        if calling is not None and calling.is_outside_us:
            return "international"
        if calling is not None and calling.state and end:
            return "intrastate" if calling.state == end else "interstate"
    return "indeterminate"


def basis_of(calling: Place | None, called: Place, service_state: str | None) -> str | None:
    """The calls that decks read differently."""
    canadian = ("canada", "canada_non_geographic")
    origin = calling.area_class if calling else None
    if called.number_class in canadian and origin in ("us_geographic", "us_territory"):
        return "canada"
    if called.called_class != "domestic" and not service_state:
        return None
    if origin in canadian:
        return "canada"
    if calling and calling.is_outside_us:
        return "foreign_origin"
    places = {origin, called.number_class}
    end = called.state or service_state
    return "territory" if "us_territory" in places or end in _TERRITORIES else None


def charge_class_of(
    direction: str,
    called: Place,
    jurisdiction: str | None,
    is_operator: bool,
) -> str:
    """The class under which the leg appears on the invoice."""
    if direction == "inbound":
        return "inbound"
    if is_operator:
        return "operator"
    if called.number_class == "directory_assistance":
        return "directory"
    named = {"toll_free": "toll_free", "premium": "premium", "n11": "directory"}
    return named.get(called.called_class) or jurisdiction or "indeterminate"


@dataclass(frozen=True)
class Call:
    """What a deck has to know of a call to find its row."""

    jurisdiction: str | None
    basis: str | None = None
    lrn_jurisdiction: str | None = None
    lrn: str | None = None
    # The number that a location routing number may replace.
    domestic_number: str | None = None
    is_operator: bool = False
    centres: tuple[tuple[str, str], tuple[str, str]] | None = None
    has_centres: bool = False

    def is_local(self, reference: Reference, deck: Row, at: dt.datetime) -> bool:
        area = deck.get("calling_area_code")
        if not area or self.centres is None:
            return False
        return reference.is_local(area, *self.centres, at)

    def jurisdiction_by(self, reference: Reference, deck: Row, at: dt.datetime) -> str | None:
        """What the warehouse says of the deck's reading: null where the deck does not ask."""
        if not truth(deck.get("is_jurisdictional")):
            return None
        word = self.read_by(reference, deck, None, at)[2]
        return {"dearest": "indeterminate", "any": None}.get(word, word)

    def read_by(
        self, reference: Reference, deck: Row, digits: str | None, at: dt.datetime
    ) -> tuple[Row | None, str | None, str]:
        """The deck to look in, the number and the jurisdiction to look for."""
        policy = deck.get("lrn_policy", "ignore")
        if self.lrn and digits == self.domestic_number and policy in ("rate", "both"):
            digits = self.lrn
        if self.is_operator:
            code = deck.get("operator_deck_code")
            return (reference.deck(code, at) if code else None), digits, "any"
        if deck.get("local_deck_code") and self.is_local(reference, deck, at):
            return reference.deck(deck["local_deck_code"], at), digits, "any"
        word = self.jurisdiction
        if policy in ("jurisdiction", "both"):
            word = self.lrn_jurisdiction
        if self.basis == "canada":
            word = deck.get("canada_policy", "international")
        elif self.basis == "foreign_origin":
            word = deck.get("foreign_origin_policy", "international")
        elif self.basis == "territory" and deck.get("territory_policy") == "indeterminate":
            word = "indeterminate"
        if word in (None, "indeterminate"):
            word = {"own": "indeterminate", "highest": "dearest"}.get(
                indeterminate := deck.get("indeterminate_policy", "own"), indeterminate
            )
        return deck, digits, word
