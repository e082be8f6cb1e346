"""Raw files to logical records: rules section 1, for the layouts and the dirt of the demo."""

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CDR_CSV = (
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp",
    "lastdata", "start_time", "answer_time", "end_time", "duration", "billsec", "disposition",
    "amaflags",
)  # fmt: skip
CDR_CSV_BY_WIDTH = {
    16: CDR_CSV,
    18: [*CDR_CSV, "uniqueid", "userfield"],
    21: [*CDR_CSV, "uniqueid", "userfield", "peeraccount", "linkedid", "sequence"],
}
HEADER_ALIASES = {"calldate": "start_time", "start": "start_time"}


@dataclass(frozen=True)
class RawRecord:
    """A data record: where it starts, and its values by column."""

    line_no: int
    values: dict[str, str]


@dataclass
class RawFile:
    """A file as read: held with a reason, or landed with its records."""

    source_code: str
    name: str
    status: str
    status_reason: str | None = None
    records: list[RawRecord] = field(default_factory=list)
    non_data: list[tuple[int, str]] = field(default_factory=list)
    quarantine: list[tuple[int, str]] = field(default_factory=list)
    file_id: int = 0


class _NotThisLayout(Exception):
    """The content proves another layout, or none."""


def file_sha256(path: Path) -> str:
    """Fingerprint of the stored bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_file(path: Path, source_code: str, layout: str, column_map: dict[str, str]) -> RawFile:
    """Read one file of a source."""
    result = RawFile(source_code, path.name, "landed")
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            result.status, result.status_reason = "held", "truncated_archive"
            return result
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if not text.strip():
        return result
    try:
        if layout == "asterisk_cdr":
            _read_asterisk(text, result)
        else:
            _read_mapped(text, column_map, result)
    except _NotThisLayout:
        return RawFile(source_code, path.name, "held", "unknown_layout")
    return result


def _logical_records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Logical records with the physical line each starts on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    while True:
        start = reader.line_num + 1
        try:
            yield start, next(reader)
        except StopIteration:
            return


def _is_blank(fields: list[str]) -> bool:
    return not any(value.strip() for value in fields)


def _normal(word: str) -> str:
    return " ".join(word.strip().lower().split())


def _read_asterisk(text: str, result: RawFile) -> None:
    columns: Sequence[str] | None = None
    header: list[str] | None = None
    for line_no, fields in _logical_records(text, ","):
        if _is_blank(fields):
            result.non_data.append((line_no, "blank"))
            continue
        words = [_normal(value) for value in fields]
        if columns is None:
            if "calldate" in words:
                header = words
                columns = [HEADER_ALIASES.get(word, word) for word in words]
                result.non_data.append((line_no, "header"))
                continue
            columns = CDR_CSV_BY_WIDTH.get(_usual_width(text))
            if columns is None:
                raise _NotThisLayout
        if header is not None and words == header:
            result.non_data.append((line_no, "repeated_header"))
            continue
        _take(result, line_no, fields, columns)


def _usual_width(text: str) -> int:
    """The most frequent number of fields: a bad first line must not decide the layout."""
    counts: dict[int, int] = {}
    for _, fields in _logical_records(text, ","):
        counts[len(fields)] = counts.get(len(fields), 0) + 1
    return max(counts, key=lambda width: (counts[width], width))


def _read_mapped(text: str, column_map: dict[str, str], result: RawFile) -> None:
    first = text.splitlines()[0]
    delimiter = max(",;\t|", key=first.count)
    meanings = {_normal(word): meaning for word, meaning in column_map.items()}
    columns: Sequence[str] | None = None
    header: list[str] = []
    for line_no, fields in _logical_records(text, delimiter):
        if _is_blank(fields):
            result.non_data.append((line_no, "blank"))
            continue
        words = [_normal(value) for value in fields]
        if columns is None:
            if sum(word in meanings for word in words) < 3:
                raise _NotThisLayout
            header = words
            columns = [meanings.get(word, f"extra:{word}") for word in words]
            result.non_data.append((line_no, "header"))
        elif words == header:
            result.non_data.append((line_no, "repeated_header"))
        elif words[0].startswith("total"):
            result.non_data.append((line_no, "total"))
        else:
            _take(result, line_no, fields, columns)


def _take(result: RawFile, line_no: int, fields: list[str], columns: Sequence[str]) -> None:
    if any("\0" in value for value in fields):
        result.quarantine.append((line_no, "nul_byte"))
    elif len(fields) < len(columns):
        result.quarantine.append((line_no, "too_few_fields"))
    elif len(fields) > len(columns):
        result.quarantine.append((line_no, "too_many_fields"))
    else:
        result.records.append(RawRecord(line_no, dict(zip(columns, fields, strict=True))))
