"""Archives of several files: zip, tar, tar.gz. Nothing is unpacked under a name of theirs.

An archive is read to its end before any of its files lands, so that one that is damaged or means
harm leaves nothing behind.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from loaders.files.names import shown
from loaders.files.stored import (
    BLOCK,
    TAR_MAGIC,
    Hold,
    StoredFile,
    check_member_name,
    check_ratio,
    is_archive,
    is_clutter,
    member_blocks,
    opened_zip,
)

MAXIMUM_MEMBERS = 1000
_TAR_BLOCK = 512
# Long names and attributes come as members of their own; real ones take a few hundred bytes.
_LARGEST_TAR_HEADER = 64 * 1024

# A member's name and its content; the content must be read before the next member is asked for.
Members = Iterator[tuple[str, Iterator[bytes]]]


class Archive:
    """The files of an archive, in its order. ``members`` may be called again."""

    def __init__(self, path: Path, members: Callable[[Path], Members]) -> None:
        self.path = path
        self._members = members

    def members(self) -> Members:
        """Every file of the archive, directories and clutter left out."""
        return self._members(self.path)

    def examine(self) -> int:
        """Read everything; Hold if the archive may not land. The number of files."""
        stored = self.path.stat().st_size
        count = produced = 0
        for name, blocks in self.members():
            count += 1
            if count > MAXIMUM_MEMBERS:
                raise Hold(
                    "archive_members",
                    f"the archive holds more than {MAXIMUM_MEMBERS} files; send fewer at a time",
                )
            head = b""
            for block in blocks:
                produced += len(block)
                check_ratio(produced, stored)
                if len(head) < _TAR_BLOCK:
                    head += block[:_TAR_BLOCK]
                    if is_archive(head):
                        raise Hold(
                            "nested_archive",
                            f"'{shown(name)}' inside the archive is an archive itself; "
                            "send the files in it",
                        )
        if count == 0:
            raise Hold("archive_members", "the archive holds no file")
        return count


def open_archive(path: Path) -> Archive | None:
    """The archive a file is; None for a plain file and for one that is only compressed."""
    with path.open("rb") as stream:
        head = stream.read(BLOCK)
    if head.startswith(b"PK\x03\x04"):
        try:
            with opened_zip(path) as (_, members):
                is_one_file = len(members) == 1
        except Hold:
            return Archive(path, _zip_members)
        return None if is_one_file else Archive(path, _zip_members)
    if head.startswith(b"\x1f\x8b"):
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, _TAR_BLOCK)
        except zlib.error:
            return None
    return Archive(path, _tar_members) if head[257:262] == TAR_MAGIC else None


def _zip_members(path: Path) -> Members:
    with opened_zip(path) as (archive, members):
        for info in members:
            yield info.filename, member_blocks(archive, info)


def _tar_members(path: Path) -> Members:
    source = _Exactly(StoredFile(path).blocks())
    long_name: str | None = None
    while True:
        try:
            header = tarfile.TarInfo.frombuf(
                source.read(_TAR_BLOCK), tarfile.ENCODING, "surrogateescape"
            )
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            # What follows the end is padding; reading it shows whether the file is whole.
            source.skip_rest()
            return
        except tarfile.HeaderError as error:
            raise Hold("truncated_archive", f"the tar archive is damaged: {error}") from error
        if header.size < 0:
            raise Hold("truncated_archive", "the tar archive is damaged: a negative size")
        if header.type in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME,
                           tarfile.GNUTYPE_LONGLINK):  # fmt: skip
            if header.size > _LARGEST_TAR_HEADER:
                raise Hold(
                    "unsafe_member",
                    f"the tar archive has a header of {header.size} bytes; "
                    f"at most {_LARGEST_TAR_HEADER} are read",
                )
            content = source.read(header.size)
            source.read(-header.size % _TAR_BLOCK)
            if header.type == tarfile.GNUTYPE_LONGNAME:
                long_name = content.rstrip(b"\x00").decode("utf-8", "surrogateescape")
            elif header.type == tarfile.XHDTYPE:
                long_name = _pax_path(content) or long_name
            continue
        name, long_name = long_name or header.name, None
        if header.isdir():
            continue
        check_member_name(name)
        if header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE):
            raise Hold(
                "unsafe_member",
                f"'{shown(name)}' inside the archive is no file but a link or device",
            )
        blocks = source.pieces(header.size)
        if not is_clutter(name):
            yield name, blocks
        for _ in blocks:
            pass
        source.read(-header.size % _TAR_BLOCK)


def _pax_path(content: bytes) -> str | None:
    """The path among the records `<length> key=value` of an extended header."""
    while content:
        length, _, _ = content.partition(b" ")
        if not length.isdigit() or not 0 < int(length) <= len(content):
            raise Hold("truncated_archive", "the tar archive is damaged: an extended header")
        record, content = content[: int(length)], content[int(length) :]
        key, _, value = record[len(length) + 1 :].rstrip(b"\n").partition(b"=")
        if key == b"path":
            return value.decode("utf-8", "surrogateescape")
    return None


class _Exactly:
    """Blocks of any size, read as so many bytes."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""

    def pieces(self, size: int) -> Iterator[bytes]:
        while size > 0:
            if not self._rest:
                self._rest = next(self._blocks, b"")
                if not self._rest:
                    raise Hold("truncated_archive", "the tar archive ends too early")
            piece, self._rest = self._rest[:size], self._rest[size:]
            size -= len(piece)
            yield piece

    def read(self, size: int) -> bytes:
        return b"".join(self.pieces(size))

    def skip_rest(self) -> None:
        for _ in self._blocks:
            pass
