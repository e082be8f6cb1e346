"""Originals: the bytes of every file received, kept under their sha256.

An original is written while the file is read for landing, so that the bytes kept are the bytes
that were hashed, and it is in its place before the landing commits. Any fsspec URL will do.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from loaders import settings
from loaders.errors import ConfigurationError, RatehouseError

URL_VARIABLE = "RATEHOUSE_ORIGINALS_URL"
_BLOCK = 256 * 1024
_SYNC_EVERY = 32 * 1024 * 1024
_INCOMING = ".incoming"
# What a killed process left half-written is removed after this time.
_ABANDONED_SECONDS = 24 * 3600
# Where a whole object appears at once. Elsewhere it is put under another name and renamed.
_ATOMIC_PUT = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "memory"})


class OriginalMissing(RatehouseError):
    """The storage does not hold the bytes asked for."""


class OriginalDamaged(RatehouseError):
    """The storage holds other bytes than it was given."""


def storage_key(sha256: str) -> str:
    """Where an original lies, below the storage's root: two levels keep folders small."""
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def open_originals() -> Originals:
    """The storage this installation is set to."""
    url = os.environ.get(URL_VARIABLE, "").strip()
    if not url:
        return _LocalOriginals(settings.home() / "originals")
    parts = urlsplit(url)
    if parts.scheme in ("", "file"):
        path = unquote(parts.path) if parts.scheme else url
        if not os.path.isabs(path):
            raise ConfigurationError(
                f"{URL_VARIABLE}: '{url}' is no absolute path; write file:///srv/originals"
            )
        return _LocalOriginals(Path(path))
    return _RemoteOriginals(url)


