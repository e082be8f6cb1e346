"""The protocol of a collector, and connections that come back after a failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from loaders.collect.collector import Collector
from loaders.collect.errors import TransientError
from loaders.collect.remote import Remote, one_line
from loaders.collect.retry import Patience
from loaders.collect.secrets import Secrets
from loaders.errors import RatehouseError

Result = TypeVar("Result")


def make_remote(collector: Collector) -> Remote:
    """The remote side of a collector, not yet connected."""
    # Each library only where it is needed: a folder wants none of them.
    if collector.protocol == "sftp":
        from loaders.collect.sftp import SftpRemote as Chosen
    elif collector.protocol in ("ftp", "ftps"):
        from loaders.collect.ftp import FtpRemote as Chosen
    elif collector.protocol == "imap":
        from loaders.collect.imap import ImapRemote as Chosen
    else:
        from loaders.collect.folder import FolderRemote as Chosen
    return Chosen(collector, Secrets(collector.collector_code))


class Line:
    """One remote side; what fails for the moment is tried again over a new connection."""

    def __init__(
        self, collector: Collector, patience: Patience, say: Callable[[str], None]
    ) -> None:
        self._remote = make_remote(collector)
        self._patience = patience
        self._say = say
        self._is_open = False

    @property
    def needs_settling(self) -> bool:
        return self._remote.needs_settling

    def do(self, work: Callable[[Remote], Result]) -> Result:
        """Do something with the remote side."""

        def attempt() -> Result:
            try:
                if not self._is_open:
                    self._remote.open()
                    self._is_open = True
                return work(self._remote)
            except TransientError:
                self.close()
                raise
            except (RatehouseError, OSError):
                raise
            except Exception as error:
                # A library met something no protocol foresees. The other collectors go on.
                self.close()
                raise self._remote.error(
                    f"an error nobody expected: {type(error).__name__}: {one_line(error)}"
                ) from error

        return self._patience.persist(attempt, self._say)

    def close(self) -> None:
        self._is_open = False
        self._remote.close()
