"""Finding records in files that are not made of lines: JSON, XML, blocks of RADIUS attributes.

The scanners take blocks of bytes and hold one record at a time; of what is longer than a record
may be only the beginning is kept. Whether a record is any good is decided when it is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from loaders.layouts.layout import Documents, Layout

MAXIMUM_DOCUMENT = 1024 * 1024
KEPT_OF_A_LONG_DOCUMENT = 64 * 1024
_MAXIMUM_DEPTH = 400
# numeric of PostgreSQL holds no more digits than this before the point.
_LARGEST_EXPONENT = 100_000
_SAMPLED_RECORDS = 20
_SAMPLED_LINES = 20

_JSON_STRUCTURE = re.compile(rb'["{}\[\]]')
_JSON_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_RADIUS_ATTRIBUTE = re.compile(
    r'[ \t]+([A-Za-z0-9][\w.:/-]*)\s*(?:=|:=|\+=)\s*(?:"((?:[^"\\]|\\.)*)"|(\S.*?)|)\s*'
)
_RADIUS_ESCAPE = re.compile(r"\\(.)")


class BrokenDocument(Exception):
    """A record that cannot be read, or not kept as it is; ``code`` as in landing.quarantine."""

    def __init__(self, reason: str, code: str = "broken_document") -> None:
        super().__init__(reason)
        self.code = code


class RefusedDocument(Exception):
    """The file as a whole cannot be trusted; ``code`` as in control.file.status_reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True)
class Piece:
    """A record, or what stands between two of them."""

    is_record: bool
    # Physical line on which it begins, from 1.
    line: int
    content: bytes
    # The true length; the content is then only the beginning.
    length: int
    # What stands between records may share its first or last line with one.
    shares_first_line: bool = False
    shares_last_line: bool = False


class Scanner:
    """Cuts a stream into records and what stands between them."""

    def __init__(self) -> None:
        self._inside = False
        self._line = 1
        self._newlines = 0
        self._kept = bytearray()
        self._length = 0
        self._shares_first_line = False

    def pieces(self, blocks: Iterable[bytes]) -> Iterator[Piece]:
        """All of the file, in order."""
        carry = b""
        for block in blocks:
            carry = yield from self._feed(carry + block, final=False)
        yield from self._feed(carry, final=True)
        if self._inside:
            raise RefusedDocument(
                "truncated_document",
                f"the file ends inside the record that begins in line {self._line}",
            )
        if self._length:
            yield self._piece(self._length)
        self._check_end()

    def sample(self, text: bytes) -> list[bytes]:
        """The first whole records of the beginning of a file."""
        found: list[bytes] = []
        try:
            for piece in self.pieces([text]):
                if piece.is_record and piece.length == len(piece.content):
                    found.append(piece.content)
                    if len(found) == _SAMPLED_RECORDS:
                        break
        except RefusedDocument:
            pass
        return found

    def _feed(self, buffer: bytes, *, final: bool) -> Iterator[Piece]:
        borders, consumed = self._scan(buffer, final)
        start = 0
        for border in borders:
            self._take(buffer[start:border])
            start = border
            if self._length:
                yield self._piece(self._length, before_record=not self._inside)
            self._inside = not self._inside
        self._take(buffer[start:consumed])
        # Of a gap only its last line has to wait for more.
        is_whole_gap = not self._inside and len(self._kept) == self._length
        if is_whole_gap and (cut := self._kept.rfind(b"\n") + 1):
            yield self._piece(cut)
        return buffer[consumed:]

    def _take(self, content: bytes) -> None:
        self._length += len(content)
        self._newlines += content.count(b"\n")
        if self._length <= MAXIMUM_DOCUMENT:
            self._kept += content
        elif len(self._kept) < KEPT_OF_A_LONG_DOCUMENT:
            self._kept += content[: KEPT_OF_A_LONG_DOCUMENT - len(self._kept)]
        else:
            del self._kept[KEPT_OF_A_LONG_DOCUMENT:]

    def _piece(self, cut: int, *, before_record: bool = False) -> Piece:
        """What was taken up to here, and begin anew."""
        whole = cut == self._length
        content = bytes(self._kept if whole else self._kept[:cut])
        length = self._length if whole else cut
        piece = Piece(
            self._inside, self._line, content, length, self._shares_first_line, before_record
        )
        newlines = self._newlines if whole else content.count(b"\n")
        self._line += newlines
        self._newlines -= newlines
        self._kept = self._kept[cut:] if not whole else bytearray()
        self._length -= length
        self._shares_first_line = self._inside
        return piece

    def _scan(self, buffer: bytes, final: bool) -> tuple[list[int], int]:
        """Where records begin and end in the buffer, by turns, and how far it was read."""
        raise NotImplementedError

    def _check_end(self) -> None:
        """Refuse a file that ends too early."""

    def is_structure(self, gap: bytes) -> bool:
        """Whether something between records is only what holds them together."""
        raise NotImplementedError


