"""Fixed fees of every method, mode and scope: the models charge what brute force finds."""

from __future__ import annotations

import datetime as dt
import json
import random
from contextlib import closing
from pathlib import Path

import pytest

from loaders.database import connect
from tests.end_to_end.small import Row, source, write_kind
from tests.end_to_end.warehouse import Warehouse
from tests.oracle.compare import charge_differences, report
from tests.oracle.reference import Reference
from tests.oracle.run import run

LINES = 1500
FIRST = dt.date(2026, 1, 1)
COLUMNS = {
    "Customer": "account_key", "Line": "service_key", "Item": "product_code",
    "Kind": "charge_type", "From": "period_from", "To": "period_to", "On": "event_date",
    "Qty": "quantity", "Net": "net_amount", "Cur": "currency_code", "Ref": "order_ref",
}  # fmt: skip
METHODS = (
    "none", "full_month", "actual_days", "actual_actual", "actual_actual", "days_30",
    "annualised", "seconds",
)  # fmt: skip
MODES: tuple[Row, ...] = (
    {"price_mode": "list", "unit_price": "31.37"},
    {"price_mode": "list", "unit_price": "12.5"},
    {"price_mode": "list", "unit_price": "0.005"},
    {"price_mode": "markup", "markup_percent": "17.5", "markup_floor": "0.4"},
    {"price_mode": "markup", "markup_percent": "30"},
    {"price_mode": "margin", "margin_percent": "25"},
    {"price_mode": "add_on", "add_on_amount": "0.333"},
    {"price_mode": "pass_through"},
    {"price_mode": "percentage", "percentage": "2.99", "event_fee": "0.3"},
    {"price_mode": "included"},
)
FIFTEENTH: Row = {
    "charge_tariff_code": "T", "product_code": "FIFTEENTH", "product_name": "by the fifteenth",
    "price_mode": "list", "price_scope": "list", "unit_price": "9", "proration": "full_month",
    "full_month_rule": "fifteenth",
}  # fmt: skip
ZONES = ("UTC", "America/Los_Angeles", "Europe/London", "Australia/Lord_Howe")


