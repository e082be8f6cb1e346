"""Random texts, supplier's amounts, events, sessions and networks: as brute force prices them."""

from __future__ import annotations

import datetime as dt
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from loaders.database import connect
from loaders.reference import load_reference
from orchestration.lib.dry_models import dry_models
from tests.cases.book import Case
from tests.cases.results import Results
from tests.cases.running import rate_world
from tests.cases.world import SOME_MONTH, Bench, Catalogue, Record, World
from tests.oracle.prices import Event, charged_events, grouped_amount, marked_up, segments
from tests.oracle.rounding import round_amount

CALLED = "447700900000"
ALPHABETS = ("abc XYZ@£", "ab{}€^", "[]~|", "жяю", "жж😀", "aé😀{", "çç`a", "\fa")
ENCODINGS = ("", "", "gsm7", "UCS-2", "8bit", "8", "0", "nonsense")
NETWORKS = {"GBRVF": "home", "FRAF1": "europe", "23415": "europe", "USACG": "world"}

Check = Callable[[Results], str | None]


class Prices:
    """A world of every kind of price that comes from something else than seconds."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.rng = random.Random(f"prices:{seed}")
        self.checks: list[Check] = []
        self._count = 0
        for kind in (self._texts, self._pre_rated, self._events, self._sessions):
            for _ in range(8):
                kind(self._bench())
        self._roaming(self._bench())

    def _bench(self) -> Bench:
        self._count += 1
        return Bench(self.world, Case(f"R{self._count}", "", "", {}, {}), self._count)

    def _maybe(self, *values: str) -> str | None:
        return self.rng.choice(values) if self.rng.random() < 0.5 else None

    def _expect(self, record: Record, **expected: Any) -> None:
        """Columns of the only leg of a record."""

        def check(results: Results) -> str | None:
            leg = results.leg(record)
            got = {name: leg[name] for name in expected}
            wanted = {
                name: _ten(value) if isinstance(value, Fraction) else value
                for name, value in expected.items()
            }
            found = {
                name: _ten(value) if isinstance(wanted[name], Decimal) else value
                for name, value in got.items()
            }
            return None if found == wanted else f"{record}: {found} not {wanted}"

        self.checks.append(check)

    def _expect_lines(self, account: str, kinds: tuple[str, ...], amount: Fraction) -> None:
        """The sum of an account's invoice lines of these kinds."""
        month = SOME_MONTH
        self.world.months.add(month)

        def check(results: Results) -> str | None:
            lines = results.lines(month, account)
            found = sum(
                (line["line_amount"] for line in lines if line["line_kind"] in kinds), Decimal(0)
            )
            return None if _ten(found) == _ten(amount) else f"{account}: {found} not {amount}"

        self.checks.append(check)

    def _texts(self, bench: Bench) -> None:
        count = self.rng.choice(("stated", "text", "message"))
        billing = self.rng.choice(("submitted", "delivered"))
        deck = bench.deck("S", usage_type="sms", message_count=count, message_billing=billing)
        bench.rate(deck, "44", price_per_unit="1")
        bench.service(bench.plan(bench.deck(), sms_deck_code=deck))
        for _ in range(25):
            letters = self.rng.choice(ALPHABETS)
            size = self.rng.choice((1, 66, 67, 70, 71, 134, 153, 160, self.rng.randrange(1, 400)))
            text = "".join(self.rng.choice(letters) for _ in range(size))
            encoding = self.rng.choice(ENCODINGS)
            stated = self._maybe("1", "3", "5")
            outcome = self.rng.choice(("answered", "failed", "", "sort of"))
            record = bench.usage({
                "usage_type": "sms", "called_number": CALLED, "message_text": text,
                "message_encoding": encoding, "quantity": stated, "disposition": outcome,
            })  # fmt: skip
            if outcome == "failed" and billing == "delivered":
                self._expect(record, state="not_billable", reason="not_delivered")
                continue
            by_text = segments(text, encoding) if text else 1
            by_record = int(stated) if stated else by_text
            units = {"stated": by_record, "text": by_text if text else by_record, "message": 1}
            self._expect(record, state="billed", retail_billed_units=units[count])

    def _pre_rated(self, bench: Bench) -> None:
        rng = self.rng
        deck = bench.deck()
        own = self._maybe("0.06")
        if own:
            bench.rate(deck, "44", price_per_minute=own)
        settings = {
            "charge_multiplier": self._maybe("1.25", "0.9"), "markup_percent": self._maybe("17.5"),
            "markup_floor": self._maybe("0.003"), "markup_fee": self._maybe("0.01"),
            "discount_percent": self._maybe("10"), "pre_rated_price": self._maybe("deck"),
            "rounding_decimals": rng.choice(("4", "6")),
            "rounding_mode": rng.choice(("half_up", "up", "down", "half_even")),
        }  # fmt: skip
        plan = {name: value for name, value in settings.items() if value is not None}
        multiplier = rng.choice(("1", "0.95"))
        bench.service(bench.plan(deck, **plan))

        def rounded(gross: Fraction) -> Fraction:
            kept = gross * (1 - Fraction(plan.get("discount_percent", "0")) / 100)
            decimals = int(plan["rounding_decimals"])
            return Fraction(round_amount(kept, decimals, plan["rounding_mode"]))

        for _ in range(12):
            text = rng.choice(("0.40", "0", "-0.12", "0.00777", "1,234.5", "", " ", "cheap"))
            seconds = rng.randrange(1, 300)
            answered = rng.random() < 0.8
            record = bench.usage(
                {
                    "duration": seconds, "called_number": "442079460000", "carrier_amount": text,
                    "disposition": "answered" if answered else "busy",
                },
                rating_mode="pre_rated", cost_multiplier=multiplier,
            )  # fmt: skip
            amount = None
            if text.strip() and text != "cheap":
                amount = Fraction(text.replace(",", ""))
            cost = amount * Fraction(multiplier) if amount is not None else None
            if not answered:
                self._expect(record, state="not_billable", reason="unanswered", cost_amount=cost)
                continue
            if amount is None:
                reason = "invalid" if text == "cheap" else "missing"
                self._expect(record, state="error", reason=f"{reason}_supplier_amount",
                             cost_amount=None, retail_amount=None)  # fmt: skip
                continue
            by_amount = rounded(marked_up(amount, plan))
            by_deck = rounded(Fraction(own) * seconds / 60) if own else None
            charged, other = by_amount, by_deck
            if plan.get("pre_rated_price") == "deck":
                charged, other = by_deck, by_amount
            if charged is None:
                self._expect(record, state="error", reason="missing_rate", cost_amount=cost)
                continue
            self._expect(record, state="billed", retail_amount=charged, cost_amount=cost,
                         compared_amount=other, cost_status="pre_rated")  # fmt: skip

    def _events(self, bench: Bench) -> None:
        rng = self.rng
        tariff = {
            "percentage": rng.choice(("2.99", "10", "0")), "event_fee": self._maybe("2", "0.3"),
            "minimum_price": self._maybe("1.75"), "maximum_price": self._maybe("12"),
            "price_point": self._maybe("0.05"), "free_events": self._maybe("1", "3"),
            "free_total": self._maybe("250", "80"), "rounding_decimals": rng.choice(("2", "4")),
            "rounding_mode": rng.choice(("half_up", "up", "half_even")),
        }  # fmt: skip
        given = {name: value for name, value in tariff.items() if value is not None}
        account = bench.service()
        events = []
        for _ in range(rng.randrange(1, 9)):
            day = f"2026-09-{rng.randrange(1, 6):02d} {rng.choice(('08:00:00', '21:30:00'))}"
            events.append((day, rng.choice(("10", "80", "10000", "33.33", "250", "-40", "0"))))
        counted = []
        for day, amount in events:
            bench.event(
                {"net_amount": amount, "event_date": day}, price_mode="percentage", **given
            )
            counted.append(Event(day, f"{bench.code}-{len(counted) + 1}", Fraction(amount)))
        self._expect_lines(account, ("charge", "allowance"), charged_events(counted, given))

    def _sessions(self, bench: Bench) -> None:
        rng = self.rng
        by = rng.choice(("record", "session", "day", "period"))
        zone = rng.choice(("UTC", "America/New_York", "Australia/Lord_Howe"))
        deck = {
            "minimum_seconds": rng.choice(("0", "50000")), "unit_bytes": "1048576",
            "increment_seconds": rng.choice(("1", "102400", "1048576")),
        }  # fmt: skip
        base = rng.choice(("after_minimum", "whole_duration"))
        code = bench.deck("D", usage_type="data", data_rounding=by, **deck)
        price = Fraction("0.137")
        bench.rate(code, "1002", price_per_unit="0.137")
        plan = bench.plan(bench.deck(), data_deck_code=code, increment_base=base)
        account = bench.service(plan, time_zone=zone)
        groups: dict[str, list[int]] = defaultdict(list)
        for number in range(14):
            start = dt.datetime(2026, 9, rng.randrange(3, 7), rng.randrange(24), tzinfo=dt.UTC)
            session = self._maybe("a", "b", "c")
            up, down = rng.randrange(200_000), rng.randrange(3_000_000)
            bench.usage({
                "usage_type": "data", "bytes_up": up, "bytes_down": down,
                "call_group": session and f"{bench.code}{session}", "start_time": start.isoformat(),
            })  # fmt: skip
            local = start.astimezone(ZoneInfo(zone)).date()
            key = {
                "record": str(number), "session": session or str(number), "day": str(local),
                "period": "",
            }[by]  # fmt: skip
            groups[key].append(up + down)
        total = Fraction(0)
        for sizes in groups.values():
            total += Fraction(round_amount(grouped_amount(sizes, deck, price, base), 10, "half_up"))
        self._expect_lines(account, ("usage",), total)

    def _roaming(self, bench: Bench) -> None:
        for network, zone in NETWORKS.items():
            bench.add("visited_network", network_code=network, zone_code=zone)
        decks = {}
        for name, price in (("", "1"), ("E", "2"), ("I", "3")):
            decks[name] = bench.deck(name)
            bench.rate(decks[name], "44", price_per_minute=price)
        plan = bench.plan(decks[""], inbound_deck_code=decks[""])
        bench.service(plan)
        bench.add("roaming_deck", plan_code=plan, zone_code="europe", usage_type="voice",
                  deck_code=decks["E"], inbound_deck_code=decks["I"])  # fmt: skip
        for network, direction, expected in (
            ("", "outbound", "1"), ("GBRVF", "outbound", "1"), ("FRAF1", "outbound", "2"),
            ("fra-f1", "inbound", "3"), ("234-15", "outbound", "2"), ("GBRVF", "inbound", "1"),
            ("USACG", "outbound", "missing_rate"), ("USACG", "inbound", "missing_rate"),
            ("XXXXX", "outbound", "unknown_network"),
        ):  # fmt: skip
            record = bench.usage({
                "duration": 60, "called_number": CALLED, "visited_network": network,
                "direction": direction,
            })  # fmt: skip
            if expected.isdigit():
                self._expect(record, state="billed", retail_amount=Fraction(expected))
            else:
                self._expect(record, state="error", reason=expected)


def _ten(value: Any) -> Decimal | None:
    if value is None:
        return None
    if isinstance(value, Fraction):
        value = Decimal(value.numerator) / Decimal(value.denominator)
    return Decimal(value).quantize(Decimal("1e-10")) + 0


@pytest.fixture(scope="module")
def rated(
    make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Prices, Results]]:
    """The world, rated and invoiced in a transaction."""
    url, folder = make_database(), tmp_path_factory.mktemp("prices")
    with closing(connect(url=url)) as connection:
        with connection, connection.cursor() as cursor:
            world = World(Catalogue(cursor), [])
        prices = Prices(world, 1)
        for kind, path in world.write_reference(folder):
            load_reference(connection, kind, path)
        yield prices, rate_world(connection, dry_models(url), world, folder)


def test_every_price_is_what_brute_force_finds(rated: tuple[Prices, Results]) -> None:
    prices, results = rated
    wrong = [found for check in prices.checks if (found := check(results))]
    assert wrong == [], f"{len(wrong)} of {len(prices.checks)}\n" + "\n".join(wrong[:20])
    assert len(prices.checks) > 300
