"""Reading files of documents: JSON, XML, and blocks of RADIUS attributes.

Records keep the physical line they begin on; where several begin on one line they are numbered
on from it, so that every record of a file has a number of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain

from loaders.files.lines import whole_lines
from loaders.files.stored import Hold
from loaders.files.streams import KEPT_OF_A_BAD_LINE, MAXIMUM_LINE, RecordStream
from loaders.layouts.documents import (
    BrokenDocument,
    JsonScanner,
    Piece,
    RefusedDocument,
    Scanner,
    XmlScanner,
    are_json_lines,
    is_radius_attribute,
    read_json,
    read_radius,
    read_xml,
)

_HEAD = 64 * 1024


class _DocumentStream(RecordStream):
    """What the readers of documents share: numbers, and rows of text."""

    @property
    def copy_encoding(self) -> str:
        return "UTF8"

    def _begin(self, line: int) -> None:
        """The next record, or what is none, stands on this line."""
        self.line_no = max(line - 1, self.line_no)

    def _row(self, *values: str) -> bytes:
        self.line_no += 1
        self.data_count += 1
        fields = b",".join(
            b'"' + value.replace('"', '""').encode() + b'"' for value in values
        )
        return b"%s%d,%s\n" % (self._file_prefix, self.line_no, fields)

    def _set_aside_broken(self, content: bytes, broken: BrokenDocument) -> None:
        self._set_aside(content, broken.code, str(broken))

    def _text(self, content: bytes) -> str:
        """The record as text; what could not be decoded is asked about before."""
        return content.decode(self.encoding, "replace")


class _ScannedStream(_DocumentStream):
    """Documents that a scanner finds."""

    def copy_input(self) -> Iterator[bytes]:
        try:
            yield from self._scanned(self._blocks)
        except RefusedDocument as refused:
            raise Hold(refused.code, str(refused)) from refused

    def _scanner(self) -> Scanner:
        raise NotImplementedError

    def _document(self, text: str) -> str:
        """The row's value of one record."""
        raise NotImplementedError

    def _scanned(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        scanner = self._scanner()
        for piece in scanner.pieces(blocks):
            if not piece.is_record:
                self._between(scanner, piece)
                continue
            self._begin(piece.line)
            if row := self._record(piece.content, piece.length):
                yield row

    def _record(self, content: bytes, length: int) -> bytes:
        if length > MAXIMUM_LINE:
            self._too_long(content[:KEPT_OF_A_BAD_LINE], length, what="record")
        elif not self._is_unreadable(content):
            try:
                return self._row(self._document(self._text(content)))
            except BrokenDocument as broken:
                self._set_aside_broken(content, broken)
        return b""

    def _between(self, scanner: Scanner, piece: Piece) -> None:
        """Lines between records: blank, what holds the records together, or astray."""
        if piece.length > len(piece.content):
            self._begin(piece.line)
            self._too_long(piece.content, piece.length)
            return
        lines = piece.content.split(b"\n")
        if not lines[-1] and not piece.shares_last_line:
            lines.pop()
        for number, line in enumerate(lines):
            is_shared = (number == 0 and piece.shares_first_line) or (
                number == len(lines) - 1 and piece.shares_last_line
            )
            is_structure = scanner.is_structure(line)
            line = line.rstrip(b"\r")
            self._begin(piece.line + number)
            if (is_structure and is_shared) or self._is_unreadable(line):
                continue
            if not line.strip(b" \t\x1a"):
                self._not_data(line, "blank")
            elif (kind := self._kind_by_profile(line)) is not None:
                self._not_data(line, kind)
            elif is_structure:
                self._not_data(line, "marker")
            else:
                self._set_aside(
                    line, "unknown_record", "this stands between records and is none"
                )


class JsonStream(_ScannedStream):
    """Objects: one per line, one after another, or in an array."""

    def copy_input(self) -> Iterator[bytes]:
        head = b""
        blocks = iter(self._blocks)
        while len(head) < _HEAD and (block := next(blocks, None)) is not None:
            head += block
        self._blocks = chain([head], blocks)
        assert self._layout is not None
        if self._layout.documents.records is None and are_json_lines(head):
            yield from self._lines()
        else:
            yield from super().copy_input()

    def _lines(self) -> Iterator[bytes]:
        for line, length in whole_lines(self._blocks):
            if length > MAXIMUM_LINE:
                self._too_long(line, length, what="record")
            elif self._is_unreadable(line):
                pass
            elif not line.strip(b" \t\x1a"):
                self._not_data(line, "blank")
            elif (kind := self._kind_by_profile(line)) is not None:
                self._not_data(line, kind)
            elif row := self._record(line, length):
                yield row

    def _scanner(self) -> Scanner:
        assert self._layout is not None
        return JsonScanner(self._layout.documents)

    def _document(self, text: str) -> str:
        read_json(text)
        return text.strip()


class XmlStream(_ScannedStream):
    """Elements, each flattened to one JSON object."""

    def _scanner(self) -> Scanner:
        assert self._layout is not None
        return XmlScanner(self._layout.documents)

    def _document(self, text: str) -> str:
        assert self._layout is not None
        return json.dumps(read_xml(text, self._layout.documents), ensure_ascii=False)


class RadiusStream(_DocumentStream):
    """Blocks of attributes: a line at the margin, indented lines, a blank line."""

    def copy_input(self) -> Iterator[bytes]:
        block: list[bytes] = []
        begin = size = 0
        for number, (line, length) in enumerate(whole_lines(self._blocks), start=1):
            is_blank = not line.strip(b" \t\x1a")
            if block and (is_blank or line[:1] not in b" \t"):
                if row := self._block(block, begin, size):
                    yield row
                block, size = [], 0
            if is_blank:
                self._begin(number)
                self._not_data(line, "blank")
                continue
            if not block:
                begin = number
                if b"\x00" not in line and (kind := self._kind_by_profile(line)) is not None:
                    self._begin(number)
                    self._not_data(line, kind)
                    continue
            size += length + 1
            if size <= MAXIMUM_LINE or len(block) < 2:
                block.append(line)
        if block and (row := self._block(block, begin, size)):
            yield row

    def _block(self, lines: list[bytes], begin: int, size: int) -> bytes:
        self._begin(begin)
        content = b"\n".join(lines)
        if size > MAXIMUM_LINE:
            self._too_long(content[:KEPT_OF_A_BAD_LINE], size, what="block")
            return b""
        if self._is_unreadable(content):
            return b""
        first, *attributes = [self._text(line) for line in lines]
        try:
            if is_radius_attribute(first):
                raise BrokenDocument("the block does not begin with a line at the margin")
            return self._row(first, json.dumps(read_radius(attributes), ensure_ascii=False))
        except BrokenDocument as broken:
            self._set_aside_broken(content, broken)
        return b""
