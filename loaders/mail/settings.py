"""Where mail goes out, from the environment; the password is named, never given."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from loaders.errors import ConfigurationError

SERVER = "RATEHOUSE_MAIL_SERVER"
SECURITY = "RATEHOUSE_MAIL_SECURITY"
USER = "RATEHOUSE_MAIL_USER"
PASSWORD = "RATEHOUSE_MAIL_PASSWORD_FROM"
SENDER = "RATEHOUSE_MAIL_FROM"
RECIPIENTS = "RATEHOUSE_MAIL_TO"
TRUST = "RATEHOUSE_MAIL_TRUST"
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class MailSettings:
    """A mail server and who writes to whom."""

    host: str
    port: int
    security: str
    sender: str
    recipients: tuple[str, ...]
    user: str = ""
    password: str = field(default="", repr=False)
    # A file of certificates to trust; empty: those of the system.
    trust: str = ""


def mail_settings() -> MailSettings | None:
    """The settings; None where no server is set, and then no mail goes out."""
    server = _value(SERVER)
    if not server:
        return None
    security = _value(SECURITY) or "starttls"
    if security not in _PORTS:
        raise ConfigurationError(f"{SECURITY} must be starttls, tls or none, not {security!r}")
    host, separator, port = server.rpartition(":")
    if not separator or server.endswith("]"):
        host, port = server, str(_PORTS[security])
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigurationError(f"{SERVER} must look like mail.example.com:587")
    host = host.strip("[]")
    sender = _value(SENDER)
    if "@" not in sender:
        raise ConfigurationError(f"{SERVER} is set, so {SENDER} must be the sender's address")
    user, password = _value(USER), _password()
    if bool(user) != bool(password):
        raise ConfigurationError(f"{USER} and {PASSWORD} go together: set both or none")
    if user and security == "none" and host not in _LOOPBACK:
        raise ConfigurationError(
            f"{SECURITY}=none would send the password readable over the network; use starttls"
        )
    trust = _value(TRUST)
    if trust and not Path(trust).is_file():
        raise ConfigurationError(f"{TRUST} names no file: {trust}")
    return MailSettings(
        host, int(port), security, sender, addresses(_value(RECIPIENTS)), user, password, trust
    )


def addresses(text: str) -> tuple[str, ...]:
    """Addresses with commas between them."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    for address in found:
        if (
            not 2 < len(address) < 255
            or address.count("@") != 1
            or any(character.isspace() or not character.isprintable() for character in address)
        ):
            raise ConfigurationError(f"{address!r} is no mail address")
    return found


def _value(name: str) -> str:
    return os.environ.get(name, "").strip()


def _password() -> str:
    reference = _value(PASSWORD)
    if not reference:
        return ""
    scheme, _, place = reference.partition(":")
    if scheme == "env":
        value = os.environ.get(place, "")
        if not value:
            raise ConfigurationError(f"{PASSWORD}: the environment variable {place} is not set")
        return value
    if scheme == "file":
        try:
            return Path(place).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise ConfigurationError(f"{PASSWORD}: {place} cannot be read: {reason}") from None
    # Not repeated: whoever wrote the password here by mistake finds it in no log.
    raise ConfigurationError(f"{PASSWORD} must be env:NAME or file:/path, not the password itself")
