"""Reading the stored bytes of a file: hashed as they are, then unpacked and decoded, in blocks.

Nothing here holds more than a few blocks, whatever the size of the file or of one line.
"""

from __future__ import annotations

import codecs
import hashlib
import re
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import IO, cast

from loaders.files.names import shown
from loaders.files.originals import Copy, Originals

# Small enough to stay in the processor's cache: 256 KiB was 10 to 40 % slower.
BLOCK = 64 * 1024
HEAD = 256 * 1024
# Blocks are handed to the thread that hashes and copies them so many at a time, and it may be so
# many hands behind: 8 MiB.
_HANDFUL = 16
_HANDFULS_BEHIND = 8
# An archive may not unpack to more than this many times its size (beyond a free allowance).
MAXIMUM_RATIO = 250
FREE_ALLOWANCE = 256 * 1024 * 1024

# The list of members of a zip archive: about 1,000 names of 900 characters.
MAXIMUM_DIRECTORY = 1024 * 1024
TAR_MAGIC = b"ustar"

_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_BINARY = {
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"\x7fELF": "a program",
    b"\xd0\xcf\x11\xe0": "an old Office document (save it as CSV)",
    b"7z\xbc\xaf": "a 7-Zip archive (send gzip or zip)",
    b"Rar!": "a RAR archive (send gzip or zip)",
    b"BZh": "a bzip2 archive (send gzip or zip)",
    b"\xfd7zXZ": "an xz archive (send gzip or zip)",
    b"\x28\xb5\x2f\xfd": "a zstd archive (send gzip or zip)",
    b"PAR1": "a Parquet file",
}


class Hold(Exception):
    """The file cannot be trusted as a whole: nothing of it may land."""

    def __init__(self, code: str, explanation: str, file_id: int | None = None) -> None:
        super().__init__(explanation)
        self.code = code
        self.explanation = explanation
        # The file that this one may repeat.
        self.file_id = file_id
        # What recognition found, for a preview.
        self.detection: dict[str, object] = {}


class StoredFile:
    """One file on disk. ``blocks`` may be called again: it reads from the start each time."""

    def __init__(self, path: Path, originals: Originals | None = None) -> None:
        self.path = path
        self._originals = originals
        self._copy: Copy | None = None
        self._aside: _Aside | None = None
        # Of the stored bytes read by the last complete pass over ``blocks``.
        self.sha256 = ""
        self.byte_count = 0
        with path.open("rb") as stream:
            self.magic = stream.read(8)
        self.compression = self._compression()

    def _compression(self) -> str:
        if self.magic.startswith(_GZIP):
            return "gzip"
        if self.magic.startswith((_ZIP, _EMPTY_ZIP)):
            return "zip"
        return "none"

    def fingerprint(self) -> str:
        """A pass that only hashes, and copies."""
        for _ in self._stored_blocks():
            pass
        return self.sha256

    def _stored_blocks(self) -> Iterator[bytes]:
        self.drop_copy()
        self.byte_count = 0
        copy = self._copy = self._originals.begin() if self._originals else None
        aside = self._aside = _Aside(copy)
        with self.path.open("rb", buffering=0) as stream:
            while block := stream.read(BLOCK):
                aside.take(block)
                self.byte_count += len(block)
                yield block
        self.sha256 = aside.fingerprint()

    def keep_original(self) -> None:
        """Put the bytes of the last complete pass where originals are kept."""
        if self._copy is not None:
            self._copy.keep(self.sha256)
            self._copy = None

    def drop_copy(self) -> None:
        """Forget the bytes of the last pass."""
        if self._aside is not None:
            self._aside.stop()
            self._aside = None
        if self._copy is not None:
            self._copy.drop()
            self._copy = None

    def blocks(self) -> Iterator[bytes]:
        """The content, unpacked, as the bytes of its own encoding."""
        if self.compression == "gzip":
            yield from self._gunzipped()
        elif self.compression == "zip":
            self.fingerprint()
            yield from self._unzipped()
        else:
            yield from self._stored_blocks()

    def _gunzipped(self) -> Iterator[bytes]:
        inflater = zlib.decompressobj(wbits=31)
        produced = 0
        finished = False
        try:
            for block in self._stored_blocks():
                pending = block
                while pending:
                    if finished:
                        # Members may follow one another, or zeros that pad a tape block.
                        pending = pending.lstrip(b"\x00")
                        if not pending:
                            break
                        inflater = zlib.decompressobj(wbits=31)
                        finished = False
                    content = inflater.decompress(pending, BLOCK)
                    produced += len(content)
                    self._check_ratio(produced)
                    if content:
                        yield content
                    finished = inflater.eof
                    pending = inflater.unused_data if finished else inflater.unconsumed_tail
        except zlib.error as error:
            raise Hold("truncated_archive", f"the gzip archive is damaged: {error}") from error
        if not finished:
            content = inflater.flush()
            raise Hold(
                "truncated_archive",
                f"the gzip archive ends too early, after {produced + len(content)} bytes "
                "of its content",
            )

    def _unzipped(self) -> Iterator[bytes]:
        produced = 0
        with opened_zip(self.path) as (archive, members):
            if len(members) != 1:
                raise Hold("archive_members", f"the zip archive holds {len(members)} files")
            for content in member_blocks(archive, members[0]):
                produced += len(content)
                self._check_ratio(produced)
                yield content

    def _check_ratio(self, produced: int) -> None:
        check_ratio(produced, self.byte_count)


