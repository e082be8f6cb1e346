"""The traffic of a day for people: tables, two charts, as mail and as run metadata."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.message import EmailMessage
from typing import Any

from loaders import mail
from loaders.errors import RatehouseError
from loaders.files.session import transaction
from loaders.runs.schemas import relation_exists
from orchestration.lib.alerts import _templates, require_mail
from orchestration.lib.tables import cell, markdown_table

DAY_COLUMNS = (
    "day", "calls", "answered", "answered %", "seconds a call", "minutes", "sell", "buy",
    "margin", "currency",
)  # fmt: skip
SOURCE_COLUMNS = ("source", *DAY_COLUMNS[1:])
COUNTRY_COLUMNS = ("country", "calls", "minutes", "sell", "buy", "margin", "currency")
CAUSE_COLUMNS = ("hang-up cause", "calls", "answered")
FILE_COLUMNS = ("source", "files", "landed", "held", "records", "unreadable")
ALERT_COLUMNS = ("severity", "alert")

# Calls are counted once, money of all legs. A row for each currency; what has none (calls that cost
# nothing) is put with the largest.
_TRAFFIC = """
    with traffic as (
        select {key} as key, coalesce(currency_code, cost_currency_code) as currency,
            sum(attempt_count) filter (where leg_no = 1) as calls,
            sum(answered_count) filter (where leg_no = 1) as answered,
            sum(talk_seconds) filter (where leg_no = 1) as seconds,
            sum(sell_amount) as sell, sum(buy_amount) as buy,
            sum(margin_amount) as margin
        from marts.fct_traffic_hour
        where hour_at >= %(from_at)s and hour_at < %(to_at)s
        group by 1, 2
    ),
    largest as (
        select distinct on (key) key, currency from traffic
        order by key, currency is null, calls desc nulls last
    )
    select t.key, sum(t.calls)::bigint, sum(t.answered)::bigint,
        round(100 * sum(t.answered) / nullif(sum(t.calls), 0), 1),
        round(sum(t.seconds) / nullif(sum(t.answered), 0))::bigint, round(sum(t.seconds) / 60, 1),
        round(sum(t.sell), 2), round(sum(t.buy), 2), round(sum(t.margin), 2),
        coalesce(t.currency, l.currency)
    from traffic as t inner join largest as l on t.key is not distinct from l.key
    group by t.key, coalesce(t.currency, l.currency)
