"""Two rows of one key never hold at the same instant as known at the same instant."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from psycopg2.errors import CheckViolation, DataException, ExclusionViolation

from loaders.database import connect
from tests.database.test_rights import REFERENCE, insert

YEAR_2025 = datetime(2025, 1, 1, tzinfo=UTC)
YEAR_2026 = datetime(2026, 1, 1, tzinfo=UTC)
YEAR_2027 = datetime(2027, 1, 1, tzinfo=UTC)
KINDS = tuple(REFERENCE)


@pytest.fixture
def cursor(module_database: str):
    """A cursor whose work is undone after the test."""
    with closing(connect(url=module_database)) as session, session.cursor() as open_cursor:
        for kind, key in (("account", "a"), ("service", "s"), ("plan", "p"), ("deck", "d")):
            open_cursor.execute(
                f"insert into reference.{kind}_key ({kind}_id, {kind}_code) "
                "overriding system value values (1, %s)",
                (key,),
            )
        yield open_cursor
        session.rollback()


def accepts(
    cursor: psycopg2.extensions.cursor, table: str, values: dict[str, object]
) -> bool:
    cursor.execute("savepoint attempt")
    try:
        insert(cursor, f"reference.{table}", values)
    except ExclusionViolation:
        cursor.execute("rollback to savepoint attempt")
        return False
    cursor.execute("release savepoint attempt")
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_overlapping_validity_is_refused_and_adjacent_is_not(cursor, kind: str) -> None:
    row = REFERENCE[kind]
    assert accepts(cursor, kind, row | {"valid_from": YEAR_2025, "valid_to": YEAR_2026})
    assert not accepts(cursor, kind, row)
    last_moment = YEAR_2026 - timedelta(microseconds=1)
    assert not accepts(cursor, kind, row | {"valid_from": last_moment})
    assert not accepts(cursor, kind, row | {"valid_to": YEAR_2025 + timedelta(microseconds=1)})
    assert accepts(cursor, kind, row | {"valid_from": YEAR_2026})
    assert accepts(cursor, kind, row | {"valid_to": YEAR_2025})


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_row_makes_room_for_its_correction(cursor, kind: str) -> None:
    row = REFERENCE[kind] | {"recorded_from": YEAR_2025}
    assert accepts(cursor, kind, row)
    assert not accepts(cursor, kind, row | {"recorded_from": YEAR_2026})
    cursor.execute(
        f"update reference.{kind} set recorded_to = %s where recorded_to = 'infinity' "
        "and recorded_from = %s",
        (YEAR_2026, YEAR_2025),
    )
    assert not accepts(cursor, kind, row | {"recorded_from": YEAR_2026 - timedelta(seconds=1)})
    assert accepts(cursor, kind, row | {"recorded_from": YEAR_2026})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", [YEAR_2025, YEAR_2026])
def test_empty_or_backward_validity_is_refused(cursor, kind: str, end: datetime) -> None:
    with pytest.raises(
        (CheckViolation, DataException), match="validity_is_not_empty|range lower bound must be"
    ):
        insert(
            cursor,
            f"reference.{kind}",
            REFERENCE[kind] | {"valid_from": YEAR_2026, "valid_to": end},
        )


def test_a_number_may_serve_two_services_one_per_direction(cursor) -> None:
    row = REFERENCE["service_identifier"]
    other = row | {"service_code": "other"}
    assert accepts(cursor, "service_identifier", row | {"direction": "outbound"})
    assert not accepts(cursor, "service_identifier", other | {"direction": "outbound"})
    assert not accepts(cursor, "service_identifier", other | {"direction": "both"})
    assert accepts(cursor, "service_identifier", other | {"direction": "inbound"})


def test_keys_of_several_columns_are_not_confused(cursor) -> None:
    rate = REFERENCE["rate"]
    assert accepts(cursor, "rate", rate | {"deck_code": "d1", "prefix": "1"})
    assert accepts(cursor, "rate", rate | {"deck_code": "d", "prefix": "11"})
    assert accepts(cursor, "rate", rate | {"deck_code": "D1", "prefix": "1"})
    assert accepts(
        cursor, "rate", rate | {"deck_code": "d1", "prefix": "1", "jurisdiction": "interstate"}
    )
    assert not accepts(cursor, "rate", rate | {"deck_code": "d1", "prefix": "1"})


_SPANS = st.tuples(st.integers(0, 12), st.integers(1, 6)).map(lambda p: (p[0], p[0] + p[1]))


@hypothesis_settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.sampled_from("ab"), _SPANS, _SPANS), max_size=8))
def test_the_database_accepts_a_row_exactly_when_no_accepted_one_overlaps(cursor, rows) -> None:
    def day(number: int) -> datetime:
        return YEAR_2027 + timedelta(days=number)

    cursor.execute("savepoint example")
    accepted: list[tuple[str, tuple[int, int], tuple[int, int]]] = []
    for key, valid, recorded in rows:
        is_free = not any(
            key == other_key
            and valid[0] < other_valid[1]
            and other_valid[0] < valid[1]
            and recorded[0] < other_recorded[1]
            and other_recorded[0] < recorded[1]
            for other_key, other_valid, other_recorded in accepted
        )
        values = {
            "charge_tariff_code": key,
            "product_code": "x",
            "product_name": "X",
            "price_mode": "pass_through",
            "valid_from": day(valid[0]),
            "valid_to": day(valid[1]),
            "recorded_from": day(recorded[0]),
            "recorded_to": day(recorded[1]),
        }
        assert accepts(cursor, "charge_tariff", values) == is_free
        if is_free:
            accepted.append((key, valid, recorded))
    cursor.execute("rollback to savepoint example")
