"""Random tariffs and calls through the models: what holds of every one of them.

The same deck prices both sides: what a customer pays and what a carrier bills must come out alike.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection  # noqa: N812 - a type, not a function

from loaders.database import connect
from loaders.files.landing import Received
from loaders.files.sources import Sources
from loaders.files.trial import land_in_transaction
from loaders.reference import load_reference
from loaders.runs.dry import DryModels, dry_run
from orchestration.lib.dry_models import dry_models
from tests.end_to_end.small import Row, source, write_kind

COLUMNS = {
    "Ref": "record_id", "Start": "start_time", "To": "called_number", "Seconds": "duration",
    "Customer": "service_key",
}  # fmt: skip
START = dt.datetime(2026, 10, 5, 12, tzinfo=dt.UTC)
_NUMBERS = itertools.count(1)

# An example is a second or two of database work: few of them, each with many calls, and nothing is
# tried again to find a smaller one.
FEW = settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _or_nothing(*values: str) -> st.SearchStrategy[str]:
    return st.sampled_from(("", "", *values))


@st.composite
def tariffs(draw: st.DrawFn) -> Row:
    """Settings of a deck under which a longer call may never be cheaper."""
    rule = draw(st.sampled_from(("rest_free", "call_ended", "per_period")))
    return {
        "minimum_seconds": draw(_or_nothing("6", "30", "60")),
        "increment_seconds": draw(_or_nothing("1", "6", "60")),
        "minute_seconds": draw(_or_nothing("50", "64")),
        "grace_seconds": draw(_or_nothing("3", "10")),
        "included_seconds": draw(_or_nothing("5", "40")),
        "additional_seconds": draw(_or_nothing("2")),
        "minimum_charge": draw(_or_nothing("0.05", "0.6")),
        "maximum_charge": draw(_or_nothing("0.7", "2")),
        "maximum_charge_rule": rule,
        "cap_period_seconds": "600" if rule == "per_period" else "",
        "duration_rounding": draw(st.sampled_from(("up", "half_up", "down", "half_down"))),
        "increment_base": draw(st.sampled_from(("after_minimum", "whole_duration"))),
        "rounding_decimals": draw(st.sampled_from(("2", "4", "6"))),
        "rounding_mode": draw(
            st.sampled_from(("up", "half_up", "half_even", "half_down", "down"))
        ),
        "rounding_unit": draw(_or_nothing("0.01", "0.05")),
    }  # fmt: skip


@st.composite
def prices(draw: st.DrawFn) -> Row:
    """The row of a deck."""
    return {
        "prefix": "44",
        "price_per_minute": f"{draw(st.decimals(0, 3, places=7)):f}",
        "connection_fee": f"{draw(st.decimals(0, 1, places=4)):f}",
    }


SECONDS = st.lists(
    st.one_of(
        st.integers(1, 130).map(Decimal),
        st.decimals(Decimal("0.1"), 4000, places=1),
    ),
    min_size=12,
    max_size=25,
    unique=True,
)


@dataclass
class Bench:
    """A database, the compiled models and a folder for files."""

    url: str
    models: DryModels = field(repr=False)
    folder: Path

    def rate(self, files: Sequence[tuple[str, Sequence[Row]]]) -> Iterator[dict[str, Any]]:
        """Land files (source and rows) and rate them; the rows of the usage, then gone again."""
        with self._session() as connection, dry_run(connection, self.models) as run:
            sources = Sources(run.cursor)
            for number, (code, rows) in enumerate(files, start=1):
                path = write_kind(self.folder, f"{code}_{number}", rows)
                result = land_in_transaction(
                    run.cursor, Received(path), sources, sources.named(code), file_id=number,
                    ignore_holds=True,
                )  # fmt: skip
                assert result.status == "landed", result
                run.file_ids.append(number)
            run.rate(until="rated_usage")
            run.cursor.execute(
                "select r.*, l.record_id from dry_rating.rated_usage as r "
                "inner join landing.mapped_usage as l using (file_id, line_no)"
            )
            names = [column.name for column in run.cursor.description]
            found = [dict(zip(names, row, strict=True)) for row in run.cursor.fetchall()]
        yield from found

    def load(self, kinds: dict[str, list[Row]]) -> None:
        """Load reference data; it stays."""
        with self._session() as connection:
            for kind, rows in kinds.items():
                load_reference(connection, kind, write_kind(self.folder / "reference", kind, rows))

    def _session(self) -> closing[Connection]:
        return closing(connect(url=self.url, application_name="ratehouse test"))


@pytest.fixture(scope="module")
def bench(make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One bench for all examples: each has customers and sources of its own."""
    url = make_database()
    return Bench(url, dry_models(url), tmp_path_factory.mktemp("properties"))


