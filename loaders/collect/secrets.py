"""Secrets: named in reference data, read from the environment or a file, never shown."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from loaders.collect.errors import CollectError

_HIDDEN = "(hidden)"


@dataclass
class Secrets:
    """What one collector may read, and a way to keep it out of every message."""

    collector_code: str
    _read: set[str] = field(default_factory=set, repr=False)

    def read(self, reference: str) -> str:
        """The secret behind env:NAME or file:/path."""
        scheme, _, place = reference.partition(":")
        if scheme == "env":
            value = os.environ.get(place, "")
            if not value:
                raise CollectError(
                    f"collector {self.collector_code}: the environment variable {place} is not "
                    "set; it should hold the secret"
                )
        elif scheme == "file":
            value = self._of_file(Path(place))
        else:
            # Not repeated: whoever wrote a secret here by mistake finds it in no log.
            raise CollectError(
                f"collector {self.collector_code}: secrets are named as env:NAME or file:/path"
            )
        self._read |= {value, *(line for line in value.splitlines() if len(line) >= 4)}
        return value

    def _of_file(self, path: Path) -> str:
        try:
            value = path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise CollectError(
                f"collector {self.collector_code}: the secret in {path} cannot be read: {reason}"
            ) from None
        if not value:
            raise CollectError(f"collector {self.collector_code}: {path} is empty")
        return value

    def hidden(self, text: str) -> str:
        """A text of the other side without any secret it may repeat."""
        for secret in sorted(self._read, key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        return text
