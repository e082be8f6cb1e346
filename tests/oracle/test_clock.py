"""The time of day: hand-computed calls, and what must hold for any."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.clock import Zones, area_zone
from tests.oracle.rating import Price, price
from tests.oracle.reference import Reference, Row

POLICIES = ("start", "split_per_second", "split_per_increment")


def call(
    start: str,
    seconds: str,
    bands: list[Row],
    *,
    calendar: Row | None = None,
    zones: Zones | None = None,
    days: tuple[str, ...] = (),
    rate: Row | None = None,
    **deck: str,
) -> Price:
    """Price a call by a deck of bands; each band names its own price."""
    reference = Reference(
        {
            "calendar": [{"calendar_code": "C", "time_zone": "UTC", **(calendar or {})}],
            "calendar_day": [{"calendar_code": "C", "calendar_date": day} for day in days],
            "deck": [{"deck_code": "D", "currency_code": "USD", "calendar_code": "C", **deck}],
            "rate": [{"deck_code": "D", "prefix": "1", "price_per_minute": "60", **(rate or {})}],
            "time_band": [
                {k: v for k, v in band.items() if k != "price"} | {"deck_code": "D"}
                for band in bands
            ],
            "band_rate": [
                {
                    "deck_code": "D", "prefix": "1", "band_code": band["band_code"],
                    "price_per_minute": band["price"],
                }
                for band in bands
            ],
        }
    )  # fmt: skip
    return price(
        reference, "D", "12125550100", None, Decimal(seconds),
        dt.datetime.fromisoformat(start), duration_rounding="up", increment_base="after_minimum",
        decimals=None, mode="half_up", zones=zones,
    )  # fmt: skip


EVENING = [
    {"band_code": "day", "from_time": "08:00", "to_time": "18:00", "price": "60"},
    {"band_code": "evening", "from_time": "18:00", "to_time": "08:00", "price": "30"},
]


@pytest.mark.parametrize(
    ("policy", "rounding", "billed", "amount"),
    [
        ("start", "total", 120, "120"),
        # 30 s of the day, 70 s of the evening and 20 s that the increment adds.
        ("split_per_second", "total", 120, "75"),
        # 60 s and 120 s.
        ("split_per_second", "part", 180, "120"),
        # The increments start at 17:59:30 and 18:00:30.
        ("split_per_increment", "total", 120, "90"),
    ],
)
def test_a_call_over_the_edge(policy: str, rounding: str, billed: int, amount: str) -> None:
    found = call(
        "2026-09-15T17:59:30+00:00", "99.2", EVENING, straddle_policy=policy,
        part_rounding=rounding, rate={"increment_seconds": "60"},
    )  # fmt: skip
    assert (found.billed_seconds, found.amount) == (billed, Fraction(amount))


def test_whose_clock() -> None:
    zones = Zones("America/New_York", "Asia/Kolkata", "America/Los_Angeles")
    start, prices = "2026-07-01T23:30:00+00:00", {}
    for rule in ("fixed", "account", "source", "calling_area"):
        calendar = {"zone_rule": rule, "time_zone": "Europe/London"}
        prices[rule] = call(start, "60", EVENING, calendar=calendar, zones=zones).amount
    # 00:30 in London, 19:30 in New York, 05:00 in Kolkata, 16:30 in Los Angeles.
    assert prices == {"fixed": 30, "account": 30, "source": 30, "calling_area": 60}
    assert area_zone("M", "AZ") == "America/Phoenix"
    assert area_zone("M", "CO") == "America/Denver"
    assert area_zone("EC", "TN") is None
    assert area_zone("E", "NANP AREA") is None


def test_a_holiday_outranks_the_weekday_by_weight() -> None:
    bands = [
        *EVENING, {"band_code": "feast", "day_class": "holiday", "weight": "20", "price": "6"},
    ]  # fmt: skip
    for day, amount in (("2026-09-15", 6), ("2026-09-16", 60)):
        found = call("2026-09-15T12:00:00+00:00", "60", bands, days=(day,))
        assert found.amount == amount


@settings(deadline=None, max_examples=40)
@given(
    start=st.datetimes(dt.datetime(2026, 3, 1), dt.datetime(2026, 11, 30)),
    seconds=st.integers(1, 2_500),
    zone=st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe"]),
    increment=st.sampled_from(["1", "6", "60"]),
    minimum=st.sampled_from(["0", "30", "90"]),
    policy=st.sampled_from(POLICIES[1:]),
)
def test_a_split_at_equal_prices_changes_nothing(
    start: dt.datetime, seconds: int, zone: str, increment: str, minimum: str, policy: str
) -> None:
    bands = [band | {"price": "0.7"} for band in EVENING]
    prices = [
        call(
            start.replace(tzinfo=dt.UTC).isoformat(), str(seconds), bands,
            calendar={"time_zone": zone}, straddle_policy=name,
            rate={"increment_seconds": increment, "minimum_seconds": minimum},
        )
        for name in ("start", policy)
    ]  # fmt: skip
    assert prices[0].amount == prices[1].amount
    assert prices[0].billed_seconds == prices[1].billed_seconds