def make_customers(bench: Bench, terms: Sequence[tuple[Row, Row]]) -> list[str]:
    """A customer and a carrier for each tariff, who both go by it: their code."""
    kinds: dict[str, list[Row]] = {
        kind: []
        for kind in (
            "deck", "rate", "plan", "account", "service", "service_identifier", "source",
        )
    }  # fmt: skip
    codes = [f"x{next(_NUMBERS)}" for _ in terms]
    for code, (tariff, price) in zip(codes, terms, strict=True):
        kinds["deck"].append(
            {"deck_code": code, "deck_name": code, "side": "retail", "currency_code": "USD"}
            | dict(tariff)
        )
        kinds["rate"].append({"deck_code": code} | dict(price))
        shared = (
            "duration_rounding", "increment_base", "rounding_decimals", "rounding_mode",
            "rounding_unit",
        )  # fmt: skip
        kinds["plan"].append(
            {"plan_code": code, "plan_name": code, "deck_code": code}
            | {name: tariff[name] for name in shared}
        )
        kinds["account"].append({"account_code": code, "customer_name": code, "plan_code": code})
        kinds["service"].append({"service_code": code, "account_code": code})
        kinds["service_identifier"].append(
            {"service_code": code, "identifier_kind": "account_key", "identifier_value": code}
        )
        kinds["source"].append(
            source(code, "mapped_usage", column_map=json.dumps(COLUMNS), cost_deck_code=code,
                   reject_ceiling_percent="100")
        )  # fmt: skip
    bench.load(kinds)
    return codes


def call(code: str, number: int, seconds: Decimal | str, to: str = "+442079460123") -> Row:
    """A call of a customer; all begin within the hour."""
    return {
        "Ref": str(number), "Start": (START + dt.timedelta(seconds=number)).isoformat(),
        "To": to, "Seconds": f"{seconds}", "Customer": code,
    }  # fmt: skip


@FEW
@given(st.lists(st.tuples(tariffs(), prices()), min_size=5, max_size=8), SECONDS)
def test_longer_is_never_cheaper_and_both_sides_are_alike(
    bench: Bench, terms: list[tuple[Row, Row]], seconds: list[Decimal]
) -> None:
    codes = make_customers(bench, terms)
    files = [
        (code, [call(code, number, length) for number, length in enumerate(seconds)])
        for code in codes
    ]
    legs: dict[int, list[dict[str, Any]]] = {}
    for leg in bench.rate(files):
        legs.setdefault(leg["source_id"], []).append(leg)
    assert len(legs) == len(terms)
    for of_one in legs.values():
        assert len(of_one) == len(seconds)
        of_one.sort(key=lambda leg: seconds[int(leg["record_id"])])
        for leg in of_one:
            assert leg["state"] == "billed", leg
            assert leg["cost_status"] in ("priced", "free_grace"), leg
            for part in ("billed_seconds", "unrounded_amount", "amount"):
                name = f"retail_{part}"
                assert leg[name] is not None and leg[name] >= 0, (name, leg)
                assert leg[name] == leg[f"cost_{part}"], (name, leg)
        for shorter, longer in itertools.pairwise(of_one):
            for name in ("retail_billed_seconds", "retail_unrounded_amount", "retail_amount"):
                assert shorter[name] <= longer[name], (name, shorter, longer)


ODD = st.sampled_from(
    (
        ("", "+442079460123"), ("-5", "+442079460123"), ("0", "+442079460123"), ("60", ""),
        ("60", "911"), ("60", "+33155501234"), ("60", "4.47912E+11"), ("9999999", "+44207946012"),
        ("61", "+442079460123"), ("abc", "+442079460123"), ("60", "*67"), ("60", "201"),
    )
)  # fmt: skip


Drawn = list[tuple[int, tuple[str, str]]]


@FEW
@given(
    st.tuples(tariffs(), prices()),
    st.lists(st.tuples(st.integers(0, 15), ODD), min_size=10, max_size=40),
    st.data(),
)
def test_every_record_ends_in_one_state_however_the_files_are_cut_and_shuffled(
    bench: Bench, terms: tuple[Row, Row], drawn: Drawn, data: st.DataObject
) -> None:
    """Records repeat (the same number, all else equal); none contradicts another."""
    (code,) = make_customers(bench, [terms])
    odd = dict(drawn)
    rows = [call(code, number, *odd[number]) for number, _ in drawn]
    rows += [call(code, number, number) for number in range(20, 30)]

    def summary(files: Sequence[Sequence[Row]]) -> Counter[tuple[Any, ...]]:
        rated = list(bench.rate([(code, file) for file in files if file]))
        assert len({(leg["file_id"], leg["line_no"], leg["leg_no"]) for leg in rated}) == len(rated)
        # Every line once, in one state; a reason for all that is not billed, no amount without.
        assert len(rated) == len(rows)
        for leg in rated:
            assert leg["state"] in ("billed", "not_billable", "duplicate", "error"), leg
            assert (leg["reason"] is None) == (leg["state"] == "billed"), leg
            assert (leg["retail_amount"] is None) == (leg["state"] != "billed"), leg
            assert (leg["original_usage_id"] is None) == (leg["state"] != "duplicate"), leg
        return Counter(
            (
                leg["record_id"], leg["state"], leg["reason"], leg["billable_seconds"],
                leg["retail_billed_seconds"], leg["retail_amount"], leg["cost_amount"],
                leg["service_id"], leg["period_month"], leg["charge_class"],
            )
            for leg in rated
        )  # fmt: skip

    whole = summary([rows])
    shuffled = data.draw(st.permutations(rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), min_size=1, max_size=3)))
    parts = [shuffled[first:last] for first, last in itertools.pairwise([0, *cuts, len(shuffled)])]
    assert summary(parts) == whole
