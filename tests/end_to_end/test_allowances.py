"""Random allowances over three periods: the models agree with the second implementation."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest

from loaders.database import connect
from loaders.files.landing import Received
from loaders.files.sources import Sources
from loaders.files.trial import land_in_transaction
from loaders.reference import load_reference
from loaders.reference.kinds import KINDS
from loaders.runs.dry import DryRun, dry_run
from orchestration.lib.dry_models import dry_models
from tests.end_to_end.small import Row, source, write_kind
from tests.oracle.allowances import Leg, Period, allowances_of
from tests.oracle.reference import Dated, dated_rows

MONTHS = (dt.date(2026, 9, 1), dt.date(2026, 10, 1), dt.date(2026, 11, 1))
FIRST = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
ACCOUNTS = 12
CALLS = 900
# Accounts of the last ones share pools.
POOLED = 4
COLUMNS = {
    "Start": "start_time", "From": "calling_number", "To": "called_number",
    "Seconds": "duration", "Customer": "service_key", "Type": "usage_type",
    "Parts": "quantity", "Down": "bytes_down", "Way": "direction",
}  # fmt: skip
ROUNDING = ("up", "half_up", "half_even", "half_down", "down")
# Units are kept to ten decimals.
TOLERANCE = Fraction(1, 10**6)

_LEGS = """
    select to_jsonb(rated) || jsonb_build_object(
        'account', account_key.account_code, 'service', service_key.service_code,
        'plan', plan_key.plan_code
    )
    from dry_rating.rated_usage as rated
    inner join reference.account_key on rated.account_id = account_key.account_id
    inner join reference.service_key on rated.service_id = service_key.service_id
    inner join reference.plan_key on rated.plan_id = plan_key.plan_id
    where rated.state = 'billed'
"""
_USES = """
    select usage_id, allowance_code, grant_kind, consumed_units, units_taken, waived_amount
    from dry_billing.allowance_use order by usage_id, piece_no
"""
_BALANCES = """
    select
        allowance_code, holder_kind,
        case holder_kind
            when 'service' then (
                select service_code from reference.service_key
                where service_id::text = balance.holder_key
            )
            when 'account' then (
                select account_code from reference.account_key
                where account_id::text = balance.holder_key
            )
            else holder_key
        end,
        grant_kind, purchase_code, origin_month, granted_units, used_units, carried_units
    from dry_billing.allowance_balance as balance