class JsonScanner(Scanner):
    """Objects one after another, in an array, or in an array of a wrapping object."""

    def __init__(self, documents: Documents) -> None:
        super().__init__()
        self._records = documents.records.encode() if documents.records else None
        self._stack = bytearray()
        self._in_string = False
        self._depth_of_record: int | None = None
        self._key = b""
        self._array_key = b""

    def _scan(self, buffer: bytes, final: bool) -> tuple[list[int], int]:
        borders: list[int] = []
        position = 0
        end = len(buffer)
        while position < end:
            if self._in_string:
                stop = _JSON_REST_OF_STRING.match(buffer, position).end()  # type: ignore[union-attr]
                if len(self._stack) == 1 and len(self._key) < 256:
                    self._key += buffer[position:stop]
                if stop == end or buffer[stop] != 0x22:
                    # The end of the buffer, perhaps behind a backslash.
                    return borders, end if final else stop
                self._in_string = False
                position = stop + 1
                continue
            found = _JSON_STRUCTURE.search(buffer, position)
            if found is None:
                break
            position = found.end()
            self._structure(found[0], found.start(), borders)
        return borders, end

    def _structure(self, character: bytes, at: int, borders: list[int]) -> None:
        if character == b'"':
            self._in_string = True
            if len(self._stack) == 1:
                self._key = b""
        elif character in b"{[":
            if self._depth_of_record is None and character == b"{" and self._begins_record():
                self._depth_of_record = len(self._stack)
                borders.append(at)
            if len(self._stack) == 1:
                self._array_key = self._key
            self._stack += character
            if len(self._stack) > _MAXIMUM_DEPTH:
                raise RefusedDocument(
                    "broken_document", f"the JSON is nested more than {_MAXIMUM_DEPTH} levels deep"
                )
        else:
            if self._stack:
                self._stack.pop()
            if self._depth_of_record == len(self._stack):
                self._depth_of_record = None
                borders.append(at + 1)

    def _begins_record(self) -> bool:
        if self._records is None:
            return self._stack in (b"", b"[")
        return self._stack == b"{[" and self._array_key == self._records

    def _check_end(self) -> None:
        if self._stack or self._in_string:
            raise RefusedDocument(
                "truncated_document", "the file ends before the list of its records is closed"
            )

    def is_structure(self, gap: bytes) -> bool:
        return not gap.strip(b" \t\r\n[],") or self._records is not None


class XmlScanner(Scanner):
    """Elements of one name, wherever they stand."""

    _TAG = re.compile(rb"<(/?)[A-Za-z_][^<>]*?(/?)>")
    _MARKUP = re.compile(rb"<[^<>]*>")

    def __init__(self, documents: Documents) -> None:
        super().__init__()
        name = re.escape((documents.element or "").encode())
        self._begin = re.compile(rb"<" + name + rb"(?=[\s>/])")
        self._end = re.compile(rb"</" + name + rb"[ \t\r\n]{0,16}>")
        self._overlap = len(name) + 24
        self._open = 0

    def _scan(self, buffer: bytes, final: bool) -> tuple[list[int], int]:
        borders: list[int] = []
        position = 0
        inside = self._inside
        while True:
            found = (self._end if inside else self._begin).search(buffer, position)
            if found is None:
                break
            position = found.end()
            borders.append(found.end() if inside else found.start())
            inside = not inside
        return borders, len(buffer) if final else max(position, len(buffer) - self._overlap)

    def is_structure(self, gap: bytes) -> bool:
        if b"<!DOCTYPE" in gap or b"<!ENTITY" in gap:
            raise RefusedDocument(
                "unsafe_document", "the XML declares a document type; no file of records needs it"
            )
        for closing, empty in self._TAG.findall(gap):
            self._open += -1 if closing else 0 if empty else 1
        return not self._MARKUP.sub(b"", gap).strip()

    def _check_end(self) -> None:
        if self._open > 0:
            raise RefusedDocument(
                "truncated_document", "the file ends before the list of its records is closed"
            )


def are_json_lines(head: bytes) -> bool:
    """Whether most of the first lines are objects of their own."""
    if not head.lstrip().startswith(b"{"):
        return False
    lines = [line for line in head.split(b"\n") if line.strip()][:_SAMPLED_LINES]
    return 2 * sum(map(_is_object, lines)) > len(lines)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


# -- one record ----------------------------------------------------------------------------------


def read_json(text: str) -> dict[str, Any]:
    """One object, if the database can hold it as it is."""
    try:
        document = json.loads(text, parse_constant=_refuse_constant, parse_float=_checked_float)
        if not isinstance(document, dict):
            raise BrokenDocument("the record is no JSON object")
        if "\\u" in text:
            _check_storable(json.dumps(document, ensure_ascii=False), "\\u0000")
    except (ValueError, RecursionError) as error:
        raise BrokenDocument(f"the record is no valid JSON: {error}") from error
    return document


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON number")


