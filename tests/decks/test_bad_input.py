"""Reference files that would make a wrong price: refused with line, column and reason, whole."""

from __future__ import annotations

import pytest

from loaders.reference import ReferenceRefused, load_reference
from tests.decks.conftest import Warehouse

BASE = {
    "plan": "plan_code,plan_name,deck_code\nP,Plan,NEW\n",
    "account": "account_code,customer_name\nA1,One\nA2,Two\n",
    "service": "service_code,account_code\nS1,A1\nS2,A2\n",
    "service_identifier": "service_code,identifier_kind,identifier_value\nS1,number,12125550100\n",
}


@pytest.mark.parametrize(
    ("kind", "content", "reason"),
    [
        (
            "plan", "plan_code,plan_name,deck_code\nQ,Q,\n",
            "line 2, deck_code: must not be empty",
        ),
        (
            "plan", "plan_code,plan_name,deck_code\nQ,Q,NEW\nR,R,NONE\n",
            "line 3, deck_code 'NONE': there is no such deck",
        ),
        ("plan", "plan_code,plan_name\nQ,Q\n", "deck_code: this column must be there"),
        (
            "service", "service_code,account_code\nS9,A1\nS9,A2\n",
            "line 3, service_code 'S9': is valid at the same time as line 2",
        ),
        (
            "service", "service_code,account_code,valid_from\nS1,A2,2026-06-01\n",
            "line 2, service_code 'S1': overlaps the row already known",
        ),
        (
            "service_identifier",
            "service_code,identifier_kind,identifier_value,valid_from\n"
            "S2,number,12125550100,2026-06-01\n",
            "line 2, identifier_kind/identifier_value 'number/12125550100': overlaps",
        ),
        (
            "rate",
            "deck_code,prefix,price_per_minute,valid_from\n"
            "NEW,44,0.01,2026-01-01\nNEW,44,0.02,2026-06-01\n",
            "line 3, deck_code/prefix/jurisdiction 'NEW/44/any': is valid at the same time as "
            "line 2",
        ),
        (
            "rate", "deck_code,prefix,price_per_minute\nNEW,44,\n",
            "line 2, price_per_minute",
        ),
        (
            "account", "account_code,customer_name,time_zone\nA9,Nine,Mars\n",
            "line 2, time_zone 'Mars': is no zone",
        ),
    ],
)  # fmt: skip
def test_bad_reference_files(
    warehouse: Warehouse, kind: str, content: str, reason: str
) -> None:
    for name, rows in BASE.items():
        warehouse.reference(name, rows)
    path = warehouse.write(f"{kind}.csv", content)
    before = warehouse.rows(f"select t::text from reference.{kind} as t order by 1")
    with pytest.raises(ReferenceRefused) as refused:
        load_reference(warehouse.connection, kind, path)
    assert reason in str(refused.value)
    assert warehouse.rows(f"select t::text from reference.{kind} as t order by 1") == before
