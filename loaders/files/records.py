"""From a stream of bytes to COPY input: each line numbered, checked, repaired or set aside.

The fast path is one compiled pattern that accepts whole blocks of plainly valid lines; it decides
nothing, it only recognises what needs no decision. Every other line goes, alone, to the tolerant
path: not a record, a record after an unambiguous repair, or quarantine.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from operator import add

from loaders.files.stored import Hold
from loaders.files.streams import (
    KEPT_OF_A_BAD_LINE,
    MAXIMUM_LINE,
    NotUtf8,
    RecordStream,
    Spool,
    is_utf8,
    storable,
)
from loaders.layouts.checks import is_day_or_datetime
from loaders.layouts.dialect import QUOTE, Dialect, Fields, Problem, dialect_of
from loaders.layouts.layout import EXTRA_COLUMNS, Variant
from loaders.layouts.profile import squeeze
from loaders.layouts.recognise import Shape, score_variant

MAXIMUM_LINES_OF_A_VALUE = 1000

# Line numbers are written as <thousands><four digits>: the four digits never change.
_BLOCK_OF_LINES = 10_000
# Bytes of the first block from which is told what its lines usually look like.
_SAMPLE = 16 * 1024
_LAST_DIGITS = [b"%04d" % number for number in range(_BLOCK_OF_LINES)]

_NOT_QUOTE_OR_NEWLINE = bytes(byte for byte in range(256) if byte not in b'"\n')
# Words that may open a line which is no record. They only send it to the tolerant path.
_SUSPECT = (
    rb"#(?![0-9*#])|sep=|(?i:(?:(?:grand|sub|report|file|number of|no\.? of)[ _-]?)?total|"
    rb"trailer|trl|footer|eof|end of|records?\b|number of|count\b|sum\b)"
)
_COMMENT = re.compile(rb'["\s]*#(?![0-9*#])')
_TRAILER = re.compile(rb'["\s]*(?:trailer|trl|footer|eof|end of)', re.I)
_TOTAL = re.compile(
    rb'["\s]*(?:(?:grand|sub|report|file|number of|no\.? of)[ _-]?)?'
    rb"(?:totals?|records?|number of|count|sum)\b",
    re.I,
)
_STATED_COUNT = re.compile(
    rb"(?:records?|calls|rows|lines|charges|count|cdrs)\W{0,4}(\d{1,15})\b"
    rb"|\b(\d{1,15})\W{0,3}(?:records?|calls|rows|lines|charges|cdrs)\b",
    re.I,
)


class LineStream(RecordStream):
    """Lines split by a delimiter."""

    def __init__(
        self,
        blocks: Iterable[bytes],
        shape: Shape | None,
        *,
        file_id: int,
        text_encoding: str = "utf-8",
        tolerate_undecodable: bool = False,
    ) -> None:
        super().__init__(
            blocks,
            shape,
            file_id=file_id,
            text_encoding=text_encoding,
            tolerate_undecodable=tolerate_undecodable,
        )
        self._delimiter = (shape.delimiter if shape else None) or ","
        self._dialect = dialect_of(self._delimiter, shape.layout.quoting if shape else "csv")
        self._copy_prefix = b"%d" % file_id + self._dialect.delimiter
        self._last_digits = [digits + self._dialect.delimiter for digits in _LAST_DIGITS]
        self._blank_bytes = b'" \t\r\x1a' + self._dialect.delimiter
        # What stands up to there is no record, whatever it looks like.
        self._header_line = (shape.header_line if shape else None) or 0
        self._header: list[str] | None = None
        if shape is not None and shape.header_line is not None:
            self._header = [squeeze(name) for name in shape.columns]
            first = shape.columns[0].strip().encode(text_encoding, "replace")
            self._header_start = re.compile(rb'["\s]*' + re.escape(first), re.I)
        self._width = len(shape.columns) if shape else 0
        self._dated = (
            [
                index
                for index, target in enumerate(shape.targets)
                if target in shape.layout.date_columns
            ]
            or list(range(self._width))
            if shape
            else []
        )
        if shape is not None and shape.layout.grows:
            self.copy_columns = tuple(dict.fromkeys((*shape.targets, EXTRA_COLUMNS)))
        self._plain, self._careful = self._patterns()
        self._usual: re.Pattern[bytes] | None = None
        self._is_sampled = False
        self._comma = Dialect(b",")

    @property
    def copy_delimiter(self) -> str:
        return self._delimiter

    # -- the fast path -------------------------------------------------------------------------

    def _patterns(self) -> tuple[re.Pattern[bytes] | None, re.Pattern[bytes] | None]:
        """Blocks of plain lines, and of plain lines that may have odd bytes beside them."""
        shape = self._shape
        if shape is None or shape.is_packed:
            return None, None
        d = re.escape(shape.delimiter.encode())
        suspects = rb"\n|" + _SUSPECT
        opening = rb"\n#TtGgSsRrFfNnEeCc"
        if self._header:
            # The first word of the header: a repeated header starts with it, quoted or not.
            first = shape.columns[0].encode(self.encoding, "replace")
            if first:
                suspects += rb"|(?i:" + re.escape(first) + rb")(?=[\" \t\n" + d + rb"])"
                opening += re.escape(first[:1].lower()) + re.escape(first[:1].upper())
        # The class of first characters spares most lines the words: a fifth of the time.
        self._line_head = rb'(?![" \t' + d + rb"]*+(?=[" + opening + rb"])(?:" + suspects + rb"))"
        for rule in shape.layout.non_data:
            self._line_head += rb"(?!" + rule.pattern.at_line_start + rb")"
        every = range(self._width)
        return self._pattern(b"", every), self._pattern(rb"\n\r\x00", every)

    def _pattern(self, forbidden: bytes, doubling: Container[int]) -> re.Pattern[bytes]:
        """Blocks of lines; only the columns ``doubling`` may hold doubled quotes."""
        assert self._shape is not None
        inside = rb'[^"' + forbidden + rb"]*+"
        quoted = rb'"' + inside + rb'"|'
        doubled = rb'"' + inside + rb'(?:""' + inside + rb')*+"|'
        if self._shape.layout.quoting != "csv":
            # Neither quotes nor escapes: to COPY such a line means what it means here.
            forbidden, quoted, doubled = forbidden + rb"\\", b"", b""
        d = re.escape(self._shape.delimiter.encode())
        bare = rb'[^"\n' + d + forbidden + rb"]*+)"
        fields = [
            rb"(?:" + (doubled if index in doubling else quoted) + bare
            for index in range(self._width)
        ]
        line = self._line_head + d.join(fields) + rb"\n"
        return re.compile(rb"(?:" + line + rb")*+", re.MULTILINE)

    def _usual_pattern(self, chunk: bytes) -> re.Pattern[bytes] | None:
        """As the first lines are: where doubled quotes are not expected, a quarter faster."""
        shape = self._shape
        if self._plain is None or shape is None or shape.layout.quoting != "csv":
            return None
        doubling = set()
        for line in chunk[:_SAMPLE].split(b"\n")[:-1]:
            for index, value in enumerate(self._dialect.strict(line) or ()):
                if value and QUOTE in value:
                    doubling.add(index)
        return self._pattern(b"", doubling)

    def copy_input(self) -> Iterator[bytes]:
        """Rows of the landing table as CSV, in blocks."""
        buffer = b""
        skipped: bytes | None = None
        skipped_length = 0
        for block in self._blocks:
            if skipped is not None:
                end = block.find(b"\n")
                if end < 0:
                    skipped_length += len(block)
                    continue
                self._too_long(skipped, skipped_length + end)
                skipped = None
                block = block[end + 1 :]
            buffer = buffer + block if buffer else block
            cut = buffer.rfind(b"\n") + 1
            if cut:
                buffer = (yield from self._lines(buffer[:cut], final=False)) + buffer[cut:]
                cut = buffer.rfind(b"\n") + 1
            if len(buffer) - cut > MAXIMUM_LINE:
                if cut:
                    yield from self._lines(buffer[:cut], final=True)
                skipped = buffer[cut : cut + KEPT_OF_A_BAD_LINE]
                skipped_length = len(buffer) - cut
                buffer = b""
        if skipped is not None:
            self._too_long(skipped, skipped_length)
        elif buffer:
            closed = buffer if buffer.endswith(b"\n") else buffer + b"\n"
            yield from self._lines(closed, final=True)

    def _lines(self, chunk: bytes, *, final: bool) -> Iterator[bytes]:
        """Take whole lines; return what must wait for more of the file."""
        pattern = self._plain
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n")
            if b"\r" in chunk:
                pattern = self._careful
        if b"\x00" in chunk:
            pattern = self._careful
        elif pattern is self._plain and QUOTE in chunk:
            counts = set(map(len, chunk.translate(None, _NOT_QUOTE_OR_NEWLINE).split(b"\n")))
            if any(count & 1 for count in counts):
                pattern = self._careful
        if self._checks_utf8 and not chunk.isascii() and not is_utf8(chunk):
            if not self._tolerate_undecodable:
                raise NotUtf8
            pattern = None
        if not self._is_sampled:
            self._usual = self._usual_pattern(chunk)
            self._is_sampled = True
        position = 0
        length = len(chunk)
        if pattern is self._plain and self._usual is not None:
            pattern = self._usual
        while position < length:
            if pattern is not None and self.line_no >= self._header_line:
                end = pattern.match(chunk, position).end()  # type: ignore[union-attr]
                if end < length and pattern is self._usual:
                    # All that is plain, now.
                    pattern = self._plain
                    end = pattern.match(chunk, end).end()
                if end > position:
                    lines = chunk[position : end - 1].split(b"\n")
                    position = end
                    if length > MAXIMUM_LINE:
                        yield from self._without_long_lines(lines)
                    else:
                        yield self._numbered(lines)
                    continue
            row, position = self._one_record(chunk, position, final=final)
            if position < 0:
                return chunk[-position - 1 :]
            if row:
                yield row
        return b""

    def _numbered(self, lines: list[bytes]) -> bytes:
        """Whole good lines with file_id and line_no in front."""
        taken = 0
        pieces = []
        self.data_count += len(lines)
        while taken < len(lines):
            block, offset = divmod(self.line_no + 1, _BLOCK_OF_LINES)
            count = min(len(lines) - taken, _BLOCK_OF_LINES - offset)
            part = lines if count == len(lines) else lines[taken : taken + count]
            prefix = self._copy_prefix + (b"%d" % block if block else b"")
            numbered = map(add, self._last_digits[offset : offset + count], part)
            pieces += [prefix, (b"\n" + prefix).join(numbered), b"\n"]
            taken += count
            self.line_no += count
        return b"".join(pieces)

    def _without_long_lines(self, lines: list[bytes]) -> Iterator[bytes]:
        for line in lines:
            if len(line) > MAXIMUM_LINE:
                self._too_long(line[:KEPT_OF_A_BAD_LINE], len(line))
            else:
                yield self._numbered([line])

    # -- the tolerant path ---------------------------------------------------------------------

    def _one_record(self, chunk: bytes, start: int, *, final: bool) -> tuple[bytes, int]:
        """One line (or one record over several) that needs a decision.

        Returns the COPY row, empty if it is none, and where to go on; -1 - start: more needed.
        """
        end = chunk.index(b"\n", start)
        line = chunk[start:end].rstrip(b"\r")
        after = end + 1
        if len(line) > MAXIMUM_LINE:
            self._too_long(line[:KEPT_OF_A_BAD_LINE], len(line))
            return b"", after
        if self._is_unreadable(line):
            return b"", after
        if (kind := self._kind_of_non_data(line)) is not None:
            self._not_data(line, kind)
            return b"", after
        if self._shape is None:
            raise Hold(
                "unknown_layout", f"nothing but blank lines up to line {self.line_no + 1}"
            )
        if QUOTE in line and self._dialect.opens_multiline(line):
            spanning = self._multiline(chunk, start, end, final=final)
            if spanning is None:
                return b"", -1 - start
            fields, stop, physical_lines = spanning
            if fields is not None:
                row = self._row(fields)
                self.line_no += physical_lines - 1
                return row, stop + 1
        result = self._dialect.read(line, self._fit)
        if not isinstance(result, Problem):
            return self._row(result), after
        if result.code in ("count", "broken_quoting") and self._side_row(line):
            return b"", after
        self._quarantine_problem(line, result)
        return b"", after

    def _multiline(
        self, chunk: bytes, start: int, end: int, *, final: bool
    ) -> tuple[Fields | None, int, int] | None:
        """Follow an open quote over line ends. None: the file must be read further first."""
        lines = 1
        while lines < MAXIMUM_LINES_OF_A_VALUE and end - start <= MAXIMUM_LINE:
            following = chunk.find(b"\n", end + 1)
            if following < 0:
                if final:
                    break
                return None
            has_quote = chunk.find(QUOTE, end + 1, following) >= 0
            end = following
            lines += 1
            if has_quote:
                joined = chunk[start:end].rstrip(b"\r")
                fields = self._dialect.strict(joined)
                if fields is not None:
                    fitted = self._fit(fields)
                    if fitted is None or b"\x00" in joined:
                        break
                    if self._checks_utf8 and not is_utf8(joined):
                        break
                    return fitted, end, lines
                if not self._dialect.opens_multiline(joined):
                    break
        return None, start, 0

    def _fit(self, fields: Fields) -> Fields | None:
        """The fields brought to the layout's width where that loses and invents nothing."""
        shape = self._shape
        assert shape is not None
        surplus = len(fields) - self._width
        if surplus == 0:
            return fields
        if surplus > 0:
            if shape.layout.grows:
                return fields
            if any(field and field.strip() for field in fields[self._width :]):
                return None
            return fields[: self._width]
        if -surplus <= shape.optional_tail:
            return fields + [None] * -surplus
        return None

    def _row(self, fields: Fields) -> bytes:
        self.data_count += 1
        self.line_no += 1
        shape = self._shape
        assert shape is not None
        if shape.is_packed:
            fields = self._packed(fields, shape)
        return b"".join(
            (
                self._copy_prefix,
                b"%d" % self.line_no,
                self._dialect.delimiter,
                self._dialect.write(fields),
                b"\n",
            )
        )

    def _packed(self, fields: Fields, shape: Shape) -> Fields:
        """More columns than the table keeps apart: the last of them holds the rest, as CSV."""
        by_target: dict[str, Fields] = {target: [] for target in self.copy_columns}
        for target, value in zip(shape.targets, fields, strict=False):
            by_target[target].append(value)
        if len(fields) > len(shape.targets):
            by_target[EXTRA_COLUMNS] += fields[len(shape.targets) :]
        return [self._joined(values) for values in by_target.values()]

    def _joined(self, values: Fields) -> bytes | None:
        if len(values) < 2:
            return values[0] if values else None
        return self._comma.write(values)

    def _side_row(self, line: bytes) -> bool:
        """A line of another width that is plainly another variant of the same writer."""
        shape = self._shape
        if shape is None or shape.header_line is not None:
            return False
        family = next(
            (v.family for v in shape.layout.variants if v.code == shape.variant), None
        )
        strict = self._dialect.strict(line)
        fitting: list[tuple[Variant, Fields]] = []
        for fields in self._dialect.repairs(line) if strict is None else [strict]:
            values = ["" if field is None else self._decode(field) for field in fields]
            fitting += [
                (variant, fields)
                for variant in shape.layout.variants
                if variant.family == family
                and score_variant(shape.layout, variant, [values]) == 1.0
            ]
        # Broken quotes that can be read in two ways are read in none.
        if not fitting or any(fields != fitting[0][1] for _, fields in fitting):
            return False
        columns, row = self._as_variant(
            max((variant for variant, _ in fitting), key=lambda variant: len(variant.columns)),
            fitting[0][1],
        )
        self.line_no += 1
        self.data_count += 1
        prefix = self._file_prefix + b"%d," % self.line_no
        spool = self.side_rows.setdefault(columns, Spool())
        spool.add(prefix + self._comma.write(row))
        return True

    def _as_variant(self, variant: Variant, fields: Fields) -> tuple[tuple[str, ...], Fields]:
        width = len(variant.columns)
        if len(fields) <= width:
            return variant.columns[: len(fields)], fields
        surplus = self._joined(fields[width:])
        return (*variant.columns, EXTRA_COLUMNS), [*fields[:width], surplus]

    # -- what is not a record ------------------------------------------------------------------

    def _kind_of_non_data(self, line: bytes) -> str | None:
        if not line.strip(self._blank_bytes):
            return "blank"
        shape = self._shape
        number = self.line_no + 1
        if shape is not None and shape.header_line is not None and number <= shape.header_line:
            if number == shape.header_line:
                return "header"
            return self._kind_by_profile(line) or (
                "comment" if _COMMENT.match(line) else "marker"
            )
        if (kind := self._kind_by_profile(line)) is not None:
            return kind
        if line.startswith(b"sep=") and len(line) <= 5:
            return "marker"
        if _COMMENT.match(line):
            return "comment"
        if self._header is not None and self._is_header_again(line):
            return "repeated_header"
        kind = "trailer" if _TRAILER.match(line) else "total" if _TOTAL.match(line) else None
        if kind is None or self._has_a_date(line):
            return None
        if (stated := _STATED_COUNT.search(line)) is not None and not line.lower().lstrip(
            b'" '
        ).startswith(b"sub"):
            self.stated_count = int(stated[1] or stated[2])
        return kind

    def _is_header_again(self, line: bytes) -> bool:
        header = self._header
        assert header is not None
        # A cheap look first: this runs on every line of the tolerant path.
        if not self._header_start.match(line):
            return False
        fields = self._dialect.best_effort(line)
        return [squeeze(self._decode(field or b"")) for field in fields] == header

    def _has_a_date(self, line: bytes) -> bool:
        if self._shape is None:
            return False
        result = self._dialect.read(line, self._fit)
        if isinstance(result, Problem):
            return False
        return any(is_day_or_datetime(self._decode(result[index] or b"")) for index in self._dated)

    def _quarantine_problem(self, line: bytes, problem: Problem) -> None:
        shape = self._shape
        assert shape is not None
        if problem.code != "count":
            self._set_aside(
                line, problem.code, problem.reason, field=self._field_name(problem.field_index)
            )
            return
        found = int(problem.reason)
        expected = len(shape.columns)
        if found < expected:
            self._set_aside(
                line,
                "too_few_fields",
                f"the line has {found} fields, its layout has {expected}; "
                f"'{self._field_name(found)}' and what follows is missing",
                field=self._field_name(found),
            )
        else:
            self._set_aside(
                line,
                "too_many_fields",
                f"the line has {found} fields, its layout has {expected}; "
                f"field {expected + 1} has no column",
                field=f"field {expected + 1}",
            )

    def _field_name(self, index: int | None) -> str | None:
        shape = self._shape
        if index is None or shape is None:
            return None
        if index < len(shape.columns) and shape.columns[index]:
            return shape.columns[index]
        return f"field {index + 1}"