def _checked_float(text: str) -> float:
    exponent = text.lower().partition("e")[2]
    if exponent and abs(int(exponent)) > _LARGEST_EXPONENT:
        raise ValueError(f"the number {text[:20]} is too large")
    return float(text)


def _check_storable(text: str, nul: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BrokenDocument("the record holds half a character (a lone surrogate)") from error
    # An escaped backslash before u0000 is no zero character.
    if re.search(r"(?<!\\)(?:\\\\)*" + re.escape(nul), text):
        raise BrokenDocument("a value holds a zero character, which is no text", "nul_byte")


def read_xml(text: str, documents: Documents) -> dict[str, Any]:
    """One element, flattened: path of names joined by dots to text; @name for attributes."""
    try:
        root = fromstring(text)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise BrokenDocument(f"the record is no valid XML: {error}") from error
    values: dict[str, Any] = {}
    for path, value in _flattened(root):
        if any(
            path == prefix or path.startswith(prefix + ".")
            for prefix in documents.percent_encoded
        ):
            value = unquote(value)
        if "\x00" in value:
            raise BrokenDocument(f"{path} holds a zero character, which is no text", "nul_byte")
        _add(values, path, value)
    return values


def _flattened(root: Element) -> Iterator[tuple[str, str]]:
    waiting: list[tuple[str, Element]] = [("", root)]
    while waiting:
        path, element = waiting.pop()
        if path.count(".") > _MAXIMUM_DEPTH:
            raise BrokenDocument("the record is nested too deep")
        for name, value in element.attrib.items():
            yield (f"{path}.@{name}" if path else f"@{name}"), value
        children = list(element)
        text = (element.text or "").strip() if children else (element.text or "")
        if path and (text or not children):
            yield path, text
        waiting += reversed(
            [(f"{path}.{child.tag}" if path else str(child.tag), child) for child in children]
        )


def _add(values: dict[str, Any], name: str, value: str) -> None:
    """Names that repeat get a list."""
    if name not in values:
        values[name] = value
    elif isinstance(values[name], list):
        values[name].append(value)
    else:
        values[name] = [values[name], value]


def is_radius_attribute(line: str) -> bool:
    return _RADIUS_ATTRIBUTE.fullmatch(line) is not None


def read_radius(lines: Sequence[str]) -> dict[str, Any]:
    """The attribute lines of a block: name to value, without quotes."""
    values: dict[str, Any] = {}
    for number, line in enumerate(lines, start=2):
        found = _RADIUS_ATTRIBUTE.fullmatch(line)
        if found is None:
            raise BrokenDocument(f"line {number} of the block is no attribute: {line.strip()[:60]}")
        name, quoted, plain = found.groups()
        value = _RADIUS_ESCAPE.sub(r"\1", quoted) if quoted is not None else plain or ""
        _add(values, name, value)
    if not values:
        raise BrokenDocument("the block has no attributes")
    return values


# -- recognition ---------------------------------------------------------------------------------


def sample(layout: Layout, lines: Sequence[str]) -> list[Mapping[str, Any] | None]:
    """The first records of a file as the layout's reader finds them; None: one that is broken."""
    first = next((line for line in lines if line.strip()), "").lstrip()
    if layout.reader == "radius_detail":
        return list(islice(_radius_blocks(lines), _SAMPLED_RECORDS))
    if layout.reader == "xml":
        if not first.startswith("<"):
            return []
        found = XmlScanner(layout.documents).sample("\n".join(lines).encode("utf-8", "replace"))
        return [_read_or_none(layout, record) for record in found]
    if not first.startswith(("{", "[")):
        return []
    text = "\n".join(lines).encode("utf-8", "replace")
    if layout.documents.records is None and are_json_lines(text):
        found = [line.encode() for line in lines if line.strip()][:_SAMPLED_RECORDS]
    else:
        found = JsonScanner(layout.documents).sample(text)
    return [_read_or_none(layout, record) for record in found]


def _read_or_none(layout: Layout, record: bytes) -> Mapping[str, Any] | None:
    text = record.decode("utf-8", "replace")
    try:
        return read_xml(text, layout.documents) if layout.reader == "xml" else read_json(text)
    except BrokenDocument:
        return None


def _radius_blocks(lines: Iterable[str]) -> Iterator[Mapping[str, Any] | None]:
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip() and (not block or line[0] in " \t"):
            block.append(line)
            continue
        if block:
            try:
                yield read_radius(block[1:])
            except BrokenDocument:
                yield None
        block = [line] if line.strip() else []


def has_path(document: Any, path: str) -> bool:
    """Whether a record has a value at a path of names joined by dots."""
    if isinstance(document, list):
        return any(has_path(entry, path) for entry in document)
    if not isinstance(document, Mapping):
        return False
    if path in document:
        return True
    name, dot, rest = path.partition(".")
    return bool(dot) and name in document and has_path(document[name], rest)