class _Aside:
    """Hashes and copies blocks in a thread of its own while the reader goes on with them.

    Neither needs Python's lock for its work, so that the time of both is hidden behind the rest.
    """

    def __init__(self, copy: Copy | None) -> None:
        self._copy = copy
        self._digest = hashlib.sha256()
        self._hand: list[bytes] = []
        self._hands: Queue[list[bytes]] = Queue(_HANDFULS_BEHIND)
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def take(self, block: bytes) -> None:
        """One more block, in order; what went wrong with an earlier one is raised here."""
        self._hand.append(block)
        if len(self._hand) < _HANDFUL:
            return
        self._raise_failure()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        self._hands.put(self._hand)
        self._hand = []

    def fingerprint(self) -> str:
        """The sha256 of all blocks; then they are all copied, too."""
        self.stop()
        self._raise_failure()
        self._work(self._hand)
        self._hand = []
        return self._digest.hexdigest()

    def stop(self) -> None:
        """Wait for what was handed over; nothing happens the second time."""
        if self._thread is not None:
            self._hands.put([])
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while blocks := self._hands.get():
            try:
                if self._failure is None:
                    self._work(blocks)
            except BaseException as error:
                self._failure = error

    def _work(self, blocks: list[bytes]) -> None:
        for block in blocks:
            self._digest.update(block)
            if self._copy is not None:
                self._copy.write(block)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def check_ratio(produced: int, stored: int) -> None:
    """Hold a decompression bomb before it has done harm."""
    if produced > FREE_ALLOWANCE and produced > MAXIMUM_RATIO * max(stored, 1):
        raise Hold(
            "archive_too_large",
            f"the archive unpacks to more than {MAXIMUM_RATIO} times its size",
        )


@contextmanager
def opened_zip(path: Path) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]]:
    """A zip archive and its files; one that is damaged or unusual is held."""
    with (
        zip_failures_hold(),
        path.open("rb") as stream,
        zipfile.ZipFile(cast(IO[bytes], _Guarded(stream))) as archive,
    ):
        infos = archive.infolist()
        if any(info.filename == "[Content_Types].xml" for info in infos):
            raise Hold("not_text", "this is an Office document; save it as CSV")
        members = [info for info in infos if not info.is_dir() and not is_clutter(info.filename)]
        for info in members:
            check_member_name(info.filename)
            if info.flag_bits & 0x1:
                raise Hold("archive_unreadable", "the zip archive is protected by a password")
            # The others may ask for gigabytes of memory before the first byte comes out.
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Hold(
                    "archive_unreadable",
                    f"'{shown(info.filename)}' is compressed in an unusual way; "
                    "send a plain zip archive",
                )
        yield archive, members


