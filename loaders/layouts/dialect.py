"""Splitting one line into fields: strictly first, then the broken forms real writers produce.

Works on bytes, because delimiters, quotes and line ends are ASCII in every encoding handled here.
A repair is accepted only when it gives exactly the number of fields the layout has and no other
repair gives different values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Fields = list[bytes | None]
QUOTE = b'"'


@dataclass(frozen=True)
class Problem:
    """Why a line is not a record of its layout."""

    code: str
    reason: str
    # Position of the field concerned, from 0; None when the whole line is concerned.
    field_index: int | None = None


class Dialect:
    """How one file separates and quotes its values."""

    def __init__(self, delimiter: bytes) -> None:
        self.delimiter = delimiter
        d = re.escape(delimiter)
        quoted = rb'"[^"]*+(?:""[^"]*+)*+"'
        self.strict_field = rb"(?:" + quoted + rb'|[^"\n' + d + rb"]*+)"
        self._strict = re.compile(rb"(" + quoted + rb'|[^"' + d + rb"]*+)" + d)
        self._toggled = re.compile(rb'((?:[^"' + d + rb']++|"[^"]*+")*+)' + d)
        self._anchored = re.compile(
            rb'("(?:[^"]++|"(?!' + d + rb'))*+"|(?:[^"' + d + rb"][^" + d + rb"]*+)?)" + d
        )
        self._escaped = re.compile(
            rb'("(?:[^"\\]++|\\.|"")*+"|(?:[^\\' + d + rb"]++|\\.)*+)" + d, re.DOTALL
        )
        self._open_value = re.compile(rb'"[^"]*+(?:""[^"]*+)*+')
        self._escape = re.compile(rb'\\([\\"' + d + rb"])")

    def _split(self, pattern: re.Pattern[bytes], line: bytes) -> list[bytes] | None:
        pieces = pattern.findall(line + self.delimiter)
        # findall skips what does not match: every byte must be accounted for.
        if sum(map(len, pieces)) + len(pieces) != len(line) + 1:
            return None
        return pieces

    def strict(self, line: bytes) -> Fields | None:
        """RFC 4180, as written; a quoted value may span line ends."""
        pieces = self._split(self._strict, line)
        return None if pieces is None else [_value(piece) for piece in pieces]

    def repairs(self, line: bytes) -> list[Fields]:
        """Every lenient reading that uses up the whole line."""
        readings = []
        for pattern in (self._toggled, self._anchored):
            pieces = self._split(pattern, line)
            if pieces is not None:
                readings.append([_value(_unspaced(piece)) for piece in pieces])
        return readings

    def escaped(self, line: bytes) -> Fields | None:
        """Values in which a backslash protects a delimiter or a quote."""
        if b"\\" not in line:
            return None
        pieces = self._split(self._escaped, line)
        if pieces is None:
            return None
        return [
            None if piece == b"" else self._escape.sub(rb"\1", _value(piece) or b"")
            for piece in pieces
        ]

    def best_effort(self, line: bytes) -> Fields:
        """For looking at a file whose layout is unknown: some split, whatever it takes."""
        fields = self.strict(line)
        if fields is None:
            readings = self.repairs(line)
            fields = readings[0] if readings else list(line.split(self.delimiter))
        return fields

    def opens_multiline(self, line: bytes) -> bool:
        """Whether the line ends inside a quoted value, the quoting being right up to there."""
        rest = line[self._strict_prefix(line)[0] :]
        return self._open_value.fullmatch(rest) is not None

    def read(self, line: bytes, fit: Callable[[Fields], Fields | None]) -> Fields | Problem:
        """The fields of a line, repaired where only one repair fits; else what is wrong."""
        fields = self.strict(line)
        readings: list[Fields] = []
        if fields is not None:
            fitted = fit(fields)
            if fitted is not None:
                return fitted
        else:
            readings += self.repairs(line)
        escaped = self.escaped(line)
        if escaped is not None:
            readings.append(escaped)
            # A quote behind a backslash is an escape: no other reading explains the backslash.
            if b'\\"' in line and (fitted := fit(escaped)) is not None:
                return fitted
        fitting = [fitted for reading in readings if (fitted := fit(reading)) is not None]
        if fitting and all(fitted == fitting[0] for fitted in fitting):
            return fitting[0]
        if fitting:
            return Problem(
                "broken_quoting",
                "the quotes are broken and can be read in more than one way",
                self._where_quoting_breaks(line),
            )
        if fields is not None:
            return Problem("count", str(len(fields)))
        index = self._where_quoting_breaks(line)
        return Problem(
            "broken_quoting",
            f"the quotes are broken at field {index + 1}: "
            + (
                "a quoted value is not closed"
                if self.opens_multiline(line)
                else "a quote stands inside a value without being doubled"
            ),
            index,
        )

    def _strict_prefix(self, line: bytes) -> tuple[int, int]:
        """How far the line can be read strictly: bytes (delimiter included) and fields."""
        padded = line + self.delimiter
        position = 0
        fields = 0
        while (match := self._strict.match(padded, position)) is not None:
            position = match.end()
            fields += 1
        return position, fields

    def _where_quoting_breaks(self, line: bytes) -> int:
        position, fields = self._strict_prefix(line)
        return fields - 1 if position > len(line) else fields

    def write(self, fields: Fields) -> bytes:
        """One canonical CSV line, without its line end."""
        return self.delimiter.join(
            [
                b"" if field is None else QUOTE + field.replace(QUOTE, b'""') + QUOTE
                for field in fields
            ]
        )


class PlainDialect(Dialect):
    """Quotes are characters like any other."""

    def strict(self, line: bytes) -> Fields | None:
        return [piece or None for piece in line.split(self.delimiter)]

    def repairs(self, line: bytes) -> list[Fields]:
        return []

    def escaped(self, line: bytes) -> Fields | None:
        return None

    def opens_multiline(self, line: bytes) -> bool:
        return False


class BackslashDialect(PlainDialect):
    """No quotes; a backslash protects the delimiter, and itself."""

    def __init__(self, delimiter: bytes) -> None:
        super().__init__(delimiter)
        d = re.escape(delimiter)
        self._protected = re.compile(rb"((?:[^\\" + d + rb"]++|\\.|\\)*+)" + d, re.DOTALL)
        self._protection = re.compile(rb"\\([\\" + d + rb"])")

    def strict(self, line: bytes) -> Fields | None:
        if b"\\" not in line:
            return super().strict(line)
        # A backslash at the very end must not protect the delimiter that is only added here.
        closed = line + (b"\\" if _ends_in_odd_backslashes(line) else b"") + self.delimiter
        pieces = self._protected.findall(closed)
        return [self._protection.sub(rb"\1", piece) or None for piece in pieces]


def _ends_in_odd_backslashes(line: bytes) -> bool:
    return (len(line) - len(line.rstrip(b"\\"))) % 2 == 1


_DIALECTS = {"csv": Dialect, "backslash": BackslashDialect, "none": PlainDialect}


def dialect_of(delimiter: str, quoting: str = "csv") -> Dialect:
    """How a layout separates and quotes its values."""
    return _DIALECTS[quoting](delimiter.encode())


def _unspaced(piece: bytes) -> bytes:
    """Some writers put a space between the delimiter and a quoted value."""
    inner = piece.lstrip(b" ")
    return inner if inner[:1] == QUOTE and inner[-1:] == QUOTE and len(inner) > 1 else piece


def _value(piece: bytes) -> bytes | None:
    """A raw field as a value: unwrapped when quotes enclose it; nothing at all is null."""
    if not piece:
        return None
    if len(piece) >= 2 and piece[:1] == QUOTE and piece[-1:] == QUOTE:
        inner = piece[1:-1]
        return inner.replace(b'""', QUOTE) if QUOTE in inner else inner
    return piece
