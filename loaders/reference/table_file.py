"""Reading reference files: CSV with a header, and the numbering administrator's two reports."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO

from loaders.reference.errors import ReferenceRefused, Refusal

_CO_CODE_COLUMNS = {"State", "NPA-NXX", "OCN", "Company", "RateCenter", "Use", "In Service"}
_NPA_COLUMNS = {"NPA_ID", "USE", "LOCATION", "COUNTRY", "IN_SERVICE", "SERVICE", "TIME_ZONE"}
_FILE_DATE = re.compile(r"(\d{2}/\d{2}/\d{4})")
_DELIMITERS = ",;\t|"


@dataclass
class TableFile:
    """The rows of a reference file as text, by column."""

    columns: list[str]
    rows: Iterator[tuple[int, list[str]]]
    # Reports say what is true on their date; a plain CSV says since when in its columns.
    file_date: date | None = None
    # Rows the report has and reference data does not keep; counted while reading.
    skipped: list[int] = field(default_factory=lambda: [0])


def sha256_of(path: Path) -> str:
    """The fingerprint of the stored bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def open_table(kind: str, path: Path) -> Iterator[TableFile]:
    """Open a file of this kind, whatever it is packed in."""
    try:
        with _unpacked(kind, path) as binary:
            text = io.TextIOWrapper(binary, encoding=_encoding(binary), newline="")
            yield _table(kind, path, text)
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _refused(kind, path, f"the archive is damaged or incomplete: {error}") from error
    except csv.Error as error:
        raise _refused(kind, path, f"the file is not CSV: {error}") from error


@contextmanager
def _unpacked(kind: str, path: Path) -> Iterator[BinaryIO]:
    with path.open("rb") as stream:
        magic = stream.read(4)
    if magic.startswith(b"\x1f\x8b"):
        with gzip.open(path, "rb") as stream:
            yield stream  # type: ignore[misc]
    elif magic.startswith(b"PK"):
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            if len(members) != 1:
                raise _refused(kind, path, f"the archive holds {len(members)} files, not one")
            # Read whole: the encoding is looked at first, and a member cannot go back cheaply.
            yield io.BytesIO(archive.read(members[0]))
    else:
        with path.open("rb") as stream:
            yield stream


def _encoding(binary: BinaryIO) -> str:
    """UTF-8 (with or without mark), else what Windows writes."""
    encoding = "utf-8-sig"
    try:
        for _ in io.TextIOWrapper(_Unclosing(binary), encoding="utf-8-sig"):  # type: ignore[arg-type]
            pass
    except UnicodeDecodeError:
        encoding = "cp1252"
    binary.seek(0)
    return encoding


class _Unclosing(io.RawIOBase):
    """Lets a text wrapper go without taking the file with it."""

    def __init__(self, binary: BinaryIO) -> None:
        self._binary = binary

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        content = self._binary.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def _table(kind: str, path: Path, text: io.TextIOWrapper) -> TableFile:
    first = text.readline()
    if not first.strip():
        raise _refused(kind, path, "the file is empty; it needs a header naming the columns")
    if kind == "npa" and first.lower().startswith("file date"):
        return _npa_report(path, first, text)
    delimiter = max(_DELIMITERS, key=first.count)
    header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter))]
    if kind == "npanxx" and set(header) >= _CO_CODE_COLUMNS:
        return _co_code_report(path, header, text)
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    names = [name.lower() for name in header]
    return TableFile(names, _plain_rows(kind, path, names, reader))


def _plain_rows(
    kind: str, path: Path, names: list[str], reader: Iterator[list[str]]
) -> Iterator[tuple[int, list[str]]]:
    line = 2
    for values in reader:
        if any(value.strip() for value in values):
            if len(values) != len(names):
                raise _refused(
                    kind,
                    path,
                    f"the line has {len(values)} fields, the header names {len(names)}",
                    line=line,
                )
            yield line, [value.strip() for value in values]
        line = reader.line_num + 2  # type: ignore[attr-defined]


