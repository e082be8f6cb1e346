"""Landing a file: registry row, data, non-data, quarantine and event in one transaction."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import psycopg2
import psycopg2.errors
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from loaders.errors import RatehouseError
from loaders.files.discover import Found, find_files
from loaders.files.readers import open_stream
from loaders.files.records import decide_encoding, describe_columns
from loaders.files.results import FileResult
from loaders.files.session import copy_from, transaction
from loaders.files.sources import UNASSIGNED, Source, Sources
from loaders.files.stored import (
    HEAD,
    Hold,
    StoredFile,
    as_utf8,
    refuse_binary,
    wide_encoding,
    with_newlines,
    without_mark,
)
from loaders.files.streams import NotUtf8, RecordStream, Spool
from loaders.layouts import Recognition, Shape, recognise

# The first key of our advisory locks on files; the second is the file's size.
_LOCK_LANDING = 0x52480001
# One to find out the encoding, one to land, and some for a file that changes under our hands.
_PASSES = 4
_COPY_ENCODINGS = {"utf-8": "UTF8", "cp1252": "WIN1252", "latin-1": "LATIN1"}


class LandingError(RatehouseError):
    """Landing went wrong in a way that is no property of the file."""


def load_paths(
    connection: Connection,
    paths: Iterable[Path | str],
    *,
    source_code: str | None = None,
) -> list[FileResult]:
    """Land files and the files of folders, each in a transaction of its own.

    Without ``source_code`` a file belongs to the source named like its folder, else to the
    built-in source of the layout it is recognised as.
    """
    with transaction(connection) as cursor:
        sources = Sources(cursor)
        if source_code is not None:
            sources.named(source_code)
    return [_load(connection, found, sources, source_code) for found in find_files(paths)]


def _load(
    connection: Connection, found: Found, sources: Sources, source_code: str | None
) -> FileResult:
    path = found.path
    if found.refused is not None:
        return FileResult(
            None, path.name, str(path), "failed", found.refused, explanation=found.explanation
        )
    declared = (
        sources.named(source_code)
        if source_code is not None
        else sources.of_folder(path.parent.name)
    )
    try:
        return _Loading(connection, path, sources, declared).run()
    except OSError as error:
        explanation = f"cannot be read: {error.strerror or error}"
        with transaction(connection) as cursor:
            _event(cursor, None, "failed", {"origin": str(path), "explanation": explanation})
        return FileResult(
            None, path.name, str(path), "failed", "unreadable", explanation=explanation
        )


@dataclass
class _Attempt:
    """What is known about the file while one pass over it runs."""

    source: Source
    encoding: str = "utf-8"
    recognition: Recognition | None = None
    stream: RecordStream | None = None
    mostly_utf8: bool = False

    @property
    def shape(self) -> Shape | None:
        return self.recognition.shape if self.recognition else None


class _Loading:
    """The loading of one file."""

    def __init__(
        self, connection: Connection, path: Path, sources: Sources, declared: Source | None
    ) -> None:
        self._connection = connection
        self._path = path
        self._sources = sources
        self._declared = declared
        self._stored = StoredFile(path)
        self._size = path.stat().st_size

    def run(self) -> FileResult:
        forced_encoding: tuple[str, bool] | None = None
        for _ in range(_PASSES):
            attempt = _Attempt(self._declared or UNASSIGNED)
            try:
                with transaction(self._connection) as cursor:
                    # Two loaders on the same bytes take turns here; the second then finds them.
                    cursor.execute(
                        "select pg_advisory_xact_lock(%s, %s)",
                        (_LOCK_LANDING, self._size & 0x7FFFFFFF),
                    )
                    seen = self._seen_before(cursor)
                    if seen is not None:
                        return seen
                    return self._land(cursor, attempt, forced_encoding)
            except NotUtf8:
                forced_encoding = decide_encoding(self._stored.blocks())
            except Hold as hold:
                return self._hold(attempt, hold)
            except psycopg2.errors.UniqueViolation:
                # The bytes are not those we looked for above: the file was replaced meanwhile.
                continue
            except psycopg2.DataError as error:
                raise LandingError(
                    f"{self._path}: the database refused what the loader sent "
                    f"({_first_line(error)}); nothing of the file has landed"
                ) from error
            finally:
                if attempt.stream is not None:
                    attempt.stream.close()
        raise LandingError(
            f"{self._path} changed each time it was read; load it when it is complete"
        )

    # -- duplicates ------------------------------------------------------------------------------

    def _seen_before(self, cursor: Cursor) -> FileResult | None:
        """Bytes that have landed already: an event under the same name, else held."""
        cursor.execute(
            "select 1 from control.file "
            "where byte_count = %s and status in ('landed', 'held') limit 1",
            (self._size,),
        )
        if cursor.fetchone() is None:
            # No file of this size: no need to read it twice to know that it is new.
            return None
        sha256 = self._stored.fingerprint()
        cursor.execute(
            "select file_id, file_name, source_code, data_count from control.file "
            "where sha256 = %s and status = 'landed' order by file_id",
            (sha256,),
        )
        rows = cursor.fetchall()
        for file_id, file_name, source_code, _ in rows:
            if file_name == self._path.name and self._same_source(source_code):
                _event(cursor, file_id, "seen_again", {"origin": str(self._path)})
                return replace(
                    _result_of(cursor, file_id, origin=str(self._path)),
                    status="already_loaded",
                    explanation=f"the same bytes landed as file {file_id}",
                )
        # A file without records cannot bill anything twice: headers alone repeat every day.
        original = next((row for row in rows if row[3] > 0), None)
        if original is not None:
            raise _SameBytes(original[0], original[1])
        return None

    def _same_source(self, source_code: str) -> bool:
        if self._declared is not None:
            return self._declared.source_code == source_code
        return source_code.startswith("unassigned")

    # -- one pass --------------------------------------------------------------------------------

    def _land(
        self, cursor: Cursor, attempt: _Attempt, forced_encoding: tuple[str, bool] | None
    ) -> FileResult:
        blocks = self._opened(attempt, forced_encoding)
        shape = attempt.shape
        if shape is not None and self._declared is None:
            attempt.source = self._sources.unassigned(shape.layout)
        cursor.execute(
            "insert into control.file "
            "(source_code, file_kind, file_name, origin, sha256, byte_count, status) "
            "values (%s, 'unknown', %s, %s, %s, 0, 'failed') returning file_id",
            (attempt.source.source_code, self._path.name, str(self._path), "0" * 64),
        )
        file_id = cursor.fetchone()[0]
        stream = attempt.stream = open_stream(
            blocks,
            shape,
            file_id=file_id,
            text_encoding=_text_encoding(attempt.encoding),
            tolerate_undecodable=attempt.mostly_utf8 or _is_wide(attempt.encoding),
        )
        copied = self._copy(cursor, shape, stream)
        self._check_whole(attempt.source, stream)
        if copied != (stream.data_count, stream.non_data.count, stream.quarantine.count):
            raise LandingError(
                f"{self._path}: the database counted {copied} rows, the loader "
                f"{stream.data_count} data, {stream.non_data.count} non-data and "
                f"{stream.quarantine.count} quarantined; nothing has landed"
            )
        if self._stored.byte_count != self._path.stat().st_size:
            raise OSError(0, "the file changed while it was read; load it when it is complete")
        self._register(cursor, file_id, attempt, "landed", None, None)
        _event(
            cursor,
            file_id,
            "landed",
            {
                "data": stream.data_count,
                "non_data": stream.non_data.count,
                "quarantined": stream.quarantine.count,
            },
        )
        cursor.execute(
            "update control.file set status = 'discarded' "
            "where sha256 = %s and status = 'held' and source_code in (%s, 'unassigned') "
            "and file_name = %s returning file_id",
            (self._stored.sha256, attempt.source.source_code, self._path.name),
        )
        for (held_file_id,) in cursor.fetchall():
            _event(cursor, held_file_id, "discarded", {"landed_as_file_id": file_id})
        return _result_of(cursor, file_id)

    def _opened(
        self, attempt: _Attempt, forced_encoding: tuple[str, bool] | None
    ) -> Iterator[bytes]:
        """Look at the beginning: text or not, encoding, line ends, layout. Then all the blocks."""
        raw = self._stored.blocks()
        head = b""
        ended = False
        while len(head) < HEAD:
            block = next(raw, None)
            if block is None:
                ended = True
                break
            head += block
        wide = wide_encoding(head)
        if wide is None:
            refuse_binary(head)
        blocks: Iterator[bytes] = chain([head] if head else [], raw)
        if wide is not None:
            attempt.encoding = wide
            blocks = as_utf8(blocks, wide)
            text = head.decode(wide, "replace").removeprefix("\ufeff")
            lone_cr = _ends_lines_with_cr(text.encode("utf-8", "replace"))
        else:
            if forced_encoding is not None:
                attempt.encoding, attempt.mostly_utf8 = forced_encoding
            elif head.startswith(codecs.BOM_UTF8):
                attempt.encoding = "utf-8-sig"
            text = head.removeprefix(codecs.BOM_UTF8).decode(
                _text_encoding(attempt.encoding), "replace"
            )
            lone_cr = _ends_lines_with_cr(head)
        if _text_encoding(attempt.encoding) == "utf-8":
            blocks = without_mark(blocks)
        if lone_cr:
            blocks = with_newlines(blocks)
        lines = re.split(r"\r\n|\r|\n" if lone_cr else r"\r*\n", text)
        if not ended and len(lines) > 1:
            lines.pop()
        if text.strip("\x1a\r\n\t \x00"):
            source = self._declared
            attempt.recognition = recognise(
                lines,
                layout_code=source.layout_code if source else None,
                column_map=source.column_map if source else None,
            )
            if attempt.recognition.shape is None and attempt.recognition.has_rows:
                raise Hold("unknown_layout", attempt.recognition.explanation)
        return blocks

    def _copy(
        self, cursor: Cursor, shape: Shape | None, stream: RecordStream
    ) -> tuple[int, int, int]:
        """Data while the file streams; then what was set aside. Returns rows as counted there."""
        data = 0
        pieces = stream.copy_input()
        if shape is None:
            for _ in pieces:
                pass
        else:
            encoding = _COPY_ENCODINGS[stream.encoding]
            data += _copy_rows(
                cursor,
                shape.layout.code,
                stream.copy_columns,
                pieces,
                delimiter=stream.copy_delimiter,
                encoding=encoding,
            )
            for columns, spool in stream.side_rows.items():
                data += _copy_spool(cursor, shape.layout.code, columns, spool, encoding)
        non_data = _copy_spool(
            cursor, "non_data_line", ("kind", "raw_line"), stream.non_data, "UTF8"
        )
        quarantined = _copy_spool(
            cursor,
            "quarantine",
            ("reason_code", "field_name", "reason", "raw_bytes", "raw_length"),
            stream.quarantine,
            "UTF8",
        )
        return data, non_data, quarantined

    def _check_whole(self, source: Source, stream: RecordStream) -> None:
        """Reasons to trust nothing of the file, known only at its end."""
        quarantined = stream.quarantine.count
        records = stream.data_count + quarantined
        ceiling = source.reject_ceiling_percent
        if quarantined * 100 > ceiling * records:
            raise Hold(
                "reject_ceiling",
                f"{quarantined} of {records} records cannot be read, more than the "
                f"{ceiling.normalize():f} % that source {source.source_code} allows",
            )
        stated = stream.stated_count
        if stated is not None and stated not in (stream.data_count, records):
            raise Hold(
                "trailer_mismatch",
                f"the file says it has {stated} records, but {records} were found",
            )

    # -- registry --------------------------------------------------------------------------------

    def _register(
        self,
        cursor: Cursor,
        file_id: int,
        attempt: _Attempt,
        status: str,
        hold: Hold | None,
        duplicate_of_file_id: int | None,
    ) -> None:
        """Bring the registry row to what is known now."""
        shape = attempt.shape
        stream = attempt.stream
        detection: dict[str, object] = {}
        if attempt.recognition is not None:
            detection["scores"] = attempt.recognition.scores
        if shape is not None:
            detection["header_line"] = shape.header_line
            detection["mapping"] = {
                target: column
                for target, column in zip(
                    shape.targets, describe_columns(shape.columns), strict=True
                )
                if column
            }
        if stream is not None and stream.stated_sequence is not None:
            detection["sequence"] = stream.stated_sequence
        if attempt.mostly_utf8:
            detection["encoding"] = "damaged UTF-8"
        if hold is not None:
            detection["explanation"] = hold.explanation
        data, non_data, quarantined = (
            (stream.data_count, stream.non_data.count, stream.quarantine.count)
            if stream is not None
            else (0, 0, 0)
        )
        cursor.execute(
            "update control.file set source_code = %s, file_kind = %s, sha256 = %s, "
            "byte_count = %s, compression = %s, encoding = %s, layout_code = %s, "
            "layout_variant = %s, delimiter = %s, columns = %s, detection = %s, status = %s, "
            "status_reason = %s, duplicate_of_file_id = %s, record_count = %s, data_count = %s, "
            "non_data_count = %s, quarantined_count = %s, trailer_count = %s, trailer_total = %s "
            "where file_id = %s",
            (
                attempt.source.source_code,
                shape.layout.file_kind if shape else attempt.source.file_kind,
                self._stored.sha256,
                self._stored.byte_count,
                self._stored.compression,
                attempt.encoding,
                shape.layout.code if shape else None,
                shape.variant if shape else None,
                shape.delimiter if shape else None,
                describe_columns(shape.columns) if shape else None,
                json.dumps(detection),
                status,
                hold.code if hold else None,
                duplicate_of_file_id,
                data + non_data + quarantined,
                data,
                non_data,
                quarantined,
                stream.stated_count if stream else None,
                stream.stated_total if stream else None,
                file_id,
            ),
        )

    def _hold(self, attempt: _Attempt, hold: Hold) -> FileResult:
        """Keep the file in the registry without landing it; the same again is only an event."""
        original = hold.file_id if isinstance(hold, _SameBytes) else None
        sha256 = self._stored.fingerprint()
        with transaction(self._connection) as cursor:
            cursor.execute(
                "select pg_advisory_xact_lock(%s, %s)",
                (_LOCK_LANDING, self._size & 0x7FFFFFFF),
            )
            cursor.execute(
                "select file_id from control.file where sha256 = %s and status = 'held' "
                "and file_name = %s and source_code = %s and status_reason = %s "
                "order by file_id limit 1",
                (sha256, self._path.name, attempt.source.source_code, hold.code),
            )
            row = cursor.fetchone()
            if row is None:
                cursor.execute(
                    "insert into control.file "
                    "(source_code, file_kind, file_name, origin, sha256, byte_count, status) "
                    "values (%s, 'unknown', %s, %s, %s, 0, 'held') returning file_id",
                    (attempt.source.source_code, self._path.name, str(self._path), sha256),
                )
                file_id = cursor.fetchone()[0]
                event = "held"
            else:
                file_id, event = row[0], "seen_again"
            self._register(cursor, file_id, attempt, "held", hold, original)
            _event(
                cursor,
                file_id,
                event,
                {"reason": hold.code, "explanation": hold.explanation, "origin": str(self._path)},
            )
            return replace(_result_of(cursor, file_id), explanation=hold.explanation)


class _SameBytes(Hold):
    """The bytes have landed under another name or source."""

    def __init__(self, file_id: int, file_name: str) -> None:
        super().__init__("same_bytes", f"the same bytes landed as file {file_id} ({file_name})")
        self.file_id = file_id


def _copy_rows(
    cursor: Cursor,
    table: str,
    columns: tuple[str, ...],
    pieces: Iterator[bytes],
    *,
    delimiter: str = ",",
    encoding: str = "UTF8",
) -> int:
    statement = sql.SQL(
        "copy landing.{} (file_id, line_no, {}) from stdin "
        "(format csv, delimiter {}, encoding {})"
    ).format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.Literal(delimiter),
        sql.Literal(encoding),
    )
    return copy_from(cursor, statement, pieces)


def _copy_spool(
    cursor: Cursor, table: str, columns: tuple[str, ...], spool: Spool, encoding: str
) -> int:
    if spool.count == 0:
        return 0
    return _copy_rows(cursor, table, columns, spool.blocks(), encoding=encoding)


def _event(
    cursor: Cursor, file_id: int | None, event: str, detail: dict[str, object]
) -> None:
    cursor.execute(
        "insert into control.event (subject, subject_id, event, detail) "
        "values ('file', %s, %s, %s)",
        (file_id, event, json.dumps(detail)),
    )


def _result_of(cursor: Cursor, file_id: int, *, origin: str | None = None) -> FileResult:
    cursor.execute(
        "select file_id, file_name, origin, status, status_reason, source_code, layout_code, "
        "layout_variant, record_count, data_count, non_data_count, quarantined_count, "
        "duplicate_of_file_id from control.file where file_id = %s",
        (file_id,),
    )
    result = FileResult(*cursor.fetchone())
    return result if origin is None else replace(result, origin=origin)


def _text_encoding(encoding: str) -> str:
    """How the bytes inside the loader are encoded: wide ones have become UTF-8."""
    return encoding if encoding in ("cp1252", "latin-1") else "utf-8"


def _is_wide(encoding: str) -> bool:
    return encoding.startswith(("utf-16", "utf-32"))


def _ends_lines_with_cr(head: bytes) -> bool:
    lone = head.count(b"\r") - head.count(b"\r\n")
    return lone > 0 and lone > 3 * head.count(b"\n")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
