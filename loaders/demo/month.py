"""The demo month: instants as seconds from its first midnight in UTC, and their local spelling."""

import datetime as dt
from zoneinfo import ZoneInfo

# Calls continue for a few hours into the next month in UTC, so that the last local evening of
# every American zone is complete.
TAIL_HOURS = 9
MINUTE_SECOND = [f"{second // 60:02d}:{second % 60:02d}" for second in range(3600)]


class Month:
    """A calendar month and cheap formatting of instants inside and shortly after it."""

    def __init__(self, month: str) -> None:
        year, number = (int(part) for part in month.split("-"))
        self.first = dt.date(year, number, 1)
        self.next_first = dt.date(year + number // 12, number % 12 + 1, 1)
        self.name = f"{year:04d}-{number:02d}"
        self.days = (self.next_first - self.first).days
        self.start = dt.datetime(year, number, 1, tzinfo=dt.UTC)
        self.epoch = int(self.start.timestamp())
        self.hours = self.days * 24 + TAIL_HOURS

    def day(self, number: int) -> dt.date:
        """Give the date of a day of the month, from 1; day 32 may lie in the next month."""
        return self.first + dt.timedelta(days=number - 1)

    def instant(self, day: int, hour: int = 0) -> str:
        """Spell an instant of the month in UTC, for validity columns."""
        return f"{self.day(day).isoformat()}T{hour:02d}:00:00Z"

    def local_hours(self, zone: str, pattern: str = "%Y-%m-%d %H:") -> list[str]:
        """Spell every hour in a zone: the list index is the hour since the start in UTC.

        Three hours more than there are calls, for the ends of long ones.
        """
        tz = ZoneInfo(zone)
        return [
            (self.start + dt.timedelta(hours=hour)).astimezone(tz).strftime(pattern)
            for hour in range(self.hours + 12)
        ]

    def local_clock(self, zone: str) -> list[tuple[int, int, dt.date]]:
        """Give hour of day, weekday (Monday is 0) and date in a zone for every hour."""
        tz = ZoneInfo(zone)
        clock = []
        for hour in range(self.hours):
            local = (self.start + dt.timedelta(hours=hour)).astimezone(tz)
            clock.append((local.hour, local.weekday(), local.date()))
        return clock