def _npa_report(path: Path, first: str, text: io.TextIOWrapper) -> TableFile:
    file_date = _date_in(first, "npa", path)
    reader = csv.reader(text)
    header = [name.strip() for name in next(reader, [])]
    if missing := sorted(_NPA_COLUMNS - set(header)):
        raise _refused("npa", path, f"the NPA report has no column {', '.join(missing)}")
    where = {name: header.index(name) for name in _NPA_COLUMNS}
    uses = {"G": "geographic", "N": "non_geographic"}
    services = {"Y": "true", "N": "false", "": "false"}

    def rows() -> Iterator[tuple[int, list[str]]]:
        for values in reader:
            if not any(values):
                continue
            line = reader.line_num + 1
            if len(values) <= max(where.values()):
                raise _refused("npa", path, "the line ends too early", line=line)
            cell = {name: values[index].strip() for name, index in where.items()}
            # Codes that cannot be assigned have no use; they are certainly no place.
            yield (
                line,
                [
                    cell["NPA_ID"],
                    cell["LOCATION"],
                    cell["COUNTRY"],
                    cell["SERVICE"],
                    uses.get(cell["USE"] or "N", cell["USE"]),
                    services.get(cell["IN_SERVICE"], cell["IN_SERVICE"]),
                    cell["TIME_ZONE"],
                ],
            )

    return TableFile(
        ["npa", "location", "country", "service", "usage_class", "is_in_service",
         "time_zone_letters"],
        rows(),
        file_date,
    )  # fmt: skip


def _co_code_report(path: Path, header: list[str], text: io.TextIOWrapper) -> TableFile:
    """Central office codes: values padded with spaces, the file's date in the header."""
    file_date = _date_in(" ".join(header), "npanxx", path)
    where = {name: header.index(name) for name in (*_CO_CODE_COLUMNS, "Pooled Code")
             if name in header}  # fmt: skip
    skipped = [0]
    answers = {"Yes": "true", "No": "false", "Y": "true", "N": "false"}

    def rows() -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(text, delimiter="\t", skipinitialspace=True)
        last = max(where.values())
        state, code, ocn = where["State"], where["NPA-NXX"], where["OCN"]
        company, centre = where["Company"], where["RateCenter"]
        use, service = where["Use"], where["In Service"]
        pooled = where.get("Pooled Code")
        for values in reader:
            line = reader.line_num + 1
            if len(values) <= last:
                if not any(values):
                    continue
                raise _refused("npanxx", path, "the line ends too early", line=line)
            if values[use].strip() != "AS":
                skipped[0] += 1
                continue
            rate_centre = values[centre].strip()
            in_service = values[service].strip()
            pooling = "" if pooled is None else values[pooled].strip()
            yield (
                line,
                [
                    values[code].strip().replace("-", ""),
                    values[state].strip(),
                    values[ocn].strip(),
                    values[company].strip().strip('"'),
                    "" if rate_centre.strip("X") == "" else rate_centre,
                    answers.get(in_service, in_service),
                    answers.get(pooling, pooling),
                ],
            )

    return TableFile(
        ["npanxx", "state_code", "ocn", "company", "rate_centre", "is_in_service", "is_pooled"],
        rows(),
        file_date,
        skipped,
    )


def _date_in(text: str, kind: str, path: Path) -> date:
    match = _FILE_DATE.search(text)
    try:
        if match is not None:
            return datetime.strptime(match[1], "%m/%d/%Y").date()
    except ValueError:
        pass
    raise _refused(kind, path, "the report does not say its date (MM/DD/YYYY) in its first line")


def _refused(kind: str, path: Path, reason: str, *, line: int | None = None) -> ReferenceRefused:
    return ReferenceRefused(kind, path.name, [Refusal(line, "file", None, reason)])