"""


class World:
    """Plans whose allowances differ in every setting."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.kinds: dict[str, list[Row]] = {name: [] for name in KINDS}
        self._add("deck", deck_code="V", deck_name="V", side="retail", currency_code="USD")
        self._add("deck", deck_code="T", deck_name="T", side="retail", currency_code="USD",
                  usage_type="sms")  # fmt: skip
        self._add("deck", deck_code="B", deck_name="B", side="retail", currency_code="USD",
                  usage_type="data")  # fmt: skip
        for prefix, price, fee in (("44", "0.07", "0.05"), ("4420", "0.033", "0"), ("33", "0", "")):
            self._add("rate", deck_code="V", prefix=prefix, price_per_minute=price,
                      connection_fee=fee, minimum_seconds="30", increment_seconds="6")  # fmt: skip
            self._add("rate", deck_code="T", prefix=prefix, price_per_unit="0.0451")
        self._add("rate", deck_code="B", prefix="1002", price_per_unit="0.01")
        for prefix in ("4420", "442079"):
            self._add("destination_group", destination_group_code="city", prefix=prefix)
        self._add("destination_group", destination_group_code="uk", prefix="44")
        self.kinds["source"].append(
            source("calls", "mapped_usage", number_plan="e164", classify_mode="none",
                   column_map=json.dumps(COLUMNS))
        )  # fmt: skip
        for number in range(ACCOUNTS):
            self._account(number)
        for number in range(ACCOUNTS - POOLED, ACCOUNTS):
            self._add("allowance_pool", pool_code=f"pool{number % 2}",
                      **self.rng.choice((
                          {"member_kind": "account", "member_code": f"A{number:02d}"},
                          {"member_kind": "service", "member_code": f"S{number:02d}-0"},
                      )))  # fmt: skip

    def _add(self, kind: str, **row: str) -> None:
        self.kinds[kind].append(row)

    def _maybe(self, *values: str) -> str:
        return self.rng.choice(values) if self.rng.random() < 0.5 else ""

    def _account(self, number: int) -> None:
        code = f"{number:02d}"
        self._add(
            "plan", plan_code=f"P{code}", plan_name="P", deck_code="V", inbound_deck_code="V",
            sms_deck_code="T", data_deck_code="B", rounding_mode=self.rng.choice(ROUNDING),
            rounding_decimals=self.rng.choice(("2", "4")), discount_percent=self._maybe("10"),
            rounding_place=self._maybe("before_discount"),
            rounding_level=self._maybe("line", "invoice"),
        )  # fmt: skip
        self._add(
            "account", account_code=f"A{code}", customer_name="A", plan_code=f"P{code}",
            time_zone=self._maybe("America/New_York"),
            anchor_day="1" if number >= ACCOUNTS - POOLED else self.rng.choice(("1", "15", "31")),
        )  # fmt: skip
        for line in range(2):
            service = f"S{code}-{line}"
            self._add(
                "service", service_code=service, account_code=f"A{code}",
                plan_code=self._maybe("P00") if line else "",
                valid_from=self._maybe("2026-09-10T06:00:00Z") if line else "",
                valid_to=self._maybe("2026-10-20T18:30:00Z") if line else "",
            )  # fmt: skip
            self._add("service_identifier", service_code=service, identifier_kind="account_key",
                      identifier_value=service)  # fmt: skip
        for suffix in range(3):
            self._allowance(number, f"{code}{suffix}")

    def _allowance(self, number: int, code: str) -> None:
        unit, size = self.rng.choice((
            ("seconds", "9000"), ("seconds", "2500.5"), ("seconds", "20000"), ("calls", "7"),
            ("messages", "12"), ("bytes", "60000000"), ("money", "2.5"),
        ))  # fmt: skip
        is_plan = self.rng.random() < 0.6
        rolls = is_plan and self.rng.random() < 0.7
        granted = self.rng.choice(("service", "account"))
        shared = self.rng.choice(("service", "account", "pool") if granted == "service"
                                 else ("account", "pool"))  # fmt: skip
        grant_rule = "each_period" if is_plan else self.rng.choice(("each_period", "once"))
        allowance = f"L{code}"
        self._add(
            "allowance", allowance_code=allowance, allowance_name=allowance,
            plan_code=f"P{number:02d}" if is_plan else "", unit=unit, size=size,
            currency_code="USD" if unit == "money" else "", grant_rule=grant_rule,
            granted_per=granted, shared_by=shared, eligible_plans=self._maybe("any"),
            priority=self._maybe("50", "150", "250"), rollover_priority=self._maybe("90"),
            consumes=self._maybe("real") if unit == "seconds" else "",
            overage=self._maybe("whole_call"), waives_connection_fee=self._maybe("true"),
            proration=self._maybe("start", "end", "both"),
            proration_unit=self._maybe("60", "0.01"),
            proration_rounding=self._maybe("half_up", "down"),
            rollover_percent=self.rng.choice(("100", "33.3")) if rolls else "",
            rollover_limit=self._maybe("4000"), rollover_maximum=self._maybe("5000"),
            rollover_periods=self._maybe("1", "2"),
        )  # fmt: skip
        if self.rng.random() < 0.4:
            self._rules(allowance)
        if not is_plan or self.rng.random() < 0.3:
            for purchase in range(self.rng.randint(1, 2)):
                self._purchase(number, allowance, f"{code}{purchase}", is_plan)

    def _rules(self, allowance: str) -> None:
        for group in self.rng.sample(("any", "uk", "city"), 2):
            self._add(
                "allowance_rule", allowance_code=allowance, destination_group_code=group,
                direction=self._maybe("outbound"), is_included=self._maybe("false"),
                multiplier=self._maybe("1.5", "0.7", "3"),
            )  # fmt: skip

    def _purchase(self, number: int, allowance: str, code: str, is_plan: bool) -> None:
        holder = self.rng.choice((
            {"account_code": f"A{number:02d}"}, {"service_code": f"S{number:02d}-0"},
            *([{"pool_code": f"pool{number % 2}"}] if number >= ACCOUNTS - POOLED else []),
        ))  # fmt: skip
        self._add(
            "allowance_purchase", purchase_code=f"B{code}", allowance_code=allowance, **holder,
            counts_as=self._maybe("rollover") if is_plan else "",
            quantity=self._maybe("2"), size=self._maybe("900"),
            valid_from=self.rng.choice(
                ("2026-09-05T12:00:00Z", "2026-09-16T00:00:00Z", "2026-10-16T00:00:00Z")
            ),
            valid_to=self._maybe("2026-10-25T00:00:00Z", "2026-11-18T05:00:00Z"),
        )  # fmt: skip

    def calls(self) -> list[Row]:
        """Usage of three months, in no order; some calls begin in the same second."""
        return [self._call() for _ in range(CALLS)]

    def _call(self) -> Row:
        start = FIRST + dt.timedelta(seconds=self.rng.randrange(0, 90 * 86400, 7200))
        usage_type = self.rng.choice(("voice", "voice", "voice", "sms", "data"))
        number = self.rng.randrange(ACCOUNTS)
        return {
            "Start": start.strftime("%Y-%m-%dT%H:%M:%SZ"), "From": "+12125550100",
            "To": "+" + self.rng.choice(("442079460001", "442000000001", "447700900001",
                                         "33100000001")),
            "Seconds": f"{self.rng.uniform(1, 3000):.1f}" if usage_type == "voice" else "",
            "Customer": f"S{number:02d}-{self.rng.randrange(2)}",
            "Type": usage_type, "Parts": str(self.rng.randint(1, 4)) if usage_type == "sms" else "",
            "Down": str(self.rng.randrange(9_000_000)) if usage_type == "data" else "",
            "Way": self.rng.choice(("", "inbound")) if usage_type == "voice" else "",
        }  # fmt: skip


