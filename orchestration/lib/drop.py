"""The drop folder: which files lie there, and which of them have arrived whole."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Names under which programs write a file that is still under way.
_UNFINISHED_SUFFIXES = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", "~")
# A file written to within this time may still grow: look again before taking it.
YOUNG_SECONDS = 2.0


@dataclass(frozen=True)
class DropFile:
    """A file and what tells its states apart without reading it."""

    path: Path
    source_code: str | None
    byte_count: int
    modified_ns: int

    @property
    def stamp(self) -> str:
        """Equal as long as nobody wrote to the file."""
        return f"{self.byte_count}:{self.modified_ns}"


def find_files(root: Path) -> list[DropFile]:
    """Every finished-looking file, in order of name: the sub-folder is the source."""
    found = []
    for path in sorted(root.rglob("*")) if root.is_dir() else []:
        relative = path.relative_to(root)
        if any(part.startswith(".") for part in relative.parts):
            continue
        if path.name.lower().endswith(_UNFINISHED_SUFFIXES):
            continue
        try:
            status = path.stat()
            is_file = path.is_file()
        except FileNotFoundError:  # moved away while we looked
            continue
        if is_file:
            source_code = relative.parts[0] if len(relative.parts) > 1 else None
            found.append(DropFile(path, source_code, status.st_size, status.st_mtime_ns))
    return found


def wait_until_settled(files: Iterable[DropFile], seconds: float = 1.0) -> list[DropFile]:
    """Leave out what is still being written: young files must look the same a moment later."""
    files = list(files)
    now = time.time_ns()
    young = {f.path for f in files if now - f.modified_ns < YOUNG_SECONDS * 1e9}
    if not young:
        return files
    time.sleep(seconds)
    settled = []
    for file in files:
        if file.path in young:
            try:
                status = file.path.stat()
            except FileNotFoundError:
                continue
            if f"{status.st_size}:{status.st_mtime_ns}" != file.stamp:
                continue
        settled.append(file)
    return settled


@dataclass(frozen=True)
class DropCursor:
    """What the sensor saw at its last look, and what it has asked to land already."""

    seen: Mapping[str, str]
    requested: Mapping[str, str]

    @classmethod
    def read(cls, text: str | None) -> DropCursor:
        """An empty or foreign cursor means: nothing seen yet."""
        try:
            values: Any = json.loads(text) if text else {}
        except json.JSONDecodeError:
            values = {}
        return cls(seen=values.get("seen", {}), requested=values.get("requested", {}))

    def write(self) -> str:
        return json.dumps({"seen": self.seen, "requested": self.requested}, sort_keys=True)


def next_look(cursor: DropCursor, files: Iterable[DropFile]) -> tuple[list[DropFile], DropCursor]:
    """The files to land now, and the cursor to keep.

    A file is due once it looks the same at two looks in a row, and only once for each content: a
    file that failed is not asked for again until somebody changes it.
    """
    stamps = {str(file.path): file for file in files}
    due = [
        file
        for path, file in stamps.items()
        if cursor.seen.get(path) == file.stamp and cursor.requested.get(path) != file.stamp
    ]
    requested = {path: stamp for path, stamp in cursor.requested.items() if path in stamps}
    requested |= {str(file.path): file.stamp for file in due}
    seen = {path: file.stamp for path, file in stamps.items()}
    return due, DropCursor(seen=seen, requested=requested)
