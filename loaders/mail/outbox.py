"""The outbox. A mail is queued in the transaction of what it tells, sent later, marked after that.

A process that dies between sending and marking leaves the mail queued: it goes out once more, with
the same Message-ID, by which most receivers put repeats together. Lost is none.
"""

from __future__ import annotations

import smtplib
import ssl
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from loaders.errors import RatehouseError
from loaders.files.session import transaction
from loaders.mail.settings import MailSettings

_LOCK = 0x52480044
# With the waits below about two days.
MOST_TRIES = 12
_TIMEOUT = 30


@dataclass(frozen=True)
class Outgoing:
    """A mail of the outbox."""

    mail_id: int
    kind: str
    subject: str
    recipients: tuple[str, ...]
    status: str
    tries: int
    last_error: str | None
    queued_at: datetime
    sent_at: datetime | None


def queue(
    cursor: Any,
    kind: str,
    settings: MailSettings,
    recipients: Sequence[str],
    message: EmailMessage,
    *,
    about: str | None = None,
) -> int | None:
    """Put a mail into the outbox; None if the one about this is there already."""
    if not recipients:
        raise RatehouseError("nobody to write to: set RATEHOUSE_MAIL_TO or name recipients")
    domain = settings.sender.rpartition("@")[2].strip("> ")
    message_id = f"<{kind}.{uuid.uuid4()}@{domain}>"
    cursor.execute("select now()")
    message["Date"] = format_datetime(cursor.fetchone()[0])
    message["Message-ID"] = message_id
    message["From"] = settings.sender
    message["To"] = ", ".join(recipients)
    # Out-of-office replies to a machine help nobody.
    message["Auto-Submitted"] = "auto-generated"
    cursor.execute(
        "insert into control.mail "
        "(message_id, mail_kind, about, recipients, mail_subject, content) "
        "values (%s, %s, %s, %s, %s, %s) on conflict (mail_kind, about) do nothing "
        "returning mail_id",
        (
            message_id, kind, about, list(recipients), message["Subject"],
            message.as_bytes(policy=SMTP),
        ),
    )  # fmt: skip
    row = cursor.fetchone()
    return row[0] if row else None


def send(
    connection: Any, settings: MailSettings, *, say: Callable[[str], None] = lambda text: None
) -> list[Outgoing]:
    """Send what waits and is due; returns what was tried, with its outcome."""
    with transaction(connection) as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", (_LOCK,))
        if not cursor.fetchone()[0]:
            raise RatehouseError("another process is sending mail just now")
    try:
        with transaction(connection) as cursor:
            cursor.execute(
                "select mail_id from control.mail where status = 'queued' and next_try_at <= now() "
                "order by mail_id"
            )
            waiting = [mail_id for (mail_id,) in cursor.fetchall()]
        for mail_id in waiting:
            with transaction(connection) as cursor:
                cursor.execute(
                    "select content, recipients, mail_subject from control.mail where mail_id = %s",
                    (mail_id,),
                )
                content, recipients, subject = cursor.fetchone()
            error, is_final = _deliver(settings, bytes(content), recipients)
            say(f"mail {mail_id} ({subject}): {error or 'sent'}")
            _mark(connection, mail_id, error, is_final)
        return mails(connection, waiting)
    finally:
        with transaction(connection) as cursor:
            cursor.execute("select pg_advisory_unlock(%s)", (_LOCK,))


def _mark(connection: Any, mail_id: int, error: str | None, is_final: bool) -> None:
    with transaction(connection) as cursor:
        if error is None:
            cursor.execute(
                "update control.mail set status = 'sent', sent_at = clock_timestamp(), "
                "tries = tries + 1, last_error = null where mail_id = %s",
                (mail_id,),
            )
            return
        # One minute, two, four ... six hours at most.
        cursor.execute(
            "update control.mail set tries = tries + 1, last_error = %s, "
            "status = case when %s or tries + 1 >= %s then 'failed' else 'queued' end, "
            "next_try_at = now() + least(interval '1 minute' * power(2, tries), "
            "interval '6 hours') where mail_id = %s",
            (error, is_final, MOST_TRIES, mail_id),
        )


def _deliver(
    settings: MailSettings, content: bytes, recipients: Sequence[str]
) -> tuple[str | None, bool]:
    """Why it did not go out, if it did not, and whether trying again is no use."""
    try:
        context = ssl.create_default_context(cafile=settings.trust or None)
        if settings.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=_TIMEOUT, context=context
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=_TIMEOUT)
        with server:
            if settings.security == "starttls":
                server.starttls(context=context)
            if settings.user:
                server.login(settings.user, settings.password)
            sender = settings.sender.rpartition("<")[2].rstrip("> ")
            refused = server.sendmail(sender, list(recipients), content)
        if refused:
            # Others have it: sending it all again would be worse than saying so.
            return "refused for " + ", ".join(sorted(refused)), True
    except smtplib.SMTPAuthenticationError as error:
        return f"the mail server refused the login ({error.smtp_code})", False
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        return (
            "the mail server refuses " + ", ".join(sorted(error.recipients)),
            all(code >= 500 for code in codes),
        )
    except smtplib.SMTPResponseException as error:
        text = error.smtp_error
        words = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
        return f"the mail server answered {error.smtp_code}: {words}", error.smtp_code >= 500
    except (OSError, smtplib.SMTPException) as error:
        return f"{settings.host}:{settings.port} cannot be reached or used: {error}", False
    return None, False


def mails(
    connection: Any, mail_ids: Sequence[int] | None = None, *, last: int = 50
) -> list[Outgoing]:
    """Mails of the outbox, the latest first; only these, if they are named."""
    with transaction(connection) as cursor:
        cursor.execute(
            "select mail_id, mail_kind, mail_subject, recipients, status, tries, last_error, "
            "queued_at, sent_at from control.mail "
            "where %(ids)s::bigint[] is null or mail_id = any(%(ids)s::bigint[]) "
            "order by mail_id desc limit %(last)s",
            {"ids": None if mail_ids is None else list(mail_ids), "last": last},
        )
        return [Outgoing(*row[:3], tuple(row[3]), *row[4:]) for row in cursor.fetchall()]


def try_again(connection: Any) -> int:
    """Queue what was given up once more; how many these are."""
    with transaction(connection) as cursor:
        cursor.execute(
            "update control.mail set status = 'queued', tries = 0, next_try_at = now() "
            "where status = 'failed'"
        )
        return cursor.rowcount
