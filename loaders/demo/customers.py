"""Accounts, services and service identifiers of the demo."""

import random
from dataclasses import dataclass, field

from loaders.demo.month import Month
from loaders.demo.numbering import exchanges_of, extract_area_codes
from loaders.demo.text import words

ACCOUNT_COUNT = 120
SERVICE_COUNT = 400
WHOLESALE_ACCOUNTS = 12
LONDON_ACCOUNT = 77
CLOSED_ACCOUNT = 31

_FIRST = words(
    "ACME BOREAL CEDAR DELTA EVERGREEN FALCON GRANITE HARBOR IRONWOOD JUNIPER KEYSTONE LAKESIDE "
    "MERIDIAN NORTHSTAR ORCHARD PIONEER QUARRY REDWOOD SUMMIT TIDEWATER UNITY VALLEY WILLOW YUKON"
)
_SECOND = ("Logistics", "Dental Group", "Hotels", "Law Partners", "Manufacturing")
_WHOLESALE = ("Telecom", "Voice Networks", "SIP Exchange")
_STATES_BY_ZONE = {
    "America/New_York": words("NY FL GA MA NJ PA OH NC VA MI"),
    "America/Chicago": words("IL TX MN MO WI TN LA IA"),
    "America/Denver": words("CO UT AZ NM"),
    "America/Los_Angeles": words("CA WA OR NV"),
    "Europe/London": ["NY"],
}


@dataclass(frozen=True)
class Account:
    """A customer: one row of account.csv."""

    code: str
    name: str
    bill_group: str
    zone: str
    anchor_day: int
    plan_code: str
    home_source: str
    state: str
    weight: float


@dataclass
class Service:
    """A service: one row of service.csv, and what the traffic needs to know about it."""

    code: str
    account: Account
    service_type: str
    plan_code: str
    numbers: list[str] = field(default_factory=list)
    pattern_stem: str = ""
    toll_free: str = ""
    account_key: str = ""
    circuit: str = ""


@dataclass
class Customers:
    """Everything about customers: entities for the generators, rows for the CSV files."""

    accounts: list[Account]
    services: list[Service]
    account_rows: list[dict[str, str]]
    service_rows: list[dict[str, str]]
    identifier_rows: list[dict[str, str]]


def _plan_of(index: int) -> str:
    if index % 9 == 4:
        return ""  # rated by the default plan
    if index % 11 == 5:
        return "TOLLFREE-PLUS"
    if index % 13 == 6:
        return "WORLD-SAVER"
    if index % 3 == 0:
        return "BUSINESS-60"
    return "RETAIL-STD"


def _accounts(rng: random.Random) -> list[Account]:
    accounts = []
    for index in range(ACCOUNT_COUNT):
        wholesale = index >= ACCOUNT_COUNT - WHOLESALE_ACCOUNTS
        first = _FIRST[index % len(_FIRST)]
        second = (_WHOLESALE if wholesale else _SECOND)[index % (3 if wholesale else 5)]
        if index == LONDON_ACCOUNT:
            zone = "Europe/London"
        else:
            zone = (
                "America/New_York",
                "America/Chicago",
                "America/New_York",
                "America/Los_Angeles",
                "America/New_York",
                "America/Chicago",
                "America/Denver",
                "America/Los_Angeles",
            )[index % 8]
        if wholesale:
            home_source = "carrier_alpha"
        elif index == LONDON_ACCOUNT:
            home_source = "freepbx_branch"
        else:
            home_source = "west_pbx" if zone == "America/Los_Angeles" else "metro_switch"
        accounts.append(
            Account(
                code=f"{first}-{index + 1:03d}",
                name=f"{first.title()} {second}",
                bill_group="wholesale" if wholesale else "main",
                zone=zone,
                anchor_day=31 if index == 50 else 15 if index % 10 == 8 else 1,
                plan_code="WHOLESALE-LINE" if wholesale else _plan_of(index),
                home_source=home_source,
                state=rng.choice(_STATES_BY_ZONE[zone]),
                # A few large customers make most of the traffic.
                weight=1.0 / (1 + rng.randrange(ACCOUNT_COUNT)) ** 0.8,
            )
        )
    return accounts


