"""Longest prefix in force: the SQL lookup chooses the row that brute force finds."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.end_to_end.small import Row, source, write_kind
from tests.end_to_end.warehouse import Warehouse
from tests.oracle.rating import find_rate
from tests.oracle.reference import Reference, truth
from tests.oracle.run import run

SEEDS = (1, 2, 3)
CALLS = 1700  # for each seed; a call asks the plan's deck and the carrier's
BASES = 70
FIRST = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
SECONDS = 31 * 86400
COLUMNS = {
    "Ref": "record_id", "Start": "start_time", "From": "calling_number", "To": "called_number",
    "Seconds": "duration", "Customer": "service_key",
}  # fmt: skip
CALLERS = ("+12125550100", "+12135550100", "+14165550100", "+442079460000", "")
NUMBERING: dict[str, list[Row]] = {
    "npa": [
        {"npa": npa, "country": country, "usage_class": "geographic", "is_in_service": "true"}
        for npa, country in (("212", "US"), ("213", "US"), ("416", "CA"))
    ],
    "npanxx": [
        {"npanxx": npanxx, "state_code": state, "is_in_service": "true"}
        for npanxx, state in (("212555", "NY"), ("212556", "NY"), ("213555", "CA"))
    ],
}
_TEXT = (
    "case when isfinite({0}.valid_from) "
    "then to_char({0}.valid_from, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') "
    "else {0}.valid_from::text end"
)
_CHOSEN = """
    select
        t.file_id, t.line_no, t.rated_number::text, t.jurisdiction,
        retail.deck_code, retail.prefix, retail.jurisdiction, {retail_from},
        cost.deck_code, cost.prefix, cost.jurisdiction, {cost_from}
    from rating.int_rating__tariffed as t
    left join reference.rate as retail on t.retail_rate_id = retail.rate_id
    left join reference.rate as cost on t.cost_rate_id = cost.rate_id
""".format(retail_from=_TEXT.format("retail"), cost_from=_TEXT.format("cost"))


@dataclass
class World:
    """Random decks of one seed, and random calls to numbers that resemble their prefixes."""

    seed: int
    call_count: int = CALLS
    rates: list[Row] = field(default_factory=list)
    calls: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"decks:{self.seed}")
        self.cuts = [0, SECONDS // 2]
        bases = [self._base() for _ in range(BASES)]
        for deck, has_jurisdictions in ((f"R{self.seed}", self.seed % 2 == 1),
                                        (f"C{self.seed}", self.seed % 3 == 2)):  # fmt: skip
            self._add_deck(deck, bases, has_jurisdictions)
        self.calls = [self._call(number, bases) for number in range(self.call_count)]

    def _digits(self, count: int) -> str:
        """Many zeros: a number filled up with zeros must not meet a longer prefix."""
        return "".join(self.rng.choice("00000123456789") for _ in range(count))

    def _base(self) -> str:
        area = self.rng.choice(("1212555", "1212556", "1213555", "1416555", "1999555", "", "", ""))
        start = area or self.rng.choice("23456789")
        return start + self._digits(13 - len(start))

    def _add_deck(self, deck: str, bases: list[str], has_jurisdictions: bool) -> None:
        prefixes = {"1", "14", "1411", "14110", "1611"}
        for base in bases:
            lengths = self.rng.sample(range(1, 14), self.rng.randint(1, 6))
            prefixes |= {base[:length] for length in lengths}
        names = ("any", "interstate", "intrastate", "indeterminate")
        for prefix in sorted(prefixes):
            # Rows of a jurisdiction mean nothing in a deck that has none.
            count = self.rng.choice((1, 1, 2, 3)) if has_jurisdictions else 1
            for jurisdiction in self.rng.sample(names, count):
                self._add_versions(deck, prefix, jurisdiction)

    def _add_versions(self, deck: str, prefix: str, jurisdiction: str) -> None:
        edges = sorted(
            self.rng.choice(self.cuts) if self.rng.random() < 0.3 else self.rng.randrange(SECONDS)
            for _ in range(self.rng.choice((0, 0, 1, 1, 2, 3)))
        )
        self.cuts += edges
        bounds = ["", *(self._instant(edge) for edge in dict.fromkeys(edges)), ""]
        for valid_from, valid_to in zip(bounds, bounds[1:], strict=False):
            if valid_from and self.rng.random() < 0.2:
                continue  # a gap
            is_blocked = self.rng.random() < 0.1
            self.rates.append({
                "deck_code": deck, "prefix": prefix, "jurisdiction": jurisdiction,
                "status": "blocked" if is_blocked else "open",
                "price_per_minute": "" if is_blocked else f"{self.rng.random():.6f}",
                "valid_from": valid_from, "valid_to": valid_to,
            })  # fmt: skip

    def _instant(self, second: int) -> str:
        return (FIRST + dt.timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _call(self, number: int, bases: list[str]) -> Row:
        # On the very second at which a price changes, or anywhere.
        second = (
            self.rng.choice(self.cuts) if self.rng.random() < 0.3 else self.rng.randrange(SECONDS)
        )
        base = self.rng.choice(bases)
        if self.rng.random() < 0.05:
            called = self.rng.choice(("211", "411", "611"))
        elif base[0] == "1":
            kept = base[: self.rng.randint(7, 11)]
            called = "+" + kept + self._digits(11 - len(kept))
        else:
            length = self.rng.randint(7, 15)
            kept = base[: self.rng.randint(1, length)]
            called = "+" + kept + self._digits(length - len(kept))
        return {
            "Ref": f"{self.seed}-{number}", "Start": self._instant(second),
            "From": self.rng.choice(CALLERS), "To": called, "Seconds": "30",
            "Customer": f"key{self.seed}",
        }  # fmt: skip

    @property
    def reference(self) -> dict[str, list[Row]]:
        """What prices the calls."""
        retail, cost, plan = f"R{self.seed}", f"C{self.seed}", f"P{self.seed}"
        decks = {
            retail: str(self.seed % 2 == 1).lower(), cost: str(self.seed % 3 == 2).lower(),
        }  # fmt: skip
        return {
            "deck": [
                {"deck_code": code, "deck_name": code, "side": "retail", "currency_code": "USD",
                 "is_jurisdictional": is_jurisdictional}
                for code, is_jurisdictional in decks.items()
            ],
            "rate": self.rates,
            "plan": [{"plan_code": plan, "plan_name": plan, "deck_code": retail}],
            "account": [{"account_code": f"A{self.seed}", "customer_name": "A", "plan_code": plan}],
            "service": [{"service_code": f"S{self.seed}", "account_code": f"A{self.seed}"}],
            "service_identifier": [
                {"service_code": f"S{self.seed}", "identifier_kind": "account_key",
                 "identifier_value": f"key{self.seed}"},
            ],
            "source": [
                source(f"calls{self.seed}", "mapped_usage", column_map=json.dumps(COLUMNS),
                       cost_deck_code=cost),
            ],
        }  # fmt: skip


def write_decks(folder: Path, call_count: int = CALLS) -> Path:
    """The decks and calls of all seeds."""
    kinds: dict[str, list[Row]] = dict(NUMBERING)
    for seed in SEEDS:
        world = World(seed, call_count)
        for kind, rows in world.reference.items():
            kinds[kind] = [*kinds.get(kind, []), *rows]
        write_kind(folder / "files" / f"calls{seed}", "calls", world.calls)
    for kind, rows in kinds.items():
        write_kind(folder / "reference", kind, rows)
    return folder


@pytest.fixture(scope="module")
def rated(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The calls of all seeds, priced by one run."""
    folder = write_decks(tmp_path_factory.mktemp("decks"))
    warehouse.load_reference(folder / "reference")
    warehouse.load(folder / "files")
    assert warehouse.rate() is not None
    return folder


