"""Random volume prices, commitments and caps: the models bill what counting anew finds."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from loaders.database import connect
from loaders.reference import load_reference
from orchestration.lib.dry_models import dry_models
from tests.cases.results import Results
from tests.cases.running import rate_world
from tests.cases.world import BILL_GROUP, Catalogue, Record, World
from tests.oracle.reference import Dated
from tests.oracle.volumes import Customer, Used, Volumes

MONTHS = [dt.date(2026, month, 1) for month in range(4, 10)]
INVOICED = MONTHS[-2:]
MEASURES = ("billed_units", "real_seconds", "records", "amount")
ZONES = ("UTC", "America/Los_Angeles", "Europe/London")
PREFIXES = {"441": "0.05", "4477": "0.213", "49": "0.011"}
NEVER = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
ALWAYS = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
TOLERANCE = Fraction(1, 10**9)


class Season:
    """Random customers, schedules, prices, limits and half a year of calls."""

    def __init__(self, seed: int, catalogue: Catalogue) -> None:
        self.rng = random.Random(f"volumes:{seed}")
        self.world = World(catalogue, [])
        self.kinds: dict[str, list[Dated]] = defaultdict(list)
        self.customers: list[Customer] = []
        self.records: list[tuple[Record, Customer, str]] = []
        self._tariff()
        for number in range(12):
            self._customer(f"A{number:02d}")
        for number in range(8):
            self._schedule(f"T{number}", MEASURES[number % 4])
        for number in range(7):
            self._prices(f"V{number}")
        for number in range(6):
            self._limits(f"L{number}", ("minimum", "maximum")[number % 2])
        self._calls(400)

    def _add(self, kind: str, **row: Any) -> None:
        self.world.add(kind, "world", row)
        texts = {name: str(value) for name, value in row.items() if value not in (None, "")}
        dates = [
            dt.datetime.fromisoformat(texts[name]) if name in texts else default
            for name, default in (("valid_from", ALWAYS), ("valid_to", NEVER))
        ]
        self.kinds[kind].append(Dated(texts, dates[0], dates[1]))

    def _tariff(self) -> None:
        self._add("deck", deck_code="D", deck_name="D", side="retail", currency_code="USD",
                  minimum_seconds=6, increment_seconds=6)  # fmt: skip
        for prefix, price in PREFIXES.items():
            self._add("rate", deck_code="D", prefix=prefix, price_per_minute=price,
                      connection_fee="0.003")  # fmt: skip
            self._add("destination_group", destination_group_code=f"G{prefix[:2]}", prefix=prefix)
        self._add("plan", plan_code="CALL", plan_name="x", deck_code="D", rounding_decimals=3)
        self._add("plan", plan_code="EXACT", plan_name="x", deck_code="D", rounding_level="invoice")

    def _customer(self, code: str) -> None:
        pick = self.rng.choice
        services = (f"{code}S1", f"{code}S2")
        customer = Customer(
            code, BILL_GROUP, pick(ZONES), pick((1, 1, 15, 31)), pick(("CALL", "EXACT")), services
        )
        self.customers.append(customer)
        self._add(
            "account", account_code=code, customer_name=code, bill_group=BILL_GROUP,
            plan_code=customer.plan, time_zone=customer.zone, anchor_day=customer.anchor_day,
        )  # fmt: skip
        for service in services:
            self._add("service", service_code=service, account_code=code)
            self._add("service_identifier", service_code=service, identifier_kind="account_key",
                      identifier_value=service)  # fmt: skip

    def _schedule(self, code: str, measure: str) -> None:
        pick = self.rng.choice
        pricing = pick(("graduated", "volume", "package", "graduated", "volume"))
        size = 60 if measure in ("billed_units", "real_seconds") else 1
        package = {"package_size": pick((7, "2.5")), "package_price": pick(("1.2", "0.333"))}
        self._add(
            "tier_schedule", schedule_code=code, schedule_name=code, pricing=pricing,
            measure=measure, unit_size=size, free_units=pick((0, 0, 3, "1.5")),
            zero_quantity_rule=pick(("nothing", "first_flat")), rounding_decimals=pick((2, 4, 6)),
            rounding_mode=pick(("half_up", "up", "half_even")),
            **(package if pricing == "package" else {}),
        )  # fmt: skip
        if pricing == "package":
            return
        bounds = sorted(self.rng.sample(("2", "4.5", "10", "17", "30.25"), 3), key=Decimal)
        # The same tiers, then dearer ones.
        for factor, dates in ((1, {"valid_to": "2026-08-20T00:00:00+00:00"}),
                              (3, {"valid_from": "2026-08-20T00:00:00+00:00"})):  # fmt: skip
            for above, up_to in zip(["0", *bounds], [*bounds, None], strict=True):
                price: dict[str, Any] = {
                    "unit_price": Decimal(pick(("0.1", "0.07", "0"))) * factor,
                    "flat_fee": pick((None, "1", "0.5")),
                }
                if measure == "amount":
                    price["rate_percent"] = pick((None, "12.5"))
                self._add("tier", schedule_code=code, above=above, up_to=up_to, **price, **dates)

    def _scopes(self) -> list[tuple[str, str]]:
        """Whose price or limit: some of all kinds."""
        pick = self.rng.choice
        codes = [customer.code for customer in self.customers]
        scopes = [("account", code) for code in self.rng.sample(codes, 3)]
        scopes += pick(([("list", "")], [("group", BILL_GROUP)], [("plan", "CALL")], []))
        return scopes

    def _when(self) -> list[dict[str, str]]:
        """All the time, from some day on, or a row that another one follows."""
        day = f"2026-0{self.rng.randrange(5, 10)}-{self.rng.randrange(10, 28)}T00:00:00+00:00"
        return self.rng.choice(
            ([{}], [{}], [{"valid_from": day}], [{"valid_to": day}, {"valid_from": day}])
        )

    def _prices(self, code: str) -> None:
        pick = self.rng.choice
        counting = {
            "counter": pick(("account", "service", "group")),
            "counter_period": pick(("month", "quarter", "half_year", "quarter")),
            "anchor_month": pick((1, 2, 6)), "effect": pick(("replace", "replace", "add")),
            "priority": pick((1, 2)),
        }  # fmt: skip
        # Rows of one code count the same.
        measure = self.rng.randrange(4)
        for scope, scope_code in self._scopes():
            for dates in self._when():
                self._add(
                    "volume_price", volume_code=code, volume_name=code, price_scope=scope,
                    scope_code=scope_code, schedule_code=f"T{pick((measure, measure + 4))}",
                    usage_type="voice",
                    destination_group_code=pick((None, None, "G44")), **counting, **dates,
                )  # fmt: skip

    def _limits(self, code: str, rule: str) -> None:
        pick = self.rng.choice
        counting = {
            "limit_rule": rule, "limit_period": pick(("month", "quarter", "half_year")),
            "anchor_month": pick((1, 3)), "line_kinds": pick(("usage", "usage volume")),
        }  # fmt: skip
        for scope, scope_code in self._scopes():
            self._add(
                "spend_limit", limit_code=code, limit_name=code, price_scope=scope,
                scope_code=scope_code, amount=pick(("2.5", "9", "40.01")),
                proration=pick(("none", "days")), rounding_decimals=pick((2, 4)),
                rounding_mode="half_up", **counting,
                **pick(({}, {}, {"valid_from": "2026-07-11T00:00:00+00:00"})),
            )  # fmt: skip

    def _calls(self, count: int) -> None:
        source = self.world.source("world", {
            "file_kind": "cdr", "number_plan": "e164", "classify_mode": "none",
            "direction_mode": "outbound",
        })  # fmt: skip
        first = dt.datetime(2026, 4, 1, tzinfo=dt.UTC)
        for number in range(count):
            # Some use nothing at all.
            customer = self.rng.choice(self.customers[:-2])
            service = self.rng.choice(customer.services)
            start = first + dt.timedelta(seconds=self.rng.randrange(180 * 86400))
            record = self.world.record(source, {
                "record_id": number, "start_time": start.isoformat(), "service_key": service,
                "called_number": self.rng.choice(list(PREFIXES)) + f"{number:08d}",
                "duration": self.rng.randrange(1, 400),
            })  # fmt: skip
            self.records.append((record, customer, service))

    def used(self, results: Results) -> list[Used]:
        """The legs as they were rated."""
        legs = []
        for record, customer, service in self.records:
            leg = results.leg(record)
            assert leg["state"] == "billed", leg["reason"]
            unrounded = Fraction(leg["retail_unrounded_amount"])
            amount = Fraction(leg["retail_amount"]) if customer.plan == "CALL" else unrounded
            legs.append(Used(
                customer.code, service, customer.plan,
                dt.date.fromisoformat(leg["period_month"]), "voice", leg["charge_class"],
                str(leg["rated_number"]), leg["retail_billed_seconds"], leg["billable_seconds"],
                unrounded, amount,
            ))  # fmt: skip
        return legs


def _expected(season: Season, used: list[Used]) -> dict[tuple[Any, ...], Fraction]:
    """The lines of the invoiced months."""
    volumes = Volumes(season.kinds, season.customers, used)
    lines: dict[tuple[Any, ...], Fraction] = {}
    for customer in season.customers:
        spent: dict[dt.date, dict[tuple[str, str], Fraction]] = {}
        for month in MONTHS:
            by_class: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
            for leg in used:
                if (leg.account, leg.month) == (customer.code, month):
                    by_class["usage", leg.charge_class] += leg.amount
            for code in volumes.codes("volume_price"):
                for service in volumes.counters(code, customer.code, month):
                    amount = volumes.volume_amount(code, customer.code, service, month)
                    if amount is not None:
                        lines[month, customer.code, "volume", code, service] = amount
                        by_class["volume", "volume"] += amount
            spent[month] = by_class
        for month in INVOICED:
            for code in volumes.codes("spend_limit"):
                amount = volumes.limit_amount(code, customer.code, month, spent)
                if amount:
                    kind = "commitment" if volumes.is_minimum(code) else "cap"
                    lines[month, customer.code, kind, code, ""] = amount
    return {key: amount for key, amount in lines.items() if key[0] in INVOICED}


def test_every_line_is_what_counting_anew_finds(
    make_database: Callable[[], str], tmp_path: Path
) -> None:
    url = make_database()
    with closing(connect(url=url)) as connection:
        with connection, connection.cursor() as cursor:
            season = Season(2, Catalogue(cursor))
        for kind, path in season.world.write_reference(tmp_path):
            load_reference(connection, kind, path)
        season.world.months |= set(INVOICED)
        results = rate_world(connection, dry_models(url), season.world, tmp_path)
    expected = _expected(season, season.used(results))
    actual = {
        (month, customer.code, line["line_kind"], line["product_code"],
         (line["detail"] or {}).get("service", "")): Fraction(line["line_amount"])
        for month in INVOICED
        for customer in season.customers
        for line in results.lines(month, customer.code)
        if line["line_kind"] in ("volume", "commitment", "cap")
    }  # fmt: skip
    different = {
        key: (expected.get(key), actual.get(key))
        for key in sorted(expected.keys() | actual.keys(), key=str)
        if key not in expected or key not in actual or abs(expected[key] - actual[key]) > TOLERANCE
    }
    assert not different, different
    # The world is rich enough to mean something.
    kinds = Counter(key[2] for key in actual)
    assert kinds["volume"] > 50 and kinds["commitment"] > 3 and kinds["cap"] > 3