def build_customers(rng: random.Random, month: Month) -> Customers:
    """Invent the customers of the demo."""
    accounts = _accounts(rng)
    used: set[str] = set()

    def new_number(state: str) -> str:
        while True:
            area_code = rng.choice(extract_area_codes(state))
            number = f"1{area_code}{rng.choice(exchanges_of(area_code))}{rng.randrange(10000):04d}"
            if number not in used and not any(number.startswith(stem) for stem in stems):
                used.add(number)
                return number

    stems: set[str] = set()

    def new_stem(state: str) -> str:
        while True:
            area_code = rng.choice(extract_area_codes(state))
            stem = f"1{area_code}{rng.choice(exchanges_of(area_code))}{rng.randrange(10)}"
            if stem not in stems and not any(number.startswith(stem) for number in used):
                stems.add(stem)
                return stem

    services: list[Service] = []
    identifiers: list[dict[str, str]] = []

    def identify(
        service: Service,
        kind: str,
        value: str,
        direction: str = "both",
        valid_from: str = "",
        valid_to: str = "",
    ) -> None:
        identifiers.append(
            {
                "service_code": service.code,
                "identifier_kind": kind,
                "identifier_value": value,
                "direction": direction,
                "valid_from": valid_from,
                "valid_to": valid_to,
            }
        )

    # Every account gets its first service before any gets a second one, and so on.
    layer = 0
    while len(services) < SERVICE_COUNT:
        for index, account in enumerate(accounts):
            if len(services) == SERVICE_COUNT:
                break
            if layer and account.bill_group == "wholesale" and layer > 1:
                continue
            service = Service(
                code=f"{account.code}-S{layer + 1}",
                account=account,
                service_type="voice",
                plan_code="",
            )
            if account.bill_group == "wholesale":
                service.account_key = f"TG-{4000 + index * 10 + layer}"
                identify(service, "account_key", service.account_key)
            elif layer == 0:
                for _ in range(rng.randint(1, 4)):
                    number = new_number(account.state)
                    service.numbers.append(number)
                    identify(service, "number", number)
            elif layer == 1:
                service.pattern_stem = new_stem(account.state)
                service.account_key = f"pbx{index + 1:03d}"
                identify(service, "pattern", service.pattern_stem + "{!}")
                identify(service, "account_key", service.account_key, "outbound")
            elif layer == 2 and index % 3 == 2:
                service.toll_free = f"1{rng.choice((800, 833, 855, 877, 888))}{index + 210}" + (
                    f"{rng.randrange(10000):04d}"
                )
                service.plan_code = "TOLLFREE-PLUS"
                identify(service, "number", service.toll_free, "inbound")
            elif layer == 2:
                number = new_number(account.state)
                service.numbers.append(number)
                identify(service, "number", number)
                if index % 20 == 1:
                    service.plan_code = "WORLD-SAVER"
            else:
                service.service_type = "fixed"
                service.circuit = f"DHEC/{600000 + index * 17 + layer}/{account.state}"
                identify(service, "circuit", service.circuit)
            services.append(service)
        layer += 1

    metro = [s for s in services if s.account.home_source == "metro_switch"]
    patterned = [s for s in metro if s.pattern_stem]
    numbered = [s for s in metro if len(s.numbers) >= 2]

    # A number that moves to another account in the middle of the month, at noon UTC.
    loser, winner = numbered[0], numbered[1]
    moved = loser.numbers[0]
    winner.numbers.append(moved)
    for row in identifiers:
        if row["identifier_value"] == moved:
            row["valid_to"] = month.instant(14, 12)
    identify(winner, "number", moved, valid_from=month.instant(14, 12))

    # A longer pattern, and an exact number, inside the block of another customer.
    block, guest, single = patterned[0], patterned[1], numbered[2]
    identify(guest, "pattern", block.pattern_stem + "1{!}")
    inner = block.pattern_stem + "205"
    single.numbers.append(inner)
    identify(single, "number", inner)

    # One number answered by one service and called from by another, of the same customer.
    split = numbered[3]
    twin = next(s for s in services if s.account is split.account and s is not split)
    both_ways = new_number(split.account.state)
    split.numbers.append(both_ways)
    identify(split, "number", both_ways, "outbound")
    identify(twin, "number", both_ways, "inbound")

    account_rows = []
    for index, account in enumerate(accounts):
        account_rows.append(
            {
                "account_code": account.code,
                "customer_name": account.name,
                "bill_group": account.bill_group,
                "time_zone": account.zone,
                "anchor_day": str(account.anchor_day),
                "currency_code": "USD",
                "plan_code": account.plan_code,
                "is_reseller": "true" if account.bill_group == "wholesale" else "false",
                "valid_from": "",
                # This customer left; its services were forgotten and still match.
                "valid_to": month.instant(21) if index == CLOSED_ACCOUNT else "",
            }
        )
    service_rows = [
        {
            "service_code": service.code,
            "account_code": service.account.code,
            "service_type": service.service_type,
            "plan_code": service.plan_code,
            "valid_from": "",
            "valid_to": "",
        }
        for service in services
    ]
    return Customers(accounts, services, account_rows, service_rows, identifiers)