class Month:
    """Random customers, tariffs and charge lines."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"fees:{seed}")
        pick = self.rng.choice
        self.accounts = [
            {"account_code": f"A{n}", "customer_name": "x", "time_zone": pick(ZONES),
             "anchor_day": str(pick((1, 1, 7, 15, 28, 29, 30, 31))), "bill_group": pick("GH")}
            for n in range(24)
        ]  # fmt: skip
        self.services = [
            {"service_code": f"S{n}", "account_code": f"A{n % 24}",
             "valid_from": pick(("", "", f"2026-01-{pick(range(10, 29))}T07:30:00Z"))}
            for n in range(48)
        ]  # fmt: skip
        self.identifiers: list[Row] = []
        for n in range(48):
            # Some were given up: their later charges are nobody's.
            ended = {"valid_to": "2026-03-01"} if n % 9 == 3 else {}
            self._identify(f"S{n}", "circuit", f"C{n}", **ended)
        # Numbers whose calls out and in belong to different services, and to one.
        for n in range(12):
            number = f"1212555{n:04d}"
            for direction, service in (("outbound", n), ("inbound", n + n % 2)):
                self._identify(f"S{service}", "number", number, direction=direction)
            self._identify(f"S{n}", "customer_reference", f"R{n}")
            self._identify(f"S{n + 12}", "account_product", f"K/P{n}")
        self.tariffs = [tariff for n in range(60) for tariff in self._tariffs(f"P{n}")]
        self.tariffs += [self._tariff("*", "list", ""), self._tariff("*", "account", "A3")]

    def _identify(self, service: str, kind: str, value: str, **settings: str) -> None:
        self.identifiers.append(
            {"service_code": service, "identifier_kind": kind, "identifier_value": value}
            | settings
        )

    def _tariffs(self, product: str) -> list[Row]:
        scopes = [("list", "")] if self.rng.random() < 0.9 else []
        for scope, codes in (
            ("service", [f"S{n}" for n in range(48)]), ("account", [f"A{n}" for n in range(24)]),
            ("group", ["G", "H"]),
        ):  # fmt: skip
            if self.rng.random() < 0.4:
                scopes += [(scope, code) for code in self.rng.sample(codes, len(codes) // 3 or 1)]
        return [self._tariff(product, *scope) for scope in scopes]

    def _tariff(self, product: str, scope: str, code: str) -> Row:
        pick = self.rng.choice
        return dict(pick(MODES)) | {
            "charge_tariff_code": "T", "product_code": product, "product_name": product,
            "price_scope": scope, "scope_code": code, "proration": pick(METHODS),
            "fee_period": pick(("month", "month", "quarter", "year", "week", "days")),
            "fee_period_days": "30", "fee_period_count": str(pick((1, 1, 3))),
            "days_in_month": str(pick((30, 30, 28, 31))),
            "full_month_rule": pick(("any_day", "first_day", "fifteenth")),
            "end_rule": pick(("stated", "stated", "period_end")),
            "trial_days": str(pick((0, 0, 14))), "minimum_price": pick(("", "", "0.75")),
            "maximum_price": pick(("", "", "", "9.5")),
            "price_point": pick(("", "", "", "0.05")), "rounding_level": pick(("line", "unit")),
            "rounding_decimals": str(pick((2, 2, 0, 4))),
            "rounding_mode": pick(("half_up", "half_even", "half_down", "up", "down")),
            "invoice_timing": pick(("first_day", "first_day", "last_day", "period_before")),
        }  # fmt: skip

    def line(self, number: int) -> Row:
        """One line; some say no period, some no end, some a kind that reverses them."""
        rng, pick = self.rng, self.rng.choice
        first = FIRST + dt.timedelta(days=rng.randrange(120))
        last = first + dt.timedelta(days=pick((0, 6, 27, 29, 30, rng.randrange(70), 400)))
        keys = pick((
            {"Line": f"C{rng.randrange(48)}"}, {"Line": f"212555{rng.randrange(13):04d}"},
            {"Customer": "K"}, {"Ref": f"R{rng.randrange(13)}"},
        ))  # fmt: skip
        days = {"From": first.isoformat(), "To": last.isoformat()}
        if rng.random() < 0.2:
            days["To"] = ""
        if rng.random() < 0.1:
            days = {"On": first.isoformat()}
        return {
            "Customer": f"N{number}", "Item": f"P{rng.randrange(12 if 'Customer' in keys else 62)}",
            "Kind": pick(("Rental", "Rental", "recurring_advance", "One-off", "Credit Note")),
            "Qty": pick(("", "1", "3", "7", "2.5", "-1", "0")),
            "Net": pick(("8", "-8", "0.20", "10.01", "0")), "Cur": pick(("", "", "USD", "EUR")),
        } | days | keys  # fmt: skip

    def edge(self, number: int) -> Row:
        """A line that ends on the fifteenth day of a period; every other one begins at an instant,
        which is the day before in some zones."""
        anchor = int(self.accounts[number % 24]["anchor_day"])
        last = dt.date(2026, 3, anchor) + dt.timedelta(days=14)
        return {
            "Customer": f"E{number}", "Line": f"C{number % 48}",
            "Item": f"P{number % 60}" if number % 4 else "FIFTEENTH",
            "Kind": "Rental", "Qty": "1", "Net": "8", "To": last.isoformat(),
            "From": "2026-02-01T03:00:00Z" if number % 2 else "2026-02-01",
        }  # fmt: skip


def write_fees(folder: Path, seed: int = 1) -> Path:
    """Reference data and charge lines of a random month."""
    month = Month(seed)
    columns = json.dumps(COLUMNS)
    kinds: dict[str, list[Row]] = {
        "account": month.accounts, "service": month.services,
        "service_identifier": month.identifiers,
        "charge_tariff": [*month.tariffs, FIFTEENTH],
        "source": [
            source("fees", "carrier_charge", column_map=columns, charge_tariff_code="T",
                   file_kind="sdr"),
        ],
    }  # fmt: skip
    for kind, rows in kinds.items():
        write_kind(folder / "reference", kind, rows)
    # Equal lines of one file are as many charges.
    lines = [month.line(n) for n in range(LINES)]
    edges = [month.edge(n) for n in range(240)]
    write_kind(folder / "files" / "fees", "fees", lines + lines[:20] + edges)
    return folder


@pytest.fixture(scope="module")
def charged(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The charges of a random month, priced by one run."""
    folder = write_fees(tmp_path_factory.mktemp("fees"))
    warehouse.load_reference(folder / "reference")
    warehouse.load(folder / "files")
    assert warehouse.rate() is not None
    return folder


def test_every_charge_is_what_brute_force_finds(charged: Path, warehouse: Warehouse) -> None:
    order = {
        (code, name): file_id
        for file_id, code, name in warehouse.rows(
            "select file_id, source_code, file_name from control.file"
        )
    }
    files = [("fees", charged / "files" / "fees" / "fees.csv")]
    outcome = run(files, Reference.load(charged / "reference"), landing_order=order)
    with closing(connect(url=warehouse.url)) as connection:
        found = charge_differences(connection, outcome)
    assert not found, report(found)
    # The world is rich enough to mean something.
    states = dict(
        warehouse.rows(
            "select coalesce(reason, 'billed'), count(*) "
            "from rating.current_rated_charge group by 1"
        )
    )
    assert states["billed"] > LINES / 2
    assert states.keys() >= {
        "ambiguous_service", "charge_currency_differs", "service_not_found", "included_in_plan",
    }  # fmt: skip
    methods = warehouse.value(
        "select count(distinct proration || price_scope) from rating.current_rated_charge "
        "where state = 'billed'"
    )
    assert methods >= 20