def test_every_price_is_the_one_that_brute_force_finds(rated: Path, warehouse: Warehouse) -> None:
    reference = Reference.load(rated / "reference")
    order = {
        (code, name): file_id
        for file_id, code, name in warehouse.rows(
            "select file_id, source_code, file_name from control.file"
        )
    }
    files = sorted((path.parent.name, path) for path in (rated / "files").glob("*/*.csv"))
    legs = {
        (leg.file_id, leg.line_no): leg
        for leg in run(files, reference, landing_order=order).legs
    }  # fmt: skip
    chosen = {row[:2]: row[2:] for row in warehouse.rows(_CHOSEN)}
    assert chosen.keys() == legs.keys()

    outcomes: Counter[str] = Counter()
    wrong = []
    for place, leg in legs.items():
        number, jurisdiction, *rows = chosen[place]
        assert (number, jurisdiction) == (leg.rated_number, leg.jurisdiction), place
        seed = leg.source_code.removeprefix("calls")
        for deck_code, found in ((f"R{seed}", rows[:4]), (f"C{seed}", rows[4:])):
            deck = reference.deck(deck_code, leg.started_at)
            row = find_rate(reference, deck, number, jurisdiction, leg.started_at)
            expected = [
                deck_code, row["prefix"], row["jurisdiction"], row.get("valid_from", "-infinity"),
            ] if row else [None] * 4  # fmt: skip
            outcomes[_outcome(number, row, truth(deck["is_jurisdictional"]))] += 1
            if found != expected:
                wrong.append(f"{number} {jurisdiction} {leg.started_at} {found} not {expected}")
    assert wrong == [], f"{len(wrong)} of {outcomes.total()}\n" + "\n".join(wrong[:20])
    assert outcomes.total() >= 5000
    # The decks must have asked every kind of question often enough.
    assert min(outcomes[name] for name in ("none", "blocked", "1N11", "own", "any", "long")) > 50, (
        outcomes
    )


def _outcome(number: str, row: Row | None, is_jurisdictional: bool) -> str:
    if row is None:
        return "none"
    if row["status"] == "blocked":
        return "blocked"
    if len(number) == 4:
        return "1N11"
    if is_jurisdictional and row["jurisdiction"] != "any":
        return "own"
    return "long" if len(row["prefix"]) > 8 else "any"


def test_states_and_amounts_follow(rated: Path, warehouse: Warehouse) -> None:
    """A row that was found and not blocked bills the call; nothing else does."""
    states = dict(
        warehouse.rows(
            "select coalesce(reason, state), count(*) from rating.current_rated_usage group by 1"
        )
    )
    assert set(states) == {"billed", "missing_rate", "destination_blocked"}
    assert sum(states.values()) == CALLS * len(SEEDS)
    wrong = warehouse.rows(
        "select r.usage_id from rating.current_rated_usage as r "
        "inner join rating.int_rating__tariffed as t using (file_id, line_no, leg_no) "
        "where (r.state = 'billed') <> (coalesce(t.retail_status, '') = 'open')"
    )
    assert wrong == []
