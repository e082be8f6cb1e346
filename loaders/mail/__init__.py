"""Mail: an outbox in the database, and its way out through SMTP. Off unless a server is set."""

from loaders.mail.outbox import Outgoing, mails, queue, send, try_again
from loaders.mail.settings import MailSettings, mail_settings

__all__ = [
    "MailSettings", "Outgoing", "mail_settings", "mails", "queue", "send", "try_again",
]  # fmt: skip
