"""Calls under random charging settings: every component agrees with the second implementation."""

from __future__ import annotations

import datetime as dt
import json
import random
from pathlib import Path

import pytest

from tests.end_to_end.small import Row, source, write_kind
from tests.end_to_end.warehouse import Warehouse
from tests.oracle.compare import report

PLANS = 12
SOURCES = 5
CALLS = 20  # of each plan in each source
FIRST = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
COLUMNS = {
    "Start": "start_time", "From": "calling_number", "To": "called_number",
    "Seconds": "duration", "Customer": "service_key", "Ref": "record_id",
    "Type": "usage_type", "Parts": "quantity", "Up": "bytes_up", "Down": "bytes_down",
    "Way": "direction",
}  # fmt: skip
DESTINATIONS = ("1", "44", "4420", "33", "49", "81")
ROUNDING = ("up", "half_up", "half_even", "half_down", "down")


class World:
    """Plans whose decks differ in every setting, with rows that override some."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.kinds: dict[str, list[Row]] = {
            kind: []
            for kind in (
                "deck", "rate", "rate_step", "plan", "account", "service", "service_identifier",
            )
        }
        for number in range(PLANS):
            self.is_plain = number == 0
            self._add(number)
        self.kinds["source"] = []
        self.calls: dict[str, list[Row]] = {}
        for number in range(SOURCES):
            self.kinds["deck"].append(self._deck(f"C{number}", "wholesale"))
            self._add_rates(f"C{number}")
            self.kinds["source"].append(
                source(f"calls{number}", "mapped_usage", column_map=json.dumps(COLUMNS),
                       cost_deck_code=f"C{number}")
            )  # fmt: skip
            self.calls[f"calls{number}"] = [self._call(call) for call in range(PLANS * CALLS)]

    def _maybe(self, *values: str) -> str:
        """One of the values, or nothing half of the time; nothing for the first, plain plan."""
        if self.is_plain:
            return ""
        return self.rng.choice(values) if self.rng.random() < 0.5 else ""

    def _settings(self) -> dict[str, str]:
        return {
            "minimum_seconds": self._maybe("0", "6", "30", "45", "60"),
            "increment_seconds": self._maybe("1", "6", "60"),
            "minute_seconds": self._maybe("60", "50", "64"),
            "grace_seconds": self._maybe("0", "2", "10"),
            "included_seconds": self._maybe("0", "5", "40"),
            "additional_seconds": self._maybe("0", "3"),
            "minimum_charge": self._maybe("0", "0.05", "0.60"),
            "maximum_charge": self._maybe("0.5", "2", "0"),
        }

    def _deck(self, code: str, side: str) -> Row:
        rule = self.rng.choice(("rest_free", "call_ended", "per_period"))
        return {
            "deck_code": code, "deck_name": code, "side": side, "currency_code": "USD",
            **self._settings(), "maximum_charge_rule": rule,
            "cap_period_seconds": "600" if rule == "per_period" else "",
            "duration_rounding": self._maybe("half_up", "down", "half_down"),
            "increment_base": self._maybe("whole_duration"),
            "rounding_unit": self._maybe("0.01", "0.1"),
            "rounding_mode": self.rng.choice(ROUNDING),
        }  # fmt: skip

    def _add_rates(self, deck: str) -> None:
        for prefix in DESTINATIONS:
            own = self._settings() if self.rng.random() < 0.3 else {}
            is_per_call = not self.is_plain and self.rng.random() < 0.2
            self.kinds["rate"].append({
                "deck_code": deck, "prefix": prefix, **own,
                "connection_fee": self._maybe("0.05", "0.0123"),
                "price_per_minute": "" if is_per_call else f"{self.rng.random() / 5:.7f}",
                "price_per_call": f"{self.rng.random():.3f}" if is_per_call else "",
            })  # fmt: skip
            if self.rng.random() < 0.3 and not (is_per_call or self.is_plain):
                for second in sorted(self.rng.sample((0, 10, 60, 61, 600), 2)):
                    self.kinds["rate_step"].append({
                        "deck_code": deck, "prefix": prefix, "from_second": str(second),
                        "increment_seconds": self.rng.choice(("1", "7", "60")),
                        "price_per_minute": f"{self.rng.random() / 5:.4f}",
                    })  # fmt: skip

    def _add(self, number: int) -> None:
        self.kinds["deck"].append(self._deck(f"D{number}", "retail"))
        self._add_rates(f"D{number}")
        for usage_type in ("sms", "data"):
            self._add_unit_deck(f"{usage_type}{number}", usage_type)
        self.kinds["plan"].append({
            "plan_code": f"P{number}", "plan_name": "P", "deck_code": f"D{number}",
            "sms_deck_code": self._maybe(f"sms{number}"),
            "data_deck_code": self._maybe(f"data{number}"),
            "inbound_sms_deck_code": self._maybe(f"sms{number}"),
            "duration_rounding": self._maybe("half_up", "down", "half_down"),
            "increment_base": self._maybe("whole_duration"),
            "rounding_decimals": self.rng.choice(("2", "4", "6")),
            "rounding_mode": self.rng.choice(ROUNDING),
            "rounding_unit": self._maybe("0.1", "0.05"),
            "discount_percent": self._maybe("10", "2.5"),
            "rounding_place": self._maybe("before_discount"),
        })  # fmt: skip
        self.kinds["account"].append(
            {"account_code": f"A{number}", "customer_name": "A", "plan_code": f"P{number}"}
        )
        self.kinds["service"].append({"service_code": f"S{number}", "account_code": f"A{number}"})
        self.kinds["service_identifier"].append({
            "service_code": f"S{number}", "identifier_kind": "account_key",
            "identifier_value": f"key{number}",
        })  # fmt: skip

    def _add_unit_deck(self, code: str, usage_type: str) -> None:
        is_data = usage_type == "data"
        self.kinds["deck"].append({
            "deck_code": code, "deck_name": code, "side": "retail", "currency_code": "USD",
            "usage_type": usage_type,
            "minimum_seconds": self._maybe("50000" if is_data else "1"),
            "increment_seconds": self._maybe("20480" if is_data else "1"),
            "unit_bytes": self._maybe("1048576") if is_data else "",
            "minimum_charge": self._maybe("0.02"), "maximum_charge": self._maybe("0.5"),
        })  # fmt: skip
        for prefix in ("1002",) if is_data else DESTINATIONS[1:]:
            self.kinds["rate"].append({
                "deck_code": code, "prefix": prefix, "connection_fee": self._maybe("0.01"),
                "price_per_unit": f"{self.rng.random() / 10:.5f}",
            })  # fmt: skip

    def _call(self, number: int) -> Row:
        prefix = self.rng.choice(DESTINATIONS)
        seconds = self.rng.choice((self.rng.uniform(0.1, 60), self.rng.uniform(60, 4000)))
        start = FIRST + dt.timedelta(seconds=self.rng.randrange(20 * 86400))
        to = "+" + (prefix if len(prefix) > 1 else prefix + "212") + "2079460"
        usage_type = self.rng.choice(("voice", "voice", "voice", "sms", "data", "mms"))
        return {
            "Type": usage_type, "Parts": str(self.rng.randint(1, 4)) if usage_type == "sms" else "",
            "Up": str(self.rng.randrange(100, 3_000_000)) if usage_type == "data" else "",
            "Down": str(self.rng.randrange(90_000_000)) if usage_type == "data" else "",
            "Way": self.rng.choice(("", "inbound")) if usage_type == "sms" else "",
            "Ref": str(number), "Start": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "From": "+12125550100", "To": (to + "0123")[:12],
            "Seconds": f"{seconds:.{self.rng.choice((0, 1, 3))}f}",
            "Customer": f"key{number % PLANS}",
        }  # fmt: skip


def write_terms(folder: Path, seed: int = 4) -> Path:
    """Reference data and files of one world."""
    world = World(seed)
    for kind, rows in world.kinds.items():
        write_kind(folder / "reference", kind, rows)
    for code, calls in world.calls.items():
        write_kind(folder / "files" / code, code, calls)
    return folder


@pytest.fixture(scope="module")
def rated(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The calls of all plans, rated by one run."""
    folder = write_terms(tmp_path_factory.mktemp("terms"))
    warehouse.load_reference(folder / "reference")
    warehouse.load(folder / "files")
    assert warehouse.rate() is not None
    warehouse.bill(dt.date(2026, 10, 1))
    return folder


