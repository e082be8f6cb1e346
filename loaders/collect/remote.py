"""What every protocol can do: look, fetch, and put away what was fetched."""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from loaders.collect.collector import Collector
from loaders.collect.errors import CollectError, FileError, TransientError
from loaders.collect.rules import Facts
from loaders.collect.secrets import Secrets
from loaders.files.names import shown

# Until the other side answers at all, and between two pieces of an answer.
TIMEOUT_SECONDS = 30.0
BLOCK = 64 * 1024

Sink = Callable[[bytes], None]


@dataclass(frozen=True)
class RemoteFile:
    """One state of one file at the remote side."""

    # What the other side calls it, unique there.
    remote_name: str
    # Equal as long as nobody wrote to it.
    stamp: str
    facts: Facts
    byte_count: int | None = None
    modified_at: datetime | None = None
    # What is put away as one afterwards: the file itself, or the message it came in.
    unit: str = ""
    # Seen at a glance to be no data: code and words.
    refusal: tuple[str, str] | None = None
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.facts.name


def stamp_of(byte_count: int | None, modified: object) -> str:
    """Size and time of change as one text."""
    return f"{'' if byte_count is None else byte_count}:{'' if modified is None else modified}"


class Remote(ABC):
    """A connection to where a collector fetches from."""

    # A message arrives whole; a file may still be written.
    needs_settling = True

    def __init__(self, collector: Collector, secrets: Secrets) -> None:
        self.collector = collector
        self.secrets = secrets

    @abstractmethod
    def open(self) -> None:
        """Connect and log in."""

    @abstractmethod
    def close(self) -> None:
        """End the connection, whatever state it is in."""

    @abstractmethod
    def look(self, directories: Sequence[str], settled: Container[str]) -> list[RemoteFile]:
        """What lies in these folders; units in ``settled`` need not be looked into."""

    @abstractmethod
    def stamp(self, file: RemoteFile) -> str | None:
        """The file's stamp now; None if it is gone."""

    @abstractmethod
    def fetch(self, file: RemoteFile, sink: Sink) -> None:
        """Hand the content over piece by piece."""

    @abstractmethod
    def move(self, file: RemoteFile, folder: str) -> str:
        """Move the file's unit to another folder; returns its new name."""

    @abstractmethod
    def delete(self, file: RemoteFile) -> None:
        """Delete the file's unit."""

    # -- words -----------------------------------------------------------------------------------

    def error(self, reason: str) -> CollectError:
        return self.collector.error(self.secrets.hidden(reason))

    def transient(self, reason: str) -> TransientError:
        # The same words as a lasting failure: after the last attempt it is one.
        return TransientError(str(self.error(reason)))

    def login_refused(self, said: object = "") -> CollectError:
        answer = f" ({one_line(said)})" if str(said) else ""
        return self.error(
            f"the login of user '{self.collector.username}' was refused{answer}; check username "
            "and secret"
        )

    @contextmanager
    def network_in_words(self) -> Iterator[None]:
        """Failures of the network and of TLS, the same for every protocol."""
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise self.error(
                f"the server's certificate is not trusted: {error.verify_message}. Set tls_trust "
                "to file:/path of its CA, or to sha256: and the certificate's fingerprint"
            ) from None
        except TimeoutError:
            raise self.transient(f"no answer within {TIMEOUT_SECONDS:.0f} seconds") from None
        except (OSError, EOFError) as error:
            raise self.transient(_reason(error)) from None


def unused_name(name: str, taken: Container[str]) -> str:
    """A name for a file that is put away where one of that name may lie already."""
    if name not in taken:
        return name
    return f"{name}.{datetime.now(UTC):%Y%m%dT%H%M%S%f}"


def one_line(text: object) -> str:
    """What the other side said, short enough for a message and without orders to a terminal."""
    words = shown(" ".join(str(text).split()))
    return words if len(words) <= 300 else words[:297] + "..."


def gone(name: str) -> FileError:
    return FileError("gone", f"{name} is no longer there")


def _reason(error: OSError | EOFError) -> str:
    import socket

    if isinstance(error, socket.gaierror):
        return "the host name is unknown here"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused: nothing listens on this port, or a firewall forbids it"
    if isinstance(error, EOFError | ConnectionError | ssl.SSLEOFError):
        return "the other side broke the connection off"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {one_line(error.reason or error)}"
    return f"the network failed: {one_line(error.strerror or error)}"
