"""Number classes and jurisdiction: the models and the oracle agree on random calls to numbers of
every kind, under decks that read the same call differently."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.end_to_end.small import Row, source, write_kind
from tests.end_to_end.warehouse import Warehouse
from tests.oracle.compare import report
from tests.oracle.reference import Reference

CALLS = 400  # for each source
COLUMNS = {
    "Ref": "record_id", "Start": "start_time", "From": "calling_number", "To": "called_number",
    "Seconds": "duration", "Way": "direction", "Class": "category", "Routed": "lrn",
    "Customer": "service_key", "Talk": "billable_duration", "Outcome": "disposition",
}  # fmt: skip
FIRST = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
# The files say how far their clocks are from UTC.
CLOCKS = tuple(dt.timezone(dt.timedelta(minutes=minutes)) for minutes in (0, 330, -180))
# A second report, of 15 October: 332 comes into service, 213 555 is taken away.
SPLIT = "2026-10-15"
# On that day this number goes from the first customer to the second.
MOVED = "+12125550100"
_GEOGRAPHIC = {
    "212": ("US", "NY"), "213": ("US", "CA"), "816": ("US", "MO"), "787": ("US", "PR"),
    "670": ("US", "CNMI"), "416": ("CANADA", "ONTARIO"), "876": ("JAMAICA", "JAMAICA"),
}  # fmt: skip
_SERVICES = {
    "800": "Toll-Free", "833": "Toll-Free", "900": "Premium Services",
    "700": "Interexchange Carrier Services", "500": "Non-Geographic Services",
}  # fmt: skip
_EXCHANGES = {
    "212555": ("NY", "NWYRCYZN01"), "212556": ("NY", "NWYRCYZN02"), "213555": ("CA", "LSAN DA 01"),
    "816555": ("MO", "KANSASCITY"), "787555": ("PR", "SAN JUAN"), "670235": ("NN", "SAIPAN"),
    "332555": ("NY", "NWYRCYZN01"), "212976": ("NY", "NWYRCYZN01"),
}  # fmt: skip
_NUMBERS = (
    "0", "00", "411", "211", "811", "911", "988", "1155", "204", "10102880", "1010288",
    "9501234", "5550100", "5565555", "4115555", "*67", "+12115550100", "+11235550100",
    "101028812125550100", "10102882135550100", "101028801144207946", "10102884115551",
    "02125550100", "08005550100", "01442079460999", "0111442079460999", "011442079460999",
    "+12129760100", "+12125551212", "+14165551212", "+17875551212", "+18005550100",
    "+14165550100",
    "+18335550100", "+18225550100", "+19005550100", "+17005550100", "+15005550100",
    "+16005550100", "+17105550100", "+442079460999", "+881612345678", "101555",
)  # fmt: skip
_CALLERS = ("anonymous", "", "+18005550199", "+442079460000", "+18765550100", "NPA-NXX-XXXX", "201")


def _numbering() -> dict[str, list[Row]]:
    areas: list[Row] = [
        {"npa": npa, "country": country, "location": location, "usage_class": "geographic",
         "is_in_service": "true"}
        for npa, (country, location) in _GEOGRAPHIC.items()
    ]  # fmt: skip
    areas += [
        {"npa": npa, "service": service, "usage_class": "non_geographic", "is_in_service": "true",
         "location": "NANP AREA", "valid_to": SPLIT if npa == "500" else ""}
        for npa, service in _SERVICES.items()
    ]  # fmt: skip
    areas += [
        {"npa": "822", "service": "Toll-Free", "usage_class": "non_geographic",
         "is_in_service": "false"},
        {"npa": "710", "service": "US Government", "country": "US",
         "usage_class": "non_geographic", "is_in_service": "true"},
        {"npa": "600", "country": "CANADA", "service": "Canadian Non-Geographic Services",
         "usage_class": "non_geographic", "is_in_service": "true"},
        {"npa": "332", "country": "US", "location": "NY", "usage_class": "geographic",
         "is_in_service": "true", "valid_from": SPLIT},
    ]  # fmt: skip
    return {
        "npa": areas,
        "npanxx": [
            {"npanxx": code, "state_code": state, "rate_centre": centre, "is_in_service": "true",
             "valid_to": SPLIT if code == "213555" else ""}
            for code, (state, centre) in _EXCHANGES.items()
        ],
        "lata": [
            {"npanxx": "212555", "lata": "132"}, {"npanxx": "212556", "lata": "132"},
            {"npanxx": "213555", "lata": "730"},
        ],
        "local_calling_area": [
            {"calling_area_code": "METRO", "from_state": one[0], "from_rate_centre": one[1],
             "to_state": other[0], "to_rate_centre": other[1]}
            for one, other in (
                (("NY", "NWYRCYZN01"), ("NY", "NWYRCYZN02")),
                (("NY", "NWYRCYZN01"), ("CA", "LSAN DA 01")),
                (("MO", "KANSASCITY"), ("MO", "KANSASCITY")),
            )
        ],
    }  # fmt: skip


def _deck(code: str, rng: random.Random) -> Row:
    pick = rng.choice
    return {
        "deck_code": code, "deck_name": code, "side": "retail", "currency_code": "USD",
        "is_jurisdictional": "true",
        "indeterminate_policy": pick(("own", "intrastate", "interstate", "highest")),
        "canada_policy": pick(("international", "interstate", "indeterminate")),
        "foreign_origin_policy": pick(("international", "interstate", "indeterminate")),
        "territory_policy": pick(("state", "indeterminate")),
        "lrn_policy": pick(("ignore", "rate", "jurisdiction", "both")),
        "operator_deck_code": pick(("", "OPERATOR")),
        "calling_area_code": pick(("", "METRO")),
        "local_deck_code": pick(("", "LOCAL")),
    }  # fmt: skip


def _rates(code: str, rng: random.Random) -> list[Row]:
    prefixes = ("1", "1212", "1213555", "1787", "1416", "44", "4420", "1411", "1800", "1900", "8")
    rows: list[Row] = []
    for prefix in prefixes:
        kinds = ("any", "intrastate", "interstate", "indeterminate")
        for jurisdiction in rng.sample(kinds, rng.randint(1, 4)):
            is_blocked = rng.random() < 0.1
            rows.append({
                "deck_code": code, "prefix": prefix, "jurisdiction": jurisdiction,
                "status": "blocked" if is_blocked else "open",
                "price_per_minute": "" if is_blocked else f"{rng.random():.5f}",
            })  # fmt: skip
    return rows


def _special(index: int, seconds: int) -> Row:
    """Some calls are written as a clock shows them, are too long, have a talk time of their own or
    a caller whose number moves to another customer."""
    special: dict[int, Row] = {
        3: {"Seconds": f"{seconds // 60}:00:{seconds % 60:02d}"},
        7: {"Seconds": "700000"},
        9: {"Talk": "0"},
        11: {"Talk": "7"},
        13: {"Seconds": "0", "Outcome": "ANSWERED"},
        17: {"Outcome": "CANCEL"},
        19: {"From": MOVED, "Customer": "", "Way": "outbound"},
        21: {"From": MOVED, "Customer": "", "Way": "outbound"},
    }
    return special.get(index % 40, {})


def _calls(number: int, rng: random.Random) -> list[Row]:
    def telephone() -> str:
        code = rng.choice((*_EXCHANGES, "212777", "332777", "299555"))
        return f"{rng.choice(('', '1', '+1'))}{code}{rng.randrange(10000):04d}"

    def call(index: int) -> Row:
        start = FIRST + dt.timedelta(minutes=rng.randrange(31 * 1440))
        row = {
            "Ref": f"{number}-{index}", "Start": start.astimezone(CLOCKS[index % 3]).isoformat(),
            "From": rng.choice((telephone(), telephone(), rng.choice(_CALLERS))),
            "To": rng.choice((telephone(), rng.choice(_NUMBERS))),
            "Seconds": str(seconds := rng.randint(1, 300)), "Talk": "", "Outcome": "",
            "Way": rng.choice(("outbound", "outbound", "inbound")),
            "Class": rng.choice(("", "Intrastate", "INTERSTATE ", "intl", "local", "foo")),
            "Routed": rng.choice(("", "", "2125550000", "12135550000", "999", "8165550000")),
            "Customer": f"key{number}",
        }  # fmt: skip
        return row | dict(_special(index, seconds))

    return [call(index) for index in range(CALLS)]


def write_classes(folder: Path) -> Path:
    """Six customers, each with decks and a source of its own."""
    rng = random.Random("classes")
    kinds = _numbering()
    kinds |= {name: [] for name in ("deck", "rate", "plan", "account", "service",
                                    "service_identifier", "source")}  # fmt: skip
    for code in ("OPERATOR", "LOCAL"):
        kinds["deck"].append({"deck_code": code, "deck_name": code, "side": "retail",
                              "currency_code": "USD"})  # fmt: skip
        for prefix in ("1", "1000", "1001", "44"):
            kinds["rate"].append(
                {"deck_code": code, "prefix": prefix, "price_per_minute": f"{rng.random():.4f}"}
            )
    modes = ("npanxx", "npa", "pre_classified", "none", "npanxx", "npanxx")
    for number, mode in enumerate(modes):
        for deck in (f"R{number}", f"C{number}"):
            # Whatever the dice say of the others: one deck has a local deck.
            own = {"calling_area_code": "METRO", "local_deck_code": "LOCAL"}
            kinds["deck"].append(dict(_deck(deck, rng)) | (own if deck == "R0" else {}))
            kinds["rate"] += _rates(deck, rng)
        kinds["plan"].append({
            "plan_code": f"P{number}", "plan_name": "P", "deck_code": f"R{number}",
            "inbound_deck_code": f"R{number}",
        })  # fmt: skip
        kinds["account"].append({
            "account_code": f"A{number}", "customer_name": "A", "plan_code": f"P{number}",
            # The last customer leaves, and its service is forgotten.
            "valid_to": "2026-10-25" if number == 5 else "",
        })  # fmt: skip
        kinds["service"].append({
            "service_code": f"S{number}", "account_code": f"A{number}",
            "state_code": ("NY", "", "PR")[number % 3],
        })  # fmt: skip
        kinds["service_identifier"].append({
            "service_code": f"S{number}", "identifier_kind": "account_key",
            "identifier_value": f"key{number}",
        })  # fmt: skip
        kinds["source"].append(source(
            f"calls{number}", "mapped_usage", column_map=json.dumps(COLUMNS),
            classify_mode=mode, cost_deck_code=f"C{number}",
        ))  # fmt: skip
        write_kind(folder / "files" / f"calls{number}", "calls", _calls(number, rng))
    for service, bounds in (("S0", {"valid_to": SPLIT}), ("S1", {"valid_from": SPLIT})):
        kinds["service_identifier"].append({
            "service_code": service, "identifier_kind": "number",
            "identifier_value": MOVED.removeprefix("+"), **bounds,
        })  # fmt: skip
    for kind, rows in kinds.items():
        write_kind(folder / "reference", kind, rows)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where that world is written."""
    return write_classes(tmp_path_factory.mktemp("classes"))


