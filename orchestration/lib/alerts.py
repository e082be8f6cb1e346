"""Alerts: look, keep, mail. What the command and the job both call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from loaders import mail
from loaders.alerts import Scan, scan
from loaders.errors import ConfigurationError, RatehouseError
from loaders.files.session import transaction
from loaders.mail.settings import addresses

ALERT_COLUMNS = ("severity", "rule", "subject", "from", "what was found", "examples")
MAIL_COLUMNS = ("mail", "kind", "subject", "to", "status", "tries", "error", "queued", "sent")
# More than this nobody reads; the rest is counted.
_SHOWN = 200
_templates = Environment(
    loader=PackageLoader("orchestration", "mail_templates"), autoescape=select_autoescape(["html"])
)


def look(
    connection: Any,
    from_text: str = "",
    to_text: str = "",
    *,
    preview: bool = True,
    actor: str | None = None,
) -> Scan:
    """One look for alerts; without times over what came since the last one."""
    return scan(
        connection, instant(from_text, "from"), instant(to_text, "to"), preview=preview,
        actor=actor,
    )  # fmt: skip


def instant(text: str, name: str) -> datetime | None:
    """A UTC time as people write it."""
    if not text.strip():
        return None
    try:
        value = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise RatehouseError(
            f"{name}: {text!r} is no time; write 2026-10-05 or 2026-10-05T14:00"
        ) from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def alert_rows(found: Scan) -> list[tuple[Any, ...]]:
    """What is new in a look (ALERT_COLUMNS)."""
    return [
        (
            alert.severity, alert.rule_code, alert.subject, alert.window_from, alert.sentence,
            " ".join(map(str, alert.usage_ids)),
        )
        for alert in found.new
    ]  # fmt: skip


def describe(found: Scan) -> str:
    """A look in one sentence."""
    kept = "kept" if found.scan_id is not None else "new; nothing was kept or mailed"
    span = f"{found.from_at:%Y-%m-%d %H:%M} to {found.to_at:%Y-%m-%d %H:%M} UTC"
    if found.from_at == found.to_at:
        span = "no traffic is new since the last look"
    return f"{found.found} findings ({span}), {len(found.new)} {kept}"


def require_mail(recipients: Sequence[str] = ()) -> tuple[mail.MailSettings, tuple[str, ...]]:
    """Settings and recipients, or a sentence saying what is missing."""
    settings = mail.mail_settings()
    if settings is None:
        raise ConfigurationError(
            "mail is switched off: set RATEHOUSE_MAIL_SERVER, RATEHOUSE_MAIL_FROM and "
            "RATEHOUSE_MAIL_TO (docs/operations.md, Alerts and reports)"
        )
    chosen = addresses(",".join(recipients)) or settings.recipients
    if not chosen:
        raise ConfigurationError("nobody to write to: set RATEHOUSE_MAIL_TO or name a recipient")
    return settings, chosen


def queue_alerts(connection: Any, recipients: Sequence[str] = ()) -> int | None:
    """One mail about every alert no mail tells of yet; None if there is none."""
    settings, chosen = require_mail(recipients)
    with transaction(connection) as cursor:
        # Two at once would tell of the same alerts twice.
        cursor.execute("lock table control.mail_alert in share row exclusive mode")
        cursor.execute(
            """
            select a.alert_id, a.severity, a.rule_code, a.subject, a.window_from, a.sentence,
                a.usage_ids, a.figures
            from control.alert as a
            where not exists (select from control.mail_alert as m where m.alert_id = a.alert_id)
            order by array_position(array['critical', 'warning', 'information'], a.severity),
                a.window_from, a.alert_id
            """
        )
        names = [column.name for column in cursor.description]
        alerts = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        if not alerts:
            return None
        worst = sum(alert["severity"] == "critical" for alert in alerts)
        message = EmailMessage()
        message["Subject"] = f"Ratehouse: {len(alerts)} alerts" + (
            f", {worst} critical" if worst else ""
        )
        values = {"alerts": alerts[:_SHOWN], "more": max(len(alerts) - _SHOWN, 0)}
        message.set_content(_templates.get_template("alerts.txt").render(values))
        message.add_alternative(
            _templates.get_template("alerts.html").render(values), subtype="html"
        )
        mail_id = mail.queue(cursor, "alerts", settings, chosen, message)
        cursor.execute(
            "insert into control.mail_alert (alert_id, mail_id) select unnest(%s::bigint[]), %s",
            ([alert["alert_id"] for alert in alerts], mail_id),
        )
        return mail_id


def send_test(connection: Any, recipients: Sequence[str] = ()) -> list[mail.Outgoing]:
    """A mail that says that mail works, through the outbox like any other."""
    settings, chosen = require_mail(recipients)
    message = EmailMessage()
    message["Subject"] = "Ratehouse: mail works"
    message.set_content(
        f"This is the test mail of Ratehouse, sent through {settings.host}:{settings.port} "
        f"({settings.security}).\n"
    )
    with transaction(connection) as cursor:
        queued = mail.queue(cursor, "test", settings, chosen, message)
    mail.send(connection, settings)
    return mail.mails(connection, [queued] if queued else [])


def send_waiting(connection: Any) -> list[mail.Outgoing]:
    """Send what the outbox holds and is due."""
    settings, _ = require_mail(["nobody@invalid.invalid"])
    return mail.send(connection, settings)


def mail_rows(sent: Sequence[mail.Outgoing]) -> list[tuple[Any, ...]]:
    """Mails for people (MAIL_COLUMNS)."""
    return [
        (
            m.mail_id, m.kind, m.subject, ", ".join(m.recipients), m.status, m.tries,
            m.last_error, m.queued_at, m.sent_at,
        )
        for m in sent
    ]  # fmt: skip
