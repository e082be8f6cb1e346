"""Jobs that look for alerts, test the rules on history, and send mail. None mails by default."""

from contextlib import closing
from decimal import Decimal
from typing import Any

import dagster as dg
from pydantic import Field

from loaders import alerts as rules
from loaders import database
from loaders.errors import RatehouseError
from orchestration.lib import alerts, daily_report
from orchestration.lib.areas import REPORTS
from orchestration.lib.instance import mark_process
from orchestration.lib.tables import markdown_table
from orchestration.lib.words import failures_in_words

ALERTS = dg.AssetKey(["runs", "alerts"])
REPORT = dg.AssetKey(["runs", "daily_report"])
_TO = Field(default=[], description="Recipients; empty: those of RATEHOUSE_MAIL_TO.")


def _check_sent(sent: Any) -> None:
    unsent = [f"mail {m.mail_id}: {m.last_error}" for m in sent if m.status != "sent"]
    if unsent:
        raise RatehouseError("not sent (it is tried again): " + "; ".join(unsent))


class SendAlertsConfig(dg.Config):
    """Over which traffic to look, and whether anything comes of it."""

    from_time: str = Field(
        default="", description="From when on (UTC), like 2026-10-05; empty: since the last look."
    )
    to_time: str = Field(default="", description="Until when, exclusive; empty: all there is.")
    preview: bool = Field(
        default=True, description="Only show what would be found: nothing is kept or mailed."
    )
    send: bool = Field(default=False, description="Mail what no mail told of yet.")
    recipients: list[str] = _TO


@dg.op(name="look_for_alerts", out=dg.Out(dg.Nothing))
def look_for_alerts(context: dg.OpExecutionContext, config: SendAlertsConfig) -> None:
    """Look by every rule, keep what is new, mail it."""
    mark_process(context)
    with failures_in_words(), closing(database.connect()) as connection:
        if config.send and not config.preview:
            # Before anything is kept: a missing setting is told at once.
            alerts.require_mail(config.recipients)
        found = alerts.look(connection, config.from_time, config.to_time, preview=config.preview)
        sent: list[Any] = []
        if config.send and not config.preview:
            alerts.queue_alerts(connection, config.recipients)
            sent = alerts.send_waiting(connection)
        context.log.info(alerts.describe(found))
        kind = dg.AssetObservation if config.preview else dg.AssetMaterialization
        context.log_event(
            kind(
                asset_key=ALERTS,
                description=alerts.describe(found),
                metadata={
                    "summary": alerts.describe(found),
                    "alerts": dg.MetadataValue.md(
                        markdown_table(alerts.ALERT_COLUMNS, alerts.alert_rows(found)[:500])
                    ),
                    "new": len(found.new),
                    "mails": dg.MetadataValue.md(
                        markdown_table(alerts.MAIL_COLUMNS, alerts.mail_rows(sent))
                    ),
                },
            )
        )
        _check_sent(sent)


@dg.job(
    name="send_alerts",
    tags=REPORTS,
    description="""\
Look for fraud and failures in what came since the last look.

With `preview` on it shows *alerts*. With it off each is kept, once; with `send` on they are
mailed, each once. `backtest_alerts` tries a rule on history.""",
)
def send_alerts() -> None:
    look_for_alerts()


class ReportConfig(dg.Config):
    """Which day, and whether it is mailed."""

    day: str = Field(default="", description="Day (UTC), like 2026-10-05; empty: yesterday.")
    send: bool = Field(default=False, description="Mail it; once for each day.")
    recipients: list[str] = _TO


@dg.op(name="report_day", out=dg.Out(dg.Nothing))
def report_day(context: dg.OpExecutionContext, config: ReportConfig) -> None:
    """Show the traffic of a day in the run, and mail it."""
    mark_process(context)
    with failures_in_words(), closing(database.connect()) as connection:
        report = daily_report.daily_report(connection, daily_report.a_day(config.day))
        sent = (
            daily_report.mail_report(connection, report, config.recipients) if config.send else []
        )
        context.log_event(
            dg.AssetObservation(
                asset_key=REPORT,
                description=report.title,
                metadata={
                    "summary": report.title,
                    **{name: dg.MetadataValue.md(text) for name, text in report.metadata().items()},
                    "calls": sum(sum(hour) for hour in report.hours),
                    "mails": dg.MetadataValue.md(
                        markdown_table(alerts.MAIL_COLUMNS, alerts.mail_rows(sent))
                    ),
                },
            )
        )
        _check_sent(sent)


