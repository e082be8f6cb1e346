"""Landing a file: registry row, data, non-data, quarantine and event in one transaction."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import psycopg2
import psycopg2.errors
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from loaders.errors import RatehouseError
from loaders.files.gaps import Place, place_of
from loaders.files.names import stored_text
from loaders.files.originals import Originals
from loaders.files.readers import open_stream
from loaders.files.records import decide_encoding, describe_columns
from loaders.files.registry import record_file_event, result_of
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
from loaders.layouts.layout import clock_seconds

# The first key of our advisory locks on files; the second is the file's size.
_LOCK_LANDING = 0x52480001
# One to find out the encoding, one to land, and some for a file that changes under our hands.
PASSES = 4


class LandingError(RatehouseError):
    """Landing went wrong in a way that is no property of the file."""


@dataclass(frozen=True)
class Received:
    """Bytes on disk, and what they were called where they came from."""

    path: Path
    name_given: str | None = None
    origin_given: str | None = None

    @property
    def name(self) -> str:
        return stored_text(self.path.name if self.name_given is None else self.name_given)

    @property
    def origin(self) -> str:
        return stored_text(self.path if self.origin_given is None else self.origin_given)


@dataclass
class Attempt:
    """What is known about the file while one pass over it runs."""

    source: Source
    encoding: str = "utf-8"
    recognition: Recognition | None = None
    stream: RecordStream | None = None
    mostly_utf8: bool = False
    sequence: Place | None = None

    @property
    def shape(self) -> Shape | None:
        return self.recognition.shape if self.recognition else None


class Loading:
    """The loading of one file."""

    def __init__(
        self,
        connection: Connection,
        received: Received,
        sources: Sources,
        declared: Source | None,
        originals: Originals | None,
    ) -> None:
        self._connection = connection
        self._path = received.path
        self._name = received.name
        self._origin = received.origin
        self._sources = sources
        self._declared = declared
        self._stored = StoredFile(received.path, originals)
        self._size = received.path.stat().st_size

    def run(self) -> FileResult:
        forced_encoding: tuple[str, bool] | None = None
        for _ in range(PASSES):
            attempt = Attempt(self._declared or UNASSIGNED)
            try:
                with self.turn() as cursor:
                    seen = self.look(cursor)
                    if seen is not None:
                        return seen
                    return self.land(cursor, attempt, forced_encoding)
            except NotUtf8:
                forced_encoding = decide_encoding(self._stored.blocks())
            except Hold as hold:
                return self.hold(hold, attempt)
            except psycopg2.errors.UniqueViolation:
                # The bytes are not those we looked for above: the file was replaced meanwhile.
                continue
            except psycopg2.DataError as error:
                raise LandingError(
                    f"{self._origin}: the database refused what the loader sent "
                    f"({_first_line(error)}); nothing of the file has landed"
                ) from error
            finally:
                if attempt.stream is not None:
                    attempt.stream.close()
                self._stored.drop_copy()
        raise LandingError(
            f"{self._origin} changed each time it was read; load it when it is complete"
        )

    @contextmanager
    def turn(self) -> Iterator[Cursor]:
        """A transaction in which no other loader is at work on the same bytes."""
        with transaction(self._connection) as cursor:
            # Two loaders on the same bytes take turns here; the second then finds them.
            cursor.execute(
                "select pg_advisory_xact_lock(%s, %s)", (_LOCK_LANDING, self._size & 0x7FFFFFFF)
            )
            yield cursor

    # -- duplicates ------------------------------------------------------------------------------

    def seen_before(self) -> FileResult | None:
        """``look`` in a transaction of its own."""
        with self.turn() as cursor:
            return self.look(cursor)

    def look(self, cursor: Cursor) -> FileResult | None:
        """Bytes that have landed already: an event under the same name, else held."""
        cursor.execute(
            "select 1 from control.file "
            "where byte_count = %s and status in ('landed', 'held', 'discarded') limit 1",
            (self._size,),
        )
        if cursor.fetchone() is None:
            # No file of this size: no need to read it twice to know that it is new.
            return None
        sha256 = self._stored.fingerprint()
        cursor.execute(
            "select file_id, file_name, source_code, data_count, status from control.file "
            "where sha256 = %s and status in ('landed', 'discarded') "
            # What has landed answers before what a person put aside.
            "order by status = 'landed' desc, file_id",
            (sha256,),
        )
        rows = cursor.fetchall()
        for file_id, file_name, source_code, _, status in rows:
            if file_name == self._name and self._same_source(source_code):
                self._stored.keep_original()
                record_file_event(cursor, file_id, "seen_again", {"origin": self._origin})
                known = result_of(cursor, file_id, origin=self._origin)
                if status == "discarded":
                    return replace(
                        known,
                        explanation=f"discarded before, as file {file_id}; "
                        f"`ratehouse files release {file_id}` lands it after all",
                    )
                return replace(
                    known,
                    status="already_loaded",
                    explanation=f"the same bytes landed as file {file_id}",
                )
        # A file without records cannot bill anything twice: headers alone repeat every day.
        original = next((row for row in rows if row[3] > 0 and row[4] == "landed"), None)
        if original is not None:
            raise Hold(
                "same_bytes",
                f"the same bytes landed as file {original[0]} ({original[1]})",
                original[0],
            )
        return None

    def _same_source(self, source_code: str) -> bool:
        if self._declared is not None:
            return self._declared.source_code == source_code
        return source_code.startswith("unassigned")

    # -- one pass --------------------------------------------------------------------------------

    def land(
        self, cursor: Cursor, attempt: Attempt, forced_encoding: tuple[str, bool] | None
    ) -> FileResult:
        blocks = self._opened(attempt, forced_encoding)
        shape = attempt.shape
        if shape is not None and self._declared is None:
            attempt.source = self._sources.unassigned(shape.layout)
        self._check_name(cursor, attempt.source)
        file_id = self._file_id(cursor, attempt.source)
        stream = attempt.stream = open_stream(
            blocks,
            shape,
            file_id=file_id,
            text_encoding=_text_encoding(attempt.encoding),
            tolerate_undecodable=attempt.mostly_utf8 or _is_wide(attempt.encoding),
        )
        copied = self._copy(cursor, shape, stream)
        self._check_whole(attempt.source, stream)
        attempt.sequence = self._check_sequence(cursor, attempt)
        if copied != (stream.data_count, stream.non_data.count, stream.quarantine.count):
            raise LandingError(
                f"{self._origin}: the database counted {copied} rows, the loader "
                f"{stream.data_count} data, {stream.non_data.count} non-data and "
                f"{stream.quarantine.count} quarantined; nothing has landed"
            )
        if self._stored.byte_count != self._path.stat().st_size:
            raise OSError(0, "the file changed while it was read; load it when it is complete")
        # Before the commit: whatever has landed has its original.
        self._stored.keep_original()
        self._landed(cursor, file_id, attempt)
        cursor.execute(
            "update control.file set status = 'discarded', duplicate_of_file_id = %s "
            "where sha256 = %s and status = 'held' and source_code in (%s, 'unassigned') "
            "and file_name = %s and file_id <> %s returning file_id",
            (file_id, self._stored.sha256, attempt.source.source_code, self._name, file_id),
        )
        for (held_file_id,) in cursor.fetchall():
            record_file_event(cursor, held_file_id, "discarded", {"landed_as_file_id": file_id})
        return result_of(cursor, file_id)

    # What differs when a person lets a held file land (actions.Release).

    def _file_id(self, cursor: Cursor, source: Source) -> int:
        """The registry row of the file, brought up to date at the end."""
        cursor.execute(
            "insert into control.file "
            "(source_code, file_kind, file_name, origin, sha256, byte_count, status) "
            "values (%s, 'unknown', %s, %s, %s, 0, 'failed') returning file_id",
            (source.source_code, self._name, self._origin, "0" * 64),
        )
        return cursor.fetchone()[0]

    def _landed(self, cursor: Cursor, file_id: int, attempt: Attempt) -> None:
        self._register(cursor, file_id, attempt, "landed", None, None)
        record_file_event(cursor, file_id, "landed", counts_of(attempt))

    def _check_name(self, cursor: Cursor, source: Source) -> None:
        """Where a source wants it, a name lands once."""
        if source.same_name_rule != "hold":
            return
        cursor.execute(
            "select file_id from control.file where source_code = %s and file_name = %s "
            "and status = 'landed' order by file_id limit 1",
            (source.source_code, self._name),
        )
        row = cursor.fetchone()
        if row is not None:
            raise Hold(
                "same_name",
                f"a file of this name has landed as file {row[0]}, with another content",
                row[0],
            )

    def _check_sequence(self, cursor: Cursor, attempt: Attempt) -> Place | None:
        """The file's place in the row of its source's files, and what is missing before it."""
        assert attempt.stream is not None
        place = place_of(cursor, attempt.source, self._name, attempt.stream.stated_sequence)
        if place is not None and place.missing and attempt.source.gap_rule == "hold":
            attempt.sequence = place
            raise Hold("sequence_gap", place.explanation)
        return place

    def _opened(
        self, attempt: Attempt, forced_encoding: tuple[str, bool] | None
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
                options=source.layout_options if source else None,
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
            encoding = stream.copy_encoding
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
        total, added = stream.stated_total, stream.added_total
        if total is not None and added is not None and clock_seconds(str(total)) != int(added):
            raise Hold(
                "trailer_mismatch",
                f"the file says its records last {clock_seconds(str(total))} seconds together, "
                f"but they last {int(added)}",
            )

    # -- registry --------------------------------------------------------------------------------

    def _register(
        self,
        cursor: Cursor,
        file_id: int,
        attempt: Attempt,
        status: str,
        hold: Hold | None,
        duplicate_of_file_id: int | None,
    ) -> None:
        """Bring the registry row to what is known now."""
        shape = attempt.shape
        stream = attempt.stream
        detection = detection_of(attempt, hold)
        place = attempt.sequence
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
            "non_data_count = %s, quarantined_count = %s, trailer_count = %s, trailer_total = %s, "
            "sequence_series = %s, sequence_number = %s "
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
                place.series if place else None,
                place.number if place else None,
                file_id,
            ),
        )

    def register_archive(self, cursor: Cursor, detection: str) -> int:
        """The registry row of an archive whose files have been taken; it has no records."""
        sha256 = self._stored.fingerprint()
        self._stored.keep_original()
        source = self._declared or UNASSIGNED
        cursor.execute(
            "insert into control.file (source_code, file_kind, file_name, origin, sha256, "
            "byte_count, compression, detection, status, content_checked_at) "
            "values (%s, %s, %s, %s, %s, %s, %s, %s, 'landed', clock_timestamp()) "
            "returning file_id",
            (
                source.source_code,
                source.file_kind,
                self._name,
                self._origin,
                sha256,
                self._stored.byte_count,
                self._stored.compression,
                detection,
            ),
        )
        return cursor.fetchone()[0]

    def hold(self, hold: Hold, attempt: Attempt | None = None) -> FileResult:
        """Keep the file in the registry without landing it; the same again is only an event."""
        attempt = attempt or Attempt(self._declared or UNASSIGNED)
        sha256 = self._stored.fingerprint()
        self._stored.keep_original()
        with self.turn() as cursor:
            cursor.execute(
                "select file_id from control.file where sha256 = %s and status = 'held' "
                "and file_name = %s and source_code = %s and status_reason = %s "
                "order by file_id limit 1",
                (sha256, self._name, attempt.source.source_code, hold.code),
            )
            row = cursor.fetchone()
            if row is None:
                cursor.execute(
                    "insert into control.file "
                    "(source_code, file_kind, file_name, origin, sha256, byte_count, status) "
                    "values (%s, 'unknown', %s, %s, %s, 0, 'held') returning file_id",
                    (attempt.source.source_code, self._name, self._origin, sha256),
                )
                file_id = cursor.fetchone()[0]
                event = "held"
            else:
                file_id, event = row[0], "seen_again"
            self._register(cursor, file_id, attempt, "held", hold, hold.file_id)
            record_file_event(
                cursor,
                file_id,
                event,
                {"reason": hold.code, "explanation": hold.explanation, "origin": self._origin},
            )
            return replace(result_of(cursor, file_id), explanation=hold.explanation)


def detection_of(attempt: Attempt, hold: Hold | None) -> dict[str, object]:
    """What recognition found, and what is odd about the file."""
    shape = attempt.shape
    stream = attempt.stream
    detection: dict[str, object] = {}
    if attempt.recognition is not None:
        detection["scores"] = attempt.recognition.scores
    if shape is not None:
        detection["header_line"] = shape.header_line
        detection["mapping"] = {
            target: column
            for target, column in zip(shape.targets, describe_columns(shape.columns), strict=True)
            if column
        }
    if stream is not None and stream.stated_sequence is not None:
        detection["sequence"] = stream.stated_sequence
    if attempt.mostly_utf8:
        detection["encoding"] = "damaged UTF-8"
    place = attempt.sequence
    if place is not None and place.missing:
        detection["missing_files"] = place.missing
    if hold is not None:
        detection["explanation"] = hold.explanation
    return detection


def counts_of(attempt: Attempt) -> dict[str, object]:
    """What landed, for the event."""
    stream = attempt.stream
    assert stream is not None
    return {
        "data": stream.data_count,
        "non_data": stream.non_data.count,
        "quarantined": stream.quarantine.count,
    }


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
