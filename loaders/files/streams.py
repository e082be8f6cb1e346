"""What every reader shares: rows to copy, what is set aside, the figures a file states.

A reader takes blocks of bytes and gives blocks of COPY input; each record, each line that is none
and each line that cannot be read gets a number and is counted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from decimal import Decimal

from loaders.layouts import Dialect, Layout, Shape

MAXIMUM_LINE = 1024 * 1024
KEPT_OF_A_BAD_LINE = 64 * 1024
_SPOOL_IN_MEMORY = 1024 * 1024
_SPOOL_BLOCK = 256 * 1024
_COMMA = Dialect(b",")
_COPY_ENCODINGS = {"utf-8": "UTF8", "cp1252": "WIN1252", "latin-1": "LATIN1"}


class NotUtf8(Exception):
    """A file read as UTF-8 has bytes that are not: its encoding has to be decided anew."""


class Spool:
    """Rows for a second COPY, in memory while few, on disk when many."""

    def __init__(self) -> None:
        self.count = 0
        self._stream = tempfile.SpooledTemporaryFile(max_size=_SPOOL_IN_MEMORY)  # noqa: SIM115

    def add(self, row: bytes) -> None:
        self._stream.write(row)
        self._stream.write(b"\n")
        self.count += 1

    def blocks(self) -> Iterator[bytes]:
        """All rows, from the first."""
        self._stream.seek(0)
        while block := self._stream.read(_SPOOL_BLOCK):
            yield block

    def close(self) -> None:
        self._stream.close()


class RecordStream:
    """One pass over the content of one file. Iterate ``copy_input`` to its end, then read the
    counts and the spools."""

    def __init__(
        self,
        blocks: Iterable[bytes],
        shape: Shape | None,
        *,
        file_id: int,
        text_encoding: str = "utf-8",
        tolerate_undecodable: bool = False,
    ) -> None:
        self._blocks = blocks
        self._shape = shape
        self._layout: Layout | None = shape.layout if shape else None
        self._file_prefix = b"%d," % file_id
        self.encoding = text_encoding
        self._checks_utf8 = text_encoding == "utf-8"
        self._tolerate_undecodable = tolerate_undecodable
        self.line_no = 0
        self.data_count = 0
        # What a trailer or header line of the file states.
        self.stated_count: int | None = None
        self.stated_total: Decimal | None = None
        self.stated_sequence: str | None = None
        # What the data lines add to the stated total, where the layout says how.
        self.added_total: Decimal | None = None
        self.non_data = Spool()
        self.quarantine = Spool()
        # Records of another width that are plainly another variant of the same writer.
        self.side_rows: dict[tuple[str, ...], Spool] = {}
        self.copy_columns: tuple[str, ...] = tuple(dict.fromkeys(shape.targets)) if shape else ()

    @property
    def copy_delimiter(self) -> str:
        """What separates the values of ``copy_input``."""
        return ","

    @property
    def copy_encoding(self) -> str:
        """The encoding of ``copy_input``, as the database calls it."""
        return _COPY_ENCODINGS[self.encoding]

    def copy_input(self) -> Iterator[bytes]:
        """Rows of the landing table as CSV, in blocks."""
        raise NotImplementedError

    def _is_unreadable(self, line: bytes) -> bool:
        """Whether the line is no text and was set aside; a file of another encoding stops."""
        if b"\x00" in line:
            self._set_aside(line, "nul_byte", "the line holds a zero byte, which is no text")
            return True
        if not self._checks_utf8 or is_utf8(line):
            return False
        if not self._tolerate_undecodable:
            raise NotUtf8
        self._set_aside(
            line, "undecodable_bytes", "the line holds bytes that are not valid UTF-8"
        )
        return True

    def _kind_by_profile(self, line: bytes) -> str | None:
        """What the layout says the line is, where it is no record."""
        if self._layout is None:
            return None
        for rule in self._layout.non_data:
            if rule.pattern.find(line, self.encoding):
                self._read_control(line)
                return rule.kind
        return None

    def _read_control(self, line: bytes) -> None:
        control = self._layout.control if self._layout else None
        found = control.pattern.find(line, self.encoding) if control else None
        if found is None:
            return
        stated = {
            name: value.decode() if isinstance(value, bytes) else value
            for name, value in found.groupdict().items()
            if value is not None
        }
        if (count := stated.get("count", "").strip()).isdecimal():
            self.stated_count = (self.stated_count or 0) + int(count)
        total = stated.get("total", "").strip()
        if total.replace(".", "", 1).lstrip("+-").isdecimal():
            self.stated_total = (self.stated_total or 0) + Decimal(total)
        if sequence := stated.get("sequence", "").strip():
            self.stated_sequence = sequence

    def _not_data(self, line: bytes, kind: str) -> None:
        self.line_no += 1
        self.non_data.add(
            self._file_prefix
            + b"%d,%s," % (self.line_no, kind.encode())
            + _COMMA.write([self._decode(line).encode()])
        )

    def _too_long(self, head: bytes, length: int, *, what: str = "line") -> None:
        self._set_aside(
            head,
            "line_too_long",
            f"the {what} has {length} bytes; more than {MAXIMUM_LINE} are not read as one {what}",
            raw_length=length,
        )

    def _set_aside(
        self,
        line: bytes,
        code: str,
        reason: str,
        *,
        field: str | None = None,
        raw_length: int | None = None,
    ) -> None:
        self.line_no += 1
        kept = line[:KEPT_OF_A_BAD_LINE]
        self.quarantine.add(
            self._file_prefix
            + b"%d," % self.line_no
            + _COMMA.write(
                [
                    code.encode(),
                    None if field is None else storable(field).encode(),
                    reason.encode("utf-8", "replace"),
                    b"\\x" + kept.hex().encode(),
                    b"%d" % (len(line) if raw_length is None else raw_length),
                ]
            )
        )

    def _decode(self, value: bytes) -> str:
        return value.decode(self.encoding, "replace")

    def close(self) -> None:
        for spool in (self.non_data, self.quarantine, *self.side_rows.values()):
            spool.close()


def is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def storable(text: str) -> str:
    """Text the database can hold."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
