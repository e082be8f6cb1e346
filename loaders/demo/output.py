"""Writing files: deterministic gzip, counting, and the manifest."""

import gzip
import json
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self


class OutputFile:
    """A file being written; text goes through one encoding, dirt is counted by kind."""

    def __init__(self, path: Path, *, encoding: str = "utf-8") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.encoding = encoding
        self.records = 0
        self.dirt: dict[str, int] = {}
        self._raw: BinaryIO = path.open("wb")
        self._gzip: gzip.GzipFile | None = None
        if path.suffix == ".gz":
            # No name and no time inside: the same content gives the same bytes.
            self._gzip = gzip.GzipFile(
                filename="", mode="wb", compresslevel=6, fileobj=self._raw, mtime=0
            )

    def write(self, lines: list[str], records: int) -> None:
        """Append text that ends with line ends; `records` of it are data records."""
        if lines:
            (self._gzip or self._raw).write("".join(lines).encode(self.encoding))
            self.records += records

    def soil(self, kind: str, times: int = 1) -> None:
        """Count dirt of a kind."""
        self.dirt[kind] = self.dirt.get(kind, 0) + times

    def summary(self) -> dict[str, object]:
        """Give the manifest entry."""
        return {
            "source": self.path.parent.name,
            "file": self.path.name,
            "records": self.records,
            "dirt": dict(sorted(self.dirt.items())),
        }

    def close(self) -> None:
        """Finish the file."""
        if self._gzip:
            self._gzip.close()
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def write_manifest(path: Path, content: dict[str, object]) -> None:
    """Write the manifest."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
