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

# Decks that split calls in any case; the others may.
SPLIT = {
    "C0": "split_per_second", "C1": "split_per_increment", "D1": "split_per_second",
    "D2": "split_per_increment",
}  # fmt: skip
CALENDARS = ("fixed", "account", "source", "calling_area")
ROW_CHANGE, BAND_PRICE_CHANGE = "2026-10-10T12:00:00Z", "2026-10-09T13:00:20Z"
# Around these calls crowd: price changes; clocks change on Lord Howe Island (by half an hour), in
# London and in New York.
CROWDED = (
    ROW_CHANGE, BAND_PRICE_CHANGE, "2026-10-03T15:30:00Z", "2026-10-25T01:00:00Z",
    "2026-11-01T06:00:00Z",
)  # fmt: skip
ACCOUNT_ZONES = ("UTC", "America/New_York", "Europe/London", "Australia/Lord_Howe")
PLANS = 12
SOURCES = 5
CALLS = 20  # of each plan in each source
FIRST = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
COLUMNS = {
    "Start": "start_time", "From": "calling_number", "To": "called_number",
    "Seconds": "duration", "End": "end_time", "Customer": "service_key", "Ref": "record_id",
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
                "calendar", "calendar_day", "deck", "rate", "rate_step", "time_band",
                "band_rate", "plan", "account", "service", "service_identifier",
            )
        }
        self._add_calendars()
        for number in range(PLANS):
            self.is_plain = number == 0
            self.drifts = number == 5
            self._add(number)
        # What a plan does not price has no price, though the default plan has one.
        self.kinds["plan"].append({
            "plan_code": "ANY", "plan_name": "P", "is_default": "true", "deck_code": "D0",
            "inbound_deck_code": "D0", "sms_deck_code": "sms1", "inbound_sms_deck_code": "sms1",
            "data_deck_code": "data1",
        })  # fmt: skip
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
            "duration_rounding": self._maybe("half_up", "down", "half_down", "none"),
            "increment_base": self._maybe("whole_duration"),
            "rounding_unit": self._maybe("0.01", "0.1"),
            "rounding_mode": self.rng.choice(ROUNDING),
            "calendar_code": self.rng.choice(CALENDARS),
            "straddle_policy": SPLIT.get(code) or self._maybe(*SPLIT.values()),
            "part_rounding": self._maybe("part"),
            "price_change_policy": "split" if code in SPLIT else self._maybe("split"),
            # The decks of one plan round the price of an increment; they can have no steps.
            "increment_amount_decimals": "4" if self.drifts else "",
        }  # fmt: skip

    def _add_calendars(self) -> None:
        for rule in CALENDARS:
            self.kinds["calendar"].append(
                {"calendar_code": rule, "zone_rule": rule, "time_zone": "America/New_York"}
            )
            for day in ("2026-10-06", "2026-10-25", "2026-11-01"):
                self.kinds["calendar_day"].append({"calendar_code": rule, "calendar_date": day})

    def _add_bands(self, deck: str, prefix: str, is_per_call: bool) -> None:
        """Evenings over midnight, a weekend, a holiday; edges at odd seconds."""
        if not any(band["deck_code"] == deck for band in self.kinds["time_band"]):
            begin = f"{self.rng.randrange(24):02d}:{self.rng.randrange(60):02d}:07"
            for row in (
                {"band_code": "day"},
                {"band_code": "evening", "from_time": begin, "to_time": "01:30", "weight": "11"},
                {"band_code": "weekend", "weekdays": "6,7", "weight": "20"},
                {"band_code": "feast", "day_class": "holiday", "weight": "30"},
            ):
                self.kinds["time_band"].append({"deck_code": deck, **row})
        is_by_increment = any(
            row["deck_code"] == deck and row["straddle_policy"] == "split_per_increment"
            for row in self.kinds["deck"]
        )
        for band in self.rng.sample(("day", "evening", "weekend", "feast"), 3):
            price = f"{self.rng.random() / 5:.6f}"
            self.kinds["band_rate"].append({
                "deck_code": deck, "prefix": prefix, "band_code": band,
                "price_per_minute": "" if is_per_call else price,
                "price_per_call": price if is_per_call else "",
                "connection_fee": self._maybe("0.07"),
                "minimum_seconds": "" if is_by_increment else self._maybe("45"),
                "increment_seconds": "" if is_by_increment else self._maybe("30"),
                "valid_from": self._maybe(BAND_PRICE_CHANGE),
            })  # fmt: skip

    def _add_rates(self, deck: str) -> None:
        for prefix in DESTINATIONS:
            own = self._settings() if self.rng.random() < 0.3 else {}
            is_per_call = not self.is_plain and self.rng.random() < 0.2
            change = self._maybe(ROW_CHANGE)
            for dates in ({"valid_to": change}, {"valid_from": change})[: 2 if change else 1]:
                self.kinds["rate"].append({
                    "deck_code": deck, "prefix": prefix, **own, **dates,
                    "connection_fee": self._maybe("0.05", "0.0123"),
                    "price_per_minute": "" if is_per_call else f"{self.rng.random() / 5:.7f}",
                    "price_per_call": f"{self.rng.random():.3f}" if is_per_call else "",
                })  # fmt: skip
            if self.rng.random() < (0.8 if deck in SPLIT else 0.4) and not self.is_plain:
                self._add_bands(deck, prefix, is_per_call)
            elif self.rng.random() < 0.4 and not (is_per_call or self.is_plain or self.drifts):
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
            "duration_rounding": (
                "none" if number == 4 else self._maybe("half_up", "down", "half_down", "none")
            ),
            "increment_base": self._maybe("whole_duration"),
            "rounding_decimals": self.rng.choice(("2", "4", "6")),
            "rounding_mode": self.rng.choice(ROUNDING),
            "rounding_unit": self._maybe("0.1", "0.05"),
            "discount_percent": self._maybe("10", "2.5"),
            "rounding_place": self._maybe("before_discount"),
        })  # fmt: skip
        self.kinds["account"].append(
            {
                "account_code": f"A{number}", "customer_name": "A", "plan_code": f"P{number}",
                "time_zone": ACCOUNT_ZONES[number % 4], "call_period": self._maybe("end"),
            }  # fmt: skip
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
        if self.rng.random() < 0.3:
            start = dt.datetime.fromisoformat(self.rng.choice(CROWDED))
            start -= dt.timedelta(seconds=self.rng.randrange(4000))
        end = (start + dt.timedelta(seconds=round(seconds))).strftime("%Y-%m-%dT%H:%M:%SZ")
        states_end = self.rng.random() < 0.1
        to = "+" + (prefix if len(prefix) > 1 else prefix + "212") + "2079460"
        usage_type = self.rng.choice(("voice", "voice", "voice", "sms", "data", "mms"))
        return {
            "Type": usage_type, "Parts": str(self.rng.randint(1, 4)) if usage_type == "sms" else "",
            "Up": str(self.rng.randrange(100, 3_000_000)) if usage_type == "data" else "",
            "Down": str(self.rng.randrange(90_000_000)) if usage_type == "data" else "",
            "Way": self.rng.choice(("", "inbound")) if usage_type == "sms" else "",
            "Ref": str(number), "Start": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "From": "+12125550100", "To": (to + "0123")[:12],
            "Seconds": "" if states_end else f"{seconds:.{self.rng.choice((0, 1, 3))}f}",
            "End": end if states_end else "",
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
        "count(*) filter (where retail_parts @? '$[1].from_local'), "
        "count(*) filter (where cost_parts @? '$[1].from_local'), "
        "count(distinct retail_parts #>> '{0,band}') + 2, "
        "count(*) filter (where retail_unbilled_fraction > 0), "
        "count(*) filter (where jsonb_array_length(cost_parts) > 1), "
        "count(*) filter (where cost_minimum_top_up > 0 or cost_maximum_reduction < 0) "
        "from rating.current_rated_usage where state = 'billed'"
    )[0]
    assert min(met) >= 5, list(met)