def decide_encoding(blocks: Iterable[bytes]) -> tuple[str, bool]:
    """The encoding of a file that is not wholly UTF-8, and whether single lines are at fault.

    More lines with good multi-byte characters than lines with bad bytes: UTF-8 with damaged
    lines. Otherwise a single-byte encoding: Windows' where its additions occur, else Latin-1.
    """
    good = bad = 0
    high: set[int] = set()
    pending = b""
    for block in blocks:
        lines = (pending + block).split(b"\n")
        pending = lines.pop()[-MAXIMUM_LINE:]
        for line in lines:
            if not line.isascii():
                good, bad = _count(line, high, good, bad)
    if pending and not pending.isascii():
        good, bad = _count(pending, high, good, bad)
    if good > bad:
        return "utf-8", True
    undefined = {0x81, 0x8D, 0x8F, 0x90, 0x9D}
    controls = {byte for byte in high if 0x80 <= byte <= 0x9F}
    return ("cp1252" if controls and not controls & undefined else "latin-1"), False


def _count(line: bytes, high: set[int], good: int, bad: int) -> tuple[int, int]:
    if is_utf8(line):
        return good + 1, bad
    high.update(byte for byte in set(line) if byte >= 0x80)
    return good, bad + 1


def describe_columns(columns: Iterable[str]) -> list[str]:
    """Column names as control.file keeps them."""
    return [storable(name) for name in columns]