class Copy:
    """One original under way. Write all blocks, then keep or drop it."""

    def __init__(self, originals: Originals, path: Path) -> None:
        self._originals = originals
        self._path = path
        with _failures_in_words(originals.place):
            self._stream: IO[bytes] | None = path.open("xb", buffering=0)
        self._not_synced = 0

    def write(self, block: bytes) -> None:
        assert self._stream is not None
        with _failures_in_words(self._originals.place):
            written = self._stream.write(block)
            while written < len(block):  # cut short by a disk that is nearly full
                written += self._stream.write(block[written:])
            self._not_synced += len(block)
            if self._not_synced >= _SYNC_EVERY:
                # Bit by bit while there is other work, not all of it at the end.
                os.fdatasync(self._stream.fileno())
                self._not_synced = 0

    def keep(self, sha256: str) -> None:
        """Put the original in its place; nothing happens if it is there already."""
        stream, self._stream = self._stream, None
        assert stream is not None
        try:
            with stream, _failures_in_words(self._originals.place):
                if not self._originals.holds(sha256):
                    self._originals.take(stream, self._path, sha256)
        finally:
            self._path.unlink(missing_ok=True)

    def drop(self) -> None:
        """Forget what was written."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
            self._path.unlink(missing_ok=True)


class Originals:
    """Content-addressed storage of files as received."""

    def begin(self) -> Copy:
        """An original whose fingerprint is not known yet."""
        raise NotImplementedError

    def holds(self, sha256: str) -> bool:
        raise NotImplementedError

    def take(self, stream: IO[bytes], path: Path, sha256: str) -> None:
        """Move a complete local file to its key, whole or not at all."""
        raise NotImplementedError

    def read(self, sha256: str) -> IO[bytes]:
        """The stored bytes, not verified yet."""
        raise NotImplementedError

    @property
    def place(self) -> str:
        """For messages."""
        raise NotImplementedError

    def blocks(self, sha256: str) -> Iterator[bytes]:
        """The stored bytes; raises after the last block if they are not the ones stored."""
        digest = hashlib.sha256()
        with self.read(sha256) as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
                yield block
        if digest.hexdigest() != sha256:
            raise OriginalDamaged(
                f"the original {storage_key(sha256)} in {self.place} is damaged: its bytes are "
                "not those that were received. Restore it from a backup, or load the file again"
            )

    def copy_to(self, sha256: str, target: Path) -> None:
        """A verified, byte-identical copy; the target appears whole or not at all."""
        part = target.with_name(f".{target.name[:200]}.{uuid.uuid4().hex}.part")
        try:
            with part.open("xb") as stream:
                for block in self.blocks(sha256):
                    stream.write(block)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    @contextlib.contextmanager
    def as_file(self, sha256: str) -> Iterator[Path]:
        """A verified local copy for as long as it is needed."""
        with tempfile.TemporaryDirectory(prefix="ratehouse-original-") as folder:
            path = Path(folder) / sha256
            self.copy_to(sha256, path)
            yield path

    def ensure(self, sha256: str, path: Path) -> None:
        """Keep a local file whose fingerprint is known; a file that has changed is left alone."""
        if self.holds(sha256):
            return
        copy = self.begin()
        digest = hashlib.sha256()
        try:
            with path.open("rb", buffering=0) as stream:
                while block := stream.read(_BLOCK):
                    digest.update(block)
                    copy.write(block)
            if digest.hexdigest() == sha256:
                copy.keep(sha256)
        finally:
            copy.drop()

    def _missing(self, sha256: str) -> OriginalMissing:
        return OriginalMissing(
            f"{self.place} does not hold the original {storage_key(sha256)}. Files received "
            "before originals were kept have none; otherwise look whether "
            f"{URL_VARIABLE} names the right place"
        )


class _LocalOriginals(Originals):
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._is_ready = False

    @property
    def place(self) -> str:
        return str(self._root)

    def begin(self) -> Copy:
        incoming = self._root / _INCOMING
        if not self._is_ready:
            incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
            _remove_abandoned(incoming)
            self._is_ready = True
        return Copy(self, incoming / uuid.uuid4().hex)

    def holds(self, sha256: str) -> bool:
        return (self._root / storage_key(sha256)).is_file()

    def take(self, stream: IO[bytes], path: Path, sha256: str) -> None:
        target = self._root / storage_key(sha256)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.fchmod(stream.fileno(), 0o400)
        # On disk before the database says that the file has landed.
        os.fsync(stream.fileno())
        path.replace(target)
        _sync_folder(target.parent)

    def read(self, sha256: str) -> IO[bytes]:
        try:
            return (self._root / storage_key(sha256)).open("rb")
        except FileNotFoundError:
            raise self._missing(sha256) from None


class _RemoteOriginals(Originals):
    """Whatever fsspec reaches: object storage, SFTP, a share."""

    def __init__(self, url: str) -> None:
        import fsspec

        shown = _without_secrets(url)
        try:
            self._files, root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise ConfigurationError(f"{URL_VARIABLE}: {shown} cannot be used: {error}") from error
        self._root = root.rstrip("/")
        self._place = shown
        protocol = self._files.protocol
        names = {protocol} if isinstance(protocol, str) else set(protocol)
        self._puts_atomically = bool(names & _ATOMIC_PUT)

    @property
    def place(self) -> str:
        return self._place

    def _key(self, sha256: str) -> str:
        return f"{self._root}/{storage_key(sha256)}"

    def begin(self) -> Copy:
        folder = Path(tempfile.gettempdir()) / f"ratehouse-originals-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise ConfigurationError(f"{folder} belongs to somebody else; set TMPDIR to another")
        _remove_abandoned(folder)
        return Copy(self, folder / uuid.uuid4().hex)

    def holds(self, sha256: str) -> bool:
        with _failures_in_words(self._place):
            return bool(self._files.exists(self._key(sha256)))

    def take(self, stream: IO[bytes], path: Path, sha256: str) -> None:
        key = self._key(sha256)
        self._files.makedirs(key.rsplit("/", 1)[0], exist_ok=True)
        if self._puts_atomically:
            self._files.put_file(str(path), key)
            return
        under_way = f"{key}.{uuid.uuid4().hex}.part"
        try:
            self._files.put_file(str(path), under_way)
            self._files.mv(under_way, key)
        except BaseException:
            with contextlib.suppress(Exception):
                self._files.rm_file(under_way)
            raise

    def read(self, sha256: str) -> IO[bytes]:
        try:
            return self._files.open(self._key(sha256), "rb", block_size=_BLOCK)
        except FileNotFoundError:
            raise self._missing(sha256) from None


@contextlib.contextmanager
def _failures_in_words(place: str) -> Iterator[None]:
    try:
        yield
    except RatehouseError:
        raise
    except Exception as error:
        raise RatehouseError(
            f"the storage of originals ({place}) does not work: {type(error).__name__}: {error}. "
            "The file has not landed; load it again when the storage works"
        ) from error


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rsplit("@", 1)[-1]
    return f"{parts.scheme}://{host}{parts.path}"


def _remove_abandoned(folder: Path) -> None:
    before = time.time() - _ABANDONED_SECONDS
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime < before:
                    os.unlink(entry.path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
