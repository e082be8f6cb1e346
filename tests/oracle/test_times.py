"""Start times, days and durations of rules section 3."""

import datetime as dt
from decimal import Decimal

import pytest

from tests.oracle.times import read_day, read_duration, read_start

RECEIVED = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("raw", "zone", "order", "at", "quality"),
    [
        ("2024-01-31 23:59:59", "UTC", "ymd", "2024-01-31 23:59:59", "exact"),
        ("2024-01-31T23:59:59", "UTC", "ymd", "2024-01-31 23:59:59", "exact"),
        ("2024-01-31 23:59", "UTC", "ymd", "2024-01-31 23:59:00", "minute"),
        ("2024-01-31 23:59:59.25", "UTC", "ymd", "2024-01-31 23:59:59.250000", "exact"),
        ("2024-01-31 23:59:59Z", "America/New_York", "ymd", "2024-01-31 23:59:59", "exact"),
        ("2024-01-31 23:59:59+02:00", "UTC", "ymd", "2024-01-31 21:59:59", "exact"),
        ("2024-01-31 23:59:59-0530", "UTC", "ymd", "2024-02-01 05:29:59", "exact"),
        ("2020/2/10 22:41", "UTC", "dmy", "2020-02-10 22:41:00", "minute"),
        ("31/01/2024 23:59", "UTC", "dmy", "2024-01-31 23:59:00", "minute"),
        ("1/9/2017 16:33:01", "UTC", "dmy", "2017-09-01 16:33:01", "exact"),
        ("1/9/2017 16:33:01", "UTC", "mdy", "2017-01-09 16:33:01", "exact"),
        ("04.09.17 12:39", "UTC", "dmy", "2017-09-04 12:39:00", "minute"),
        ("10/5/2026 12:05:00 AM", "UTC", "mdy", "2026-10-05 00:05:00", "exact"),
        ("10/5/2026 12:05:00 PM", "UTC", "mdy", "2026-10-05 12:05:00", "exact"),
        ("10/5/2026 1:05:00 pm", "UTC", "mdy", "2026-10-05 13:05:00", "exact"),
        ("20240131 23:59:59", "UTC", "ymd", "2024-01-31 23:59:59", "exact"),
        ("20240131235959", "UTC", "ymd", "2024-01-31 23:59:59", "exact"),
        ("1717243200", "America/New_York", "ymd", "2024-06-01 12:00:00", "exact"),
        ("1717243200123", "UTC", "ymd", "2024-06-01 12:00:00.123000", "exact"),
        ("1717243200123456", "UTC", "ymd", "2024-06-01 12:00:00.123456", "exact"),
        ("1717243200.123456", "UTC", "ymd", "2024-06-01 12:00:00.123456", "exact"),
        ("2026-07-01 12:00:00", "America/New_York", "ymd", "2026-07-01 16:00:00", "exact"),
        ("2026-12-01 12:00:00", "America/New_York", "ymd", None, "implausible_start_time"),
        # Autumn in London, 25 October 2026: 01:30 comes twice, standard time is taken.
        ("2026-10-25 00:59:59", "Europe/London", "ymd", "2026-10-24 23:59:59", "exact"),
        ("2026-10-25 01:00:00", "Europe/London", "ymd", "2026-10-25 01:00:00", "ambiguous"),
        ("2026-10-25 01:30:00", "Europe/London", "ymd", "2026-10-25 01:30:00", "ambiguous"),
        ("2026-10-25 02:00:00", "Europe/London", "ymd", "2026-10-25 02:00:00", "exact"),
        # Autumn in Los Angeles, 1 November 2026.
        ("2026-11-01 01:30:00", "America/Los_Angeles", "ymd", "2026-11-01 09:30:00", "ambiguous"),
        ("2026-11-01 01:30", "America/Los_Angeles", "ymd", "2026-11-01 09:30:00", "ambiguous"),
        # Spring in New York, 8 March 2026: 02:30 does not exist; EST (-5) is the offset before.
        ("2026-03-08 02:30:00", "America/New_York", "ymd", "2026-03-08 07:30:00", "nonexistent"),
        ("2026-03-08 03:00:00", "America/New_York", "ymd", "2026-03-08 07:00:00", "exact"),
        ("", "UTC", "ymd", None, "missing_start_time"),
        ("0", "UTC", "ymd", None, "missing_start_time"),
        ("2026-02-30 10:00:00", "UTC", "ymd", None, "invalid_start_time"),
        ("2026-13-01 10:00:00", "UTC", "ymd", None, "invalid_start_time"),
        ("31/02/2026 10:00:00", "UTC", "dmy", None, "invalid_start_time"),
        ("2026-10-05 24:00:00", "UTC", "ymd", None, "invalid_start_time"),
        ("10/5/2026 13:05:00 PM", "UTC", "mdy", None, "invalid_start_time"),
        ("yesterday", "UTC", "ymd", None, "invalid_start_time"),
        ("1969-12-31 23:59:59", "UTC", "ymd", None, "implausible_start_time"),
        ("2026-11-23 12:00:00", "UTC", "ymd", "2026-11-23 12:00:00", "exact"),
        ("2026-11-23 12:00:01", "UTC", "ymd", None, "implausible_start_time"),
    ],
)
def test_start_time(raw: str, zone: str, order: str, at: str | None, quality: str) -> None:
    start = read_start(raw, zone, order, RECEIVED)
    if at is None:
        assert (start.at, start.error) == (None, quality)
    else:
        assert (start.at, start.quality, start.error) == (utc(at), quality, None)


@pytest.mark.parametrize(
    ("raw", "mark", "seconds", "error"),
    [
        ("61", ".", "61", None),
        ("61.5", ".", "61.5", None),
        ("61,5", ",", "61.5", None),
        ("61,5", ".", None, "invalid_duration"),
        ("0:01:05", ".", "65", None),
        ("00:01:05.5", ".", "65.5", None),
        ("100:00:00", ".", "360000", None),
        ("168:00:00", ".", "604800", None),
        ("168:00:01", ".", None, "implausible_duration"),
        ("604801", ".", None, "implausible_duration"),
        ("-1", ".", None, "negative_duration"),
        ("1e3", ".", None, "invalid_duration"),
        ("12s", ".", None, "invalid_duration"),
        ("", ".", None, None),
    ],
)
def test_duration(raw: str, mark: str, seconds: str | None, error: str | None) -> None:
    expected = None if seconds is None else Decimal(seconds)
    assert read_duration(raw, mark) == (expected, error)


def test_days() -> None:
    assert read_day("05/10/2026", "dmy") == dt.date(2026, 10, 5)
    assert read_day("10/5/2026", "mdy") == dt.date(2026, 10, 5)
    assert read_day("2026-10-05", "dmy") == dt.date(2026, 10, 5)
    assert read_day("  ", "dmy") is None
    with pytest.raises(ValueError):
        read_day("31/02/2026", "dmy")