@dg.job(
    name="daily_report",
    tags=REPORTS,
    description="""\
The traffic of a day: sources, countries, hang-up causes, files, alerts.

`send` mails it with charts, once for each day.""",
)
def daily_report_job() -> None:
    report_day()


class MailTestConfig(dg.Config):
    """To whom."""

    send: bool = Field(default=False, description="Send it; without, only the settings are tried.")
    recipients: list[str] = _TO


@dg.op(name="send_test_mail", out=dg.Out(dg.Nothing))
def send_test_mail(context: dg.OpExecutionContext, config: MailTestConfig) -> None:
    """Say whether mail is set up, and send one."""
    mark_process(context)
    with failures_in_words(), closing(database.connect()) as connection:
        settings, recipients = alerts.require_mail(config.recipients)
        words = f"{settings.host}:{settings.port} ({settings.security}) to {', '.join(recipients)}"
        if not config.send:
            context.log.info(f"mail would go through {words}; nothing was sent")
            return
        sent = alerts.send_test(connection, config.recipients)
        context.log.info(f"through {words}")
        _check_sent(sent)


@dg.job(
    name="mail_test",
    tags=REPORTS,
    description="""\
Say whether the mail settings work; `send` sends a mail that says so.""",
)
def mail_test() -> None:
    send_test_mail()


class BacktestConfig(dg.Config):
    """Which rule over which time, with which numbers."""

    rule: str = Field(description="Rule (seeds/alert_rules.csv), like traffic_spike.")
    from_time: str = Field(description="From when on (UTC), like 2026-10-01.")
    to_time: str = Field(description="Until when, exclusive.")
    threshold: str = Field(default="", description="Another threshold; empty: the rule's.")
    minimum: str = Field(default="", description="Another minimum; empty: the rule's.")


@dg.op(name="backtest_rule", out=dg.Out(dg.Nothing))
def backtest_rule(context: dg.OpExecutionContext, config: BacktestConfig) -> None:
    """What a rule would have found, and how much of it was confirmed. Keeps nothing."""
    mark_process(context)
    with failures_in_words(), closing(database.connect()) as connection:
        from_at = alerts.instant(config.from_time, "from_time")
        to_at = alerts.instant(config.to_time, "to_time")
        if from_at is None or to_at is None:
            raise RatehouseError("say from when until when to test")
        result = rules.backtest(
            connection, config.rule, from_at, to_at,
            threshold=Decimal(config.threshold) if config.threshold else None,
            minimum=Decimal(config.minimum) if config.minimum else None,
        )  # fmt: skip
        context.log.info(result.sentence())
        context.log_event(
            dg.AssetObservation(
                asset_key=ALERTS,
                description=result.sentence(),
                metadata={
                    "summary": result.sentence(),
                    "hits_per_day": dg.MetadataValue.md(
                        markdown_table(["day", "hits"], result.per_day)
                    ),
                    "hits": dg.MetadataValue.md(
                        markdown_table(
                            ["from", "subject", "what was found", "confirmed case"],
                            [
                                (h.window_from, h.subject, h.sentence, h.case_code)
                                for h in result.hits[:500]
                            ],
                        )
                    ),
                    "cases": dg.MetadataValue.md(
                        markdown_table(["case", "account", "found"], result.cases)
                    ),
                },
            )
        )


@dg.job(
    name="backtest_alerts",
    tags=REPORTS,
    description="""\
What an alert rule would have found in history: *hits_per_day*, and how many were confirmed
fraud.

Keeps and mails nothing.""",
)
def backtest_alerts() -> None:
    backtest_rule()
