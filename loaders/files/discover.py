"""From the paths a person names to the files to load."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Found:
    """A path to load, or one that is left alone, with the reason."""

    path: Path
    refused: str | None = None
    explanation: str = ""


def find_files(paths: Iterable[Path | str]) -> Iterator[Found]:
    """Files and the files of folders, sorted by path, each once."""
    seen: set[Path] = set()
    for given in paths:
        for found in _walk(Path(given).absolute(), named=True):
            if found.path not in seen:
                seen.add(found.path)
                yield found


def _walk(path: Path, *, named: bool) -> Iterator[Found]:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        yield Found(path, "not_found", "there is no such file or folder")
        return
    except OSError as error:
        yield Found(path, "unreadable", f"cannot be looked at: {error.strerror}")
        return
    if stat.S_ISLNK(mode):
        yield Found(path, "symbolic_link", "symbolic links are not followed; name the file itself")
    elif path.name.startswith(".") and not (named and stat.S_ISDIR(mode)):
        yield Found(path, "hidden_file", "hidden files are left alone: they may be incomplete")
    elif stat.S_ISDIR(mode):
        try:
            children = sorted(path.iterdir())
        except OSError as error:
            yield Found(path, "unreadable", f"the folder cannot be read: {error.strerror}")
            return
        for child in children:
            yield from _walk(child, named=False)
    elif stat.S_ISREG(mode):
        yield Found(path)
    else:
        yield Found(path, "not_a_file", "this is neither a file nor a folder")