def test_every_class_and_jurisdiction_is_what_the_oracle_says(
    folder: Path, warehouse: Warehouse
) -> None:
    warehouse.load_reference(folder / "reference")
    warehouse.load(folder / "files")
    assert warehouse.rate() is not None
    warehouse.bill(FIRST.date())
    differences = warehouse.differences(folder)
    assert differences == [], report(differences)

    seen: Counter[str] = Counter()
    for column in (
        "number_class", "jurisdiction", "retail_jurisdiction", "cost_jurisdiction", "lata_scope",
        "charge_class", "dialling",
    ):  # fmt: skip
        seen.update(
            f"{column} {value}"
            for (value,) in warehouse.rows(f"select distinct {column} from rating.rated_usage")
        )
    expected = {
        "number_class": (
            "us_geographic us_territory canada canada_non_geographic international toll_free "
            "premium personal carrier_specific us_government directory_assistance unassigned "
            "n11_community n11_directory_assistance n11_dig_line n11_emergency n11_crisis_line "
            "operator operator_assisted carrier_access_code vertical_service invalid extension"
        ),
        "jurisdiction": "intrastate interstate international indeterminate None",
        "retail_jurisdiction": "intrastate interstate international indeterminate None",
        "cost_jurisdiction": "intrastate interstate international indeterminate None",
        "lata_scope": "intralata interlata None",
        "charge_class": "local operator directory premium toll_free inbound interstate",
    }
    missing = [
        f"{column} {value}"
        for column, values in expected.items()
        for value in values.split()
        if f"{column} {value}" not in seen
    ]
    assert not missing, f"no call of the test shows {', '.join(missing)}"
    assert Reference.load(folder / "reference").area_code("332", FIRST) is None