"""


@dataclass(frozen=True)
class DailyReport:
    """What a day came to. Hours: calls answered and not, from 0 to 23 UTC."""

    day: date
    days: list[tuple[Any, ...]]
    sources: list[tuple[Any, ...]]
    countries: list[tuple[Any, ...]]
    causes: list[tuple[Any, ...]]
    files: list[tuple[Any, ...]]
    alerts: list[tuple[Any, ...]]
    hours: list[tuple[int, int]]
    suspended: int

    @property
    def title(self) -> str:
        """The report in a line."""
        calls = sum(row[1] or 0 for row in self.days if row[0] == self.day)
        return f"Traffic of {self.day}: {calls:,} calls"

    def sections(self) -> list[tuple[str, Sequence[str], list[tuple[Any, ...]]]]:
        """Heading, columns and rows of each table."""
        return [
            ("The day, the day before, a week before", DAY_COLUMNS, self.days),
            ("Sources", SOURCE_COLUMNS, self.sources),
            ("Countries called", COUNTRY_COLUMNS, self.countries),
            ("Hang-up causes", CAUSE_COLUMNS, self.causes),
            ("Files received on that day", FILE_COLUMNS, self.files),
            ("Alerts about that day", ALERT_COLUMNS, self.alerts),
        ]

    def metadata(self) -> dict[str, str]:
        """Charts and tables as Markdown: the pages of runs show no pictures."""
        most = max((sum(hour) for hour in self.hours), default=0) or 1
        longest = max((row[2] or 0 for row in self.countries), default=0) or 1
        charts = {
            "calls_by_hour": markdown_table(
                ("hour (UTC)", "answered", "not", "answered ▇, not ░"),
                [
                    (f"{hour:02d}", *calls, "".join(map(_bar, calls, (most, most), "▇░")))
                    for hour, calls in enumerate(self.hours)
                ],
            ),
            "minutes_by_country": markdown_table(
                ("country", "minutes", ""),
                [
                    (f"{row[0]} {row[6] or ''}", row[2], _bar(row[2] or 0, longest, "▇"))
                    for row in self.countries[:8]
                ],
            ),
        }
        return charts | {
            heading.lower().replace(",", "").replace("-", "_").replace(" ", "_"): markdown_table(
                columns, rows
            )
            for heading, columns, rows in self.sections()
        }


def _bar(value: int | Decimal, longest: int | Decimal, block: str) -> str:
    """At least one block of what there is, thirty of the longest."""
    return block * (max(1, round(30 * value / longest)) if value else 0)


def a_day(text: str) -> date:
    """The day asked for; without one the day before today (UTC)."""
    if not text.strip():
        return datetime.now(UTC).date() - timedelta(days=1)
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise RatehouseError(f"{text!r} is no day; write 2026-10-05") from None


def daily_report(connection: Any, day: date) -> DailyReport:
    """Read the figures of a day (UTC)."""
    with transaction(connection) as cursor:
        if not relation_exists(cursor, "", "marts", "fct_traffic_hour"):
            raise RatehouseError("nothing has been rated yet: start `ratehouse rate` first")

        def rows(query: str, on: date = day) -> list[tuple[Any, ...]]:
            from_at = datetime(on.year, on.month, on.day, tzinfo=UTC)
            cursor.execute(query, {"from_at": from_at, "to_at": from_at + timedelta(days=1)})
            return list(cursor.fetchall())

        days = [
            (on, *row[1:])
            for on in (day, day - timedelta(days=1), day - timedelta(days=7))
            for row in sorted(rows(_TRAFFIC.format(key="1::integer"), on), key=lambda r: str(r[-1]))
        ]
        countries = rows(
            _TRAFFIC.format(key="coalesce(called_country, 'no one country')")
            + " order by sum(t.seconds) desc nulls last limit 12"
        )
        hours = dict.fromkeys(range(24), (0, 0))
        for hour, answered, unanswered in rows(
            "select extract(hour from hour_at at time zone 'UTC')::integer, sum(answered_count), "
            "sum(attempt_count - answered_count) from marts.fct_traffic_hour where leg_no = 1 "
            "and hour_at >= %(from_at)s and hour_at < %(to_at)s group by 1"
        ):
            hours[hour] = (int(answered), int(unanswered))
        suspended = rows(
            "select coalesce(sum(error_count), 0)::bigint from marts.fct_traffic_hour "
            "where leg_no = 1 and hour_at >= %(from_at)s and hour_at < %(to_at)s"
        )[0][0]
        return DailyReport(
            day=day,
            days=days,
            sources=rows(_TRAFFIC.format(key="source_code") + " order by 2 desc nulls last, 1"),
            countries=[(r[0], r[1], r[5], r[6], r[7], r[8], r[9]) for r in countries],
            causes=rows(
                "select coalesce(release_cause, 'not said'), sum(attempt_count)::bigint, "
                "sum(answered_count)::bigint from marts.fct_traffic_hour where leg_no = 1 "
                "and hour_at >= %(from_at)s and hour_at < %(to_at)s "
                "group by 1 order by 2 desc, 1 limit 12"
            ),
            files=rows(
                "select source_code, count(*), count(*) filter (where status = 'landed'), "
                "count(*) filter (where status = 'held'), sum(data_count)::bigint, "
                "sum(quarantined_count)::bigint from control.file "
                "where received_at >= %(from_at)s and received_at < %(to_at)s "
                "group by 1 order by 1"
            ),
            alerts=rows(
                "select severity, sentence from control.alert "
                "where window_from < %(to_at)s and window_to >= %(from_at)s "
                "order by array_position(array['critical', 'warning', 'information'], severity), "
                "window_from limit 50"
            ),
            hours=[hours[hour] for hour in range(24)],
            suspended=suspended,
        )


def message_of(report: DailyReport) -> EmailMessage:
    """The report as a mail: text, HTML, and the charts as pictures inside it."""
    message = EmailMessage()
    message["Subject"] = f"Ratehouse: {report.title}"
    sections = [
        (
            heading,
            columns,
            [[cell(value) for value in row] for row in rows],
            [bool(rows) and isinstance(rows[0][n], int | Decimal) for n in range(len(columns))],
        )
        for heading, columns, rows in report.sections()
    ]
    values = {"report": report, "sections": sections}
    message.set_content(_templates.get_template("daily_report.txt").render(values))
    message.add_alternative(
        _templates.get_template("daily_report.html").render(values), subtype="html"
    )
    page = message.get_payload()[1]  # type: ignore[index]
    for name, picture in (("hours", hours_chart(report)), ("countries", country_chart(report))):
        page.add_related(
            picture, maintype="image", subtype="png", cid=f"<{name}@ratehouse>",
            filename=f"{name}.png", disposition="inline",
        )  # fmt: skip
    return message


def hours_chart(report: DailyReport) -> bytes:
    """Calls by hour, answered and not, as PNG."""
    figure, axes = _figure()
    answered = [hour[0] for hour in report.hours]
    axes.bar(range(24), answered, color="#1f6f8b", label="answered")
    axes.bar(
        range(24), [hour[1] for hour in report.hours], bottom=answered, color="#c9d6df",
        label="not answered",
    )  # fmt: skip
    axes.set_xticks(range(0, 24, 3))
    axes.set_xlabel("hour (UTC)")
    axes.set_ylabel("calls")
    axes.set_title(f"Calls by hour, {report.day}", loc="left")
    axes.legend(frameon=False)
    return _png(figure)


def country_chart(report: DailyReport) -> bytes:
    """Minutes by country called, as PNG."""
    figure, axes = _figure()
    rows = list(reversed(report.countries[:8]))
    axes.barh(range(len(rows)), [float(row[2] or 0) for row in rows], color="#1f6f8b")
    axes.set_yticks(range(len(rows)), [f"{row[0]} {row[6] or ''}".strip() for row in rows])
    axes.set_xlabel("minutes")
    axes.set_title("Minutes by country called", loc="left")
    return _png(figure)


def _figure() -> tuple[Any, Any]:
    # Not pyplot: that keeps figures and looks for a screen.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 2.8), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _png(figure: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def mail_report(
    connection: Any, report: DailyReport, recipients: Sequence[str] = ()
) -> list[mail.Outgoing]:
    """Queue the report of the day, once for each day, and send what waits."""
    settings, chosen = require_mail(recipients)
    message = message_of(report)
    with transaction(connection) as cursor:
        mail.queue(cursor, "daily_report", settings, chosen, message, about=report.day.isoformat())
    mail.send(connection, settings)
    with transaction(connection) as cursor:
        cursor.execute(
            "select mail_id from control.mail where mail_kind = 'daily_report' and about = %s",
            (report.day.isoformat(),),
        )
        queued = [mail_id for (mail_id,) in cursor.fetchall()]
    return mail.mails(connection, queued)