def member_blocks(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """The content of one file of a zip archive."""
    with zip_failures_hold(), archive.open(member) as stream:
        while block := stream.read(BLOCK):
            yield block


@contextmanager
def zip_failures_hold() -> Iterator[None]:
    """What zipfile finds wrong, as a Hold."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, UnicodeDecodeError) as error:
        raise Hold(
            "truncated_archive", f"the zip archive is damaged or incomplete: {error}"
        ) from error
    except (NotImplementedError, RuntimeError) as error:
        raise Hold("archive_unreadable", f"the zip archive cannot be read: {error}") from error


class _Guarded:
    """A file of which zipfile may not read the list of members whole if that is huge."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if size > MAXIMUM_DIRECTORY:
            raise Hold(
                "archive_members",
                f"the zip archive's list of files takes {size} bytes; "
                f"at most {MAXIMUM_DIRECTORY} are read",
            )
        return self._stream.read(size)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def is_clutter(name: str) -> bool:
    """What packing programs add: folders of a Mac, hidden files."""
    return name.startswith("__MACOSX/") or name.replace("\\", "/").rsplit("/", 1)[-1][:1] == "."


def check_member_name(name: str) -> None:
    """Members are never unpacked under their own names; one that tries to escape is no accident."""
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or re.match(r"[A-Za-z]:", name):
        raise Hold(
            "unsafe_member",
            f"the archive holds a file named '{shown(name)}', which points outside of it",
        )


def refuse_binary(head: bytes) -> None:
    """Hold what is no text at all; a stray control byte is a matter of its line."""
    if is_archive(head):
        raise Hold("nested_archive", "there is an archive inside the archive; send the files in it")
    for magic, name in _BINARY.items():
        if head.startswith(magic):
            raise Hold("not_text", f"this is {name}, not a text file")
    sample = head[:65536]
    control = len(sample) - len(sample.translate(None, _CONTROL))
    if control > max(2, len(sample) // 33):
        raise Hold(
            "not_text",
            f"{control} of the first {len(sample)} bytes are control bytes: this is not text",
        )


def is_archive(head: bytes) -> bool:
    """Gzip, zip or tar, by the first 512 bytes."""
    return head.startswith((_GZIP, _ZIP, _EMPTY_ZIP)) or head[257:262] == TAR_MAGIC


_CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\v\x1a\x1b")


def wide_encoding(head: bytes) -> str | None:
    """UTF-16 or UTF-32, by its mark or by where the zero bytes of ASCII text stand."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    sample = head[: min(len(head), 4096) & ~1]
    if len(sample) < 8:
        return None
    half = len(sample) // 2
    even = sample[0::2].count(0)
    odd = sample[1::2].count(0)
    if odd > 0.7 * half and even < 0.1 * half:
        return "utf-16-le"
    if even > 0.7 * half and odd < 0.1 * half:
        return "utf-16-be"
    return None


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    # A lone surrogate becomes the byte ff below, so that the line is seen to be undecodable.
    if isinstance(error, UnicodeDecodeError):
        return "\udcff", error.end
    raise error


codecs.register_error("ratehouse_mark", _mark_undecodable)


def as_utf8(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Blocks of a wide encoding as UTF-8; what cannot be decoded becomes the byte ff."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="ratehouse_mark")
    for block in blocks:
        if text := decoder.decode(block):
            yield text.encode("utf-8", "surrogateescape")
    if text := decoder.decode(b"", final=True):
        yield text.encode("utf-8", "surrogateescape")


def without_mark(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """UTF-8 without its byte order mark."""
    head = b""
    for block in blocks:
        head += block
        if len(head) >= len(codecs.BOM_UTF8):
            break
    if head := head.removeprefix(codecs.BOM_UTF8):
        yield head
    yield from blocks


def with_newlines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Files of old Macs end lines with CR alone: here every CR, LF or CRLF becomes LF."""
    pending = b""
    for block in blocks:
        block = pending + block
        pending = b"\r" if block.endswith(b"\r") else b""
        if pending:
            block = block[:-1]
        if block:
            yield block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if pending:
        yield b"\n"
