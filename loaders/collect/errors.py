"""What goes wrong while files are fetched, and whether trying again may help."""

from __future__ import annotations

from loaders.errors import RatehouseError


class CollectError(RatehouseError):
    """A collector cannot do its work until somebody puts something right."""


class TransientError(RatehouseError):
    """The network or the other side failed for the moment: worth another try."""


class FileError(RatehouseError):
    """One file cannot be fetched; the others can."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
