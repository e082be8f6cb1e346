"""A folder of this machine (or one mounted here) that somebody else writes to."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Container, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from loaders.collect.errors import FileError
from loaders.collect.remote import BLOCK, Remote, RemoteFile, Sink, gone, stamp_of, unused_name
from loaders.collect.rules import Facts


class FolderRemote(Remote):
    """A folder outside our own."""

    def open(self) -> None:
        root = Path(self.collector.directory)
        if not root.is_dir():
            raise self.error(f"there is no folder {root}")

    def close(self) -> None:
        pass

    def _path(self, directory: str) -> Path:
        return Path(self.collector.directory) / directory

    def look(self, directories: Sequence[str], settled: Container[str]) -> list[RemoteFile]:
        return [file for directory in directories for file in self._look_into(directory)]

    def _look_into(self, directory: str) -> Iterator[RemoteFile]:
        folder = self._path(directory)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise self.error(f"the folder {folder} cannot be read: {error.strerror}") from None
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISDIR(status.st_mode):
                continue
            refusal = None
            if stat.S_ISLNK(status.st_mode):
                refusal = ("symbolic_link", "symbolic links are not followed")
            elif not stat.S_ISREG(status.st_mode):
                refusal = ("not_a_file", "this is not a plain file")
            yield RemoteFile(
                remote_name=str(folder / entry.name).encode("utf-8", "backslashreplace").decode(),
                stamp=stamp_of(status.st_size, status.st_mtime_ns),
                facts=Facts(entry.name, directory),
                byte_count=status.st_size,
                modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
                refusal=refusal,
            )

    def _real(self, file: RemoteFile) -> Path:
        return self._path(file.facts.directory) / file.name

    def stamp(self, file: RemoteFile) -> str | None:
        try:
            status = self._real(file).lstat()
        except FileNotFoundError:
            return None
        return stamp_of(status.st_size, status.st_mtime_ns)

    def fetch(self, file: RemoteFile, sink: Sink) -> None:
        try:
            # A link put there between look and fetch is refused by the system itself.
            descriptor = os.open(self._real(file), os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise gone(file.name) from None
        except OSError as error:
            raise FileError("not_permitted", f"it cannot be read: {error.strerror}") from None
        with os.fdopen(descriptor, "rb", buffering=0) as stream:
            while block := stream.read(BLOCK):
                sink(block)

    def move(self, file: RemoteFile, folder: str) -> str:
        target = self._path(folder)
        try:
            target.mkdir(parents=True, exist_ok=True)
            new = target / unused_name(file.name, {path.name for path in target.iterdir()})
            shutil.move(self._real(file), new)
        except OSError as error:
            raise FileError(
                "not_moved", f"it cannot be moved to {target}: {error.strerror or error}"
            ) from None
        return str(new)

    def delete(self, file: RemoteFile) -> None:
        try:
            self._real(file).unlink(missing_ok=True)
        except OSError as error:
            raise FileError("not_deleted", f"it cannot be deleted: {error.strerror}") from None
