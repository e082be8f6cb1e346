"""Reading lines that are kept whole: fixed width and whatever else SQL takes apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from loaders.files.streams import KEPT_OF_A_BAD_LINE, MAXIMUM_LINE, RecordStream
from loaders.layouts.layout import Control

_ROWS_AT_A_TIME = 2000


def whole_lines(blocks: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Lines without their ends; of one that is too long the beginning, and its true length."""
    pending = b""
    dropped = 0
    for block in blocks:
        pieces = block.split(b"\n")
        pieces[0] = pending + pieces[0]
        pending = pieces.pop()
        for piece in pieces:
            yield _line(piece, dropped)
            dropped = 0
        if len(pending) > MAXIMUM_LINE + 1:
            dropped += len(pending) - KEPT_OF_A_BAD_LINE
            pending = pending[:KEPT_OF_A_BAD_LINE]
    if pending:
        yield _line(pending, dropped)


def _line(piece: bytes, dropped: int) -> tuple[bytes, int]:
    if dropped:
        return piece[:KEPT_OF_A_BAD_LINE], len(piece) + dropped
    line = piece.rstrip(b"\r")
    return line, len(line)


class WholeLineStream(RecordStream):
    """One row per line, its text untouched in one column."""

    def copy_input(self) -> Iterator[bytes]:
        layout = self._layout
        assert layout is not None and layout.data_line is not None
        control = layout.control
        if control is not None and control.adds is not None:
            self.added_total = Decimal(0)
        rows: list[bytes] = []
        for line, length in whole_lines(self._blocks):
            if length > MAXIMUM_LINE:
                self._too_long(line[:KEPT_OF_A_BAD_LINE], length)
            elif self._is_unreadable(line):
                pass
            elif not line.strip(b" \t\x1a"):
                self._not_data(line, "blank")
            elif (kind := self._kind_by_profile(line)) is not None:
                self._not_data(line, kind)
            elif layout.data_line.find(line, self.encoding):
                self.line_no += 1
                self.data_count += 1
                if self.added_total is not None:
                    self._add(control, line)
                rows.append(
                    b'%s%d,"%s"\n'
                    % (self._file_prefix, self.line_no, line.replace(b'"', b'""'))
                )
                if len(rows) >= _ROWS_AT_A_TIME:
                    yield b"".join(rows)
                    rows.clear()
            else:
                self._set_aside(
                    line, "unknown_record", "the line has none of the forms its layout knows"
                )
        if rows:
            yield b"".join(rows)

    def _add(self, control: Control, line: bytes) -> None:
        assert control.adds is not None and self.added_total is not None
        if (found := control.adds.find(line, self.encoding)) is not None:
            value = found["added"]
            self.added_total += control.seconds(
                value.decode() if isinstance(value, bytes) else value
            )
