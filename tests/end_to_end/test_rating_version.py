"""Months that a version of the rating models is pinned to rate as they did, to the cent."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from loaders.runs import SuspenseFilters
from tests.end_to_end.balance import assert_balanced
from tests.end_to_end.small import Row, source, write_kind
from tests.end_to_end.warehouse import Warehouse

# A minute costs 0.06, a call 0.10 to connect, at least 0.50 and at most 2: in version 1 the fee
# comes on top of both.
KINDS: dict[str, list[Row]] = {
    "rating_version": [{"rating_version": "1", "valid_to": "2026-10-01"}],
    "deck": [
        {
            "deck_code": code, "deck_name": code, "side": side, "currency_code": "USD",
            "minimum_charge": "0.5", "maximum_charge": "2",
        }
        for code, side in (("D", "retail"), ("C", "wholesale"))
    ],
    "rate": [
        {"deck_code": code, "prefix": "44", "price_per_minute": "0.06", "connection_fee": "0.1"}
        for code in ("D", "C")
    ],
    "plan": [{"plan_code": "P", "plan_name": "P", "deck_code": "D", "is_default": "true"}],
    "account": [
        {"account_code": "A", "customer_name": "A", "time_zone": "UTC", "anchor_day": "1"},
        {
            "account_code": "B", "customer_name": "B", "time_zone": "America/New_York",
            "anchor_day": "15",
        },
    ],
    "service": [{"service_code": code, "account_code": code} for code in ("A", "B")],
    "service_identifier": [
        {"service_code": code, "identifier_kind": "account_key", "identifier_value": code}
        for code in ("A", "B")
    ],
    "source": [
        source(
            "calls", "mapped_usage", cost_deck_code="C",
            column_map='{"Start": "start_time", "From": "calling_number", "To": "called_number", '
            '"Seconds": "duration", "Customer": "service_key"}',
        )
    ],
}  # fmt: skip
# Customer, start, seconds, version that rates it, amount.
CALLS = (
    ("A", "2026-09-30T23:59:59Z", "60", 1, "0.6"),
    ("A", "2026-10-01T00:00:00Z", "60", 2, "0.5"),
    ("A", "2026-09-10T12:00:00Z", "6000", 1, "2.1"),
    ("A", "2026-10-10T12:00:00Z", "6000", 2, "2"),
    # A period of September that ends in October, in the zone of the account.
    ("B", "2026-10-15T03:59:59Z", "60", 1, "0.6"),
    ("B", "2026-10-15T04:00:00Z", "60", 2, "0.5"),
    # Of September, and nobody's until its service is known.
    ("LATER", "2026-09-20T12:00:00Z", "60", 1, None),
)


@pytest.fixture(scope="module")
def rated(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calls of both versions, rated by one run."""
    folder = tmp_path_factory.mktemp("versions")
    for kind, rows in KINDS.items():
        write_kind(folder / "reference", kind, rows)
    write_kind(
        folder / "files" / "calls", "calls",
        [
            {
                "Start": start, "From": "+12125550100", "To": "+442079460123", "Seconds": seconds,
                "Customer": customer,
            }
            for customer, start, seconds, *_ in CALLS
        ],
    )  # fmt: skip
    warehouse.load_reference(folder / "reference")
    warehouse.load(folder / "files")
    assert warehouse.rate() is not None
    return folder


def _rated(warehouse: Warehouse) -> list[tuple[int, Decimal | None, Decimal]]:
    return warehouse.rows(
        "select rating_version, retail_amount, cost_amount from rating.current_rated_usage "
        "order by line_no"
    )


def test_one_run_rates_each_period_by_its_version(rated: Path, warehouse: Warehouse) -> None:
    assert _rated(warehouse) == [
        (version, None if amount is None else Decimal(amount), Decimal(amount or "0.6"))
        for *_, version, amount in CALLS
    ]
    assert_balanced(warehouse)


def test_a_call_of_an_old_month_is_rated_anew_as_that_month_was(
    rated: Path, warehouse: Warehouse
) -> None:
    kinds = {
        "service": [{"service_code": "LATER", "account_code": "A"}],
        "service_identifier": [
            {
                "service_code": "LATER", "identifier_kind": "account_key",
                "identifier_value": "LATER",
            }
        ],
    }  # fmt: skip
    for kind, rows in kinds.items():
        warehouse.load_reference(write_kind(rated / "later", kind, rows), kind)
    totals = warehouse.reprocess(SuspenseFilters(reasons=("service_not_found",)))
    assert totals is not None and totals["rated_count"] == 1
    assert _rated(warehouse)[-1] == (1, Decimal("0.6"), Decimal("0.6"))
    # A run that meets one version reads no other.
    folder = warehouse.target / "compiled/ratehouse/models/rating"
    text = (folder / "int_rating__priced_by_period.sql").read_text()
    assert "int_rating__priced_v1" in text
    assert '"int_rating__priced"' not in text and "union all" not in text