def test_every_component_agrees_with_the_oracle(rated: Path, warehouse: Warehouse) -> None:
    differences = warehouse.differences(rated)
    assert differences == [], report(differences)


def test_components_add_up_to_the_unrounded_amount(rated: Path, warehouse: Warehouse) -> None:
    assert warehouse.value(
        "select count(*) from rating.current_rated_usage where state = 'billed' and abs("
        "retail_connection_fee + retail_usage_amount + coalesce(retail_minimum_top_up, 0)"
        " + coalesce(retail_maximum_reduction, 0) + coalesce(retail_discount_amount, 0)"
        " - retail_unrounded_amount) > 1e-13"
    ) == 0  # fmt: skip


def test_the_calls_met_every_setting(rated: Path, warehouse: Warehouse) -> None:
    met = warehouse.rows(
        "select count(*) filter (where retail_minimum_top_up > 0), "
        "count(*) filter (where retail_maximum_reduction < 0), "
        "count(*) filter (where retail_discount_amount < 0), "
        "count(*) filter (where retail_unit_price is not null), "
        "count(*) filter (where retail_billed_seconds = 0), "
        "count(*) filter (where retail_has_terms is null), "
        "count(*) filter (where usage_type = 'sms' and direction = 'outbound'), "
        "count(*) filter (where usage_type = 'sms' and direction = 'inbound'), "
        "count(*) filter (where usage_type = 'data' and retail_billed_units > 50000), "
        "count(*) filter (where jsonb_array_length(retail_parts) > 1), "
        "count(*) filter (where jsonb_array_length(cost_parts) > 1), "
        "count(*) filter (where cost_minimum_top_up > 0 or cost_maximum_reduction < 0) "
        "from rating.current_rated_usage where state = 'billed'"
    )[0]
    assert min(met) >= 5, met