@dataclass
class Drafted:
    """What models and oracle made of a month."""

    month: dt.date
    uses: list[tuple[Any, ...]]
    balances: list[tuple[Any, ...]]
    lines: dict[str, Fraction]
    wanted: Period


@pytest.fixture(scope="module")
def drafted(
    make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> list[Drafted]:
    """Three months of one world, by both."""
    folder = tmp_path_factory.mktemp("allowances")
    world = World(31)
    url = make_database()
    with contextlib.closing(connect(url=url)) as connection:
        for kind, rows in world.kinds.items():
            if rows:
                load_reference(connection, kind, write_kind(folder, kind, rows))
        path = write_kind(folder / "calls", "calls", world.calls())
        with dry_run(connection, dry_models(url)) as run:
            sources = Sources(run.cursor)
            landed = land_in_transaction(
                run.cursor, Received(path), sources, sources.named("calls"), file_id=1
            )
            assert landed.status == "landed"
            run.cursor.execute("update control.file set received_at = '2200-01-01'")
            run.file_ids = [1]
            run.rate()
            return _draft(run, dated_rows(world.kinds))


def _draft(run: DryRun, kinds: dict[str, list[Dated]]) -> list[Drafted]:
    legs = _legs(run)
    found: list[Drafted] = []
    before: list[Any] = []
    for month in MONTHS:
        wanted = allowances_of(
            kinds, [leg for at, leg in legs if at == month.isoformat()], month, before
        )
        before = wanted.grants
        with run.invoice(month, "main"):
            run.cursor.execute(_USES)
            uses = run.cursor.fetchall()
            run.cursor.execute(_BALANCES)
            balances = run.cursor.fetchall()
            run.cursor.execute(
                "select line_kind, sum(line_amount) from dry_billing.draft_invoice_line "
                "group by line_kind"
            )
            lines = {kind: Fraction(amount) for kind, amount in run.cursor.fetchall()}
        found.append(Drafted(month, uses, balances, lines, wanted))
    return found


def _legs(run: DryRun) -> list[tuple[str, Leg]]:
    run.cursor.execute(_LEGS)
    found = []
    for (row,) in run.cursor.fetchall():
        units = row["retail_billed_seconds"]
        if units is None:
            units = row["retail_billed_units"]
        exact = Fraction(str(row["retail_unrounded_amount"]))
        if not row["retail_has_terms"]:
            exact = Fraction(str(row["retail_connection_fee"])) + Fraction(
                str(row["retail_price_per_minute"])
            ) * units / 60
        gross = exact - Fraction(str(row["retail_discount_amount"] or 0))
        fee = min(Fraction(str(row["retail_connection_fee"])), gross)
        found.append((
            row["period_month"],
            Leg(
                row["usage_id"], row["account"], row["service"], row["plan"],
                dt.datetime.fromisoformat(row["started_at"]), row["usage_type"],
                row["charge_class"], row["direction"], str(row["rated_number"]),
                row["currency_code"], Fraction(str(row["billable_seconds"] or 0)), Fraction(units),
                Fraction(str(row["retail_amount"])), exact,
                fee * exact / gross if gross else Fraction(0),
            ),
        ))  # fmt: skip
    return found


def test_every_unit_agrees_with_the_oracle(drafted: list[Drafted]) -> None:
    for month in drafted:
        wanted = [
            (use.usage_id, use.allowance, use.kind, use.consumed, use.covered, use.waived)
            for use in sorted(month.wanted.uses, key=lambda use: use.usage_id)
        ]
        got = Counter(row[:3] for row in month.uses)
        assert got == Counter(row[:3] for row in wanted), month.month
        for row, other in zip(sorted(month.uses), sorted(wanted), strict=True):
            for one, two in zip(row[3:], other[3:], strict=True):
                assert abs(Fraction(one) - two) < TOLERANCE, (month.month, row, other)


def test_every_balance_agrees_with_the_oracle(drafted: list[Drafted]) -> None:
    for month in drafted:
        wanted = {
            (grant.allowance, *grant.holder, grant.kind, grant.purchase, grant.origin):
            (grant.granted, grant.used, grant.carried)
            for grant in month.wanted.grants
        }  # fmt: skip
        got = {row[:6]: row[6:] for row in month.balances}
        assert len(got) == len(month.balances)
        assert got.keys() == wanted.keys(), month.month
        for key, units in got.items():
            for one, two in zip(units, wanted[key], strict=True):
                assert abs(Fraction(one) - two) < TOLERANCE, (month.month, key, units, wanted[key])


def test_lines_take_off_what_is_waived(drafted: list[Drafted]) -> None:
    for month in drafted:
        waived = sum((use.waived for use in month.wanted.uses), Fraction(0))
        # Plans of level `line` round the sum: half a cent for each line at most.
        assert abs(month.lines["allowance"] + waived) < Fraction(1, 2)
        assert month.lines["usage"] + month.lines["allowance"] >= 0


def test_the_world_met_every_rule(drafted: list[Drafted]) -> None:
    kinds = Counter(use.kind for month in drafted for use in month.wanted.uses)
    assert min(kinds[kind] for kind in ("plan", "pack", "rollover")) >= 10, kinds
    several = Counter(
        (month.month, use.usage_id) for month in drafted for use in month.wanted.uses
    )
    assert sum(count > 1 for count in several.values()) >= 10
    holders = Counter(grant.holder[0] for month in drafted for grant in month.wanted.grants)
    assert min(holders[kind] for kind in ("service", "account", "pool")) >= 3, holders
    assert any(not grant.is_usable for month in drafted for grant in month.wanted.grants)
