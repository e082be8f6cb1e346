"""From the paths a person names to files landed: each file, and each file of an archive."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from psycopg2.extensions import connection as Connection

from loaders.files.archives import Archive, open_archive
from loaders.files.discover import find_files
from loaders.files.landing import Loading, Received
from loaders.files.originals import Originals, open_originals
from loaders.files.overlap import CHECKED_AT_ONCE, check_content
from loaders.files.registry import record_file_event, result_of
from loaders.files.results import FileResult
from loaders.files.session import transaction
from loaders.files.sources import Source, Sources
from loaders.files.stored import Hold


def load_paths(
    connection: Connection,
    paths: Iterable[Path | str],
    *,
    source_code: str | None = None,
) -> list[FileResult]:
    """Land files and the files of folders, each in a transaction of its own.

    Without ``source_code`` a file belongs to the source named like its folder, else to the
    built-in source of the layout it is recognised as. An archive of several files has a result
    of its own, followed by those of its files.
    """
    with transaction(connection) as cursor:
        sources = Sources(cursor)
        if source_code is not None:
            sources.named(source_code)
    arrival = _Arrival(connection, sources, open_originals())
    results: list[FileResult] = []
    for found in find_files(paths):
        declared = (
            sources.named(source_code)
            if source_code is not None
            else sources.of_folder(found.path.parent.name)
        )
        received = Received(found.path)
        if found.refused is not None:
            results.append(_failed(received, found.refused, found.explanation))
        else:
            results += arrival.take(received, declared)
    return results


def load_received(
    connection: Connection, received: Received, *, source_code: str | None = None
) -> list[FileResult]:
    """Land bytes that were fetched from elsewhere, under the name and origin they have there."""
    with transaction(connection) as cursor:
        sources = Sources(cursor)
        declared = None if source_code is None else sources.named(source_code)
    return _Arrival(connection, sources, open_originals()).take(received, declared)


class _Arrival:
    """What the loading of all files has in common."""

    def __init__(self, connection: Connection, sources: Sources, originals: Originals) -> None:
        self._connection = connection
        self._sources = sources
        self._originals = originals

    def take(self, received: Received, declared: Source | None) -> list[FileResult]:
        """The file, or the archive and its files."""
        try:
            archive = open_archive(received.path)
            if archive is None:
                return [self._land(received, declared)]
            return self._land_archive(received, archive, declared)
        except OSError as error:
            explanation = f"cannot be read: {error.strerror or error}"
            with transaction(self._connection) as cursor:
                detail = {"origin": received.origin, "explanation": explanation}
                record_file_event(cursor, None, "failed", detail)
            return [_failed(received, "unreadable", explanation)]

    def _loading(self, received: Received, declared: Source | None) -> Loading:
        return Loading(self._connection, received, self._sources, declared, self._originals)

    def _land(self, received: Received, declared: Source | None) -> FileResult:
        """Land one file and, if it is small, compare its records with those of earlier files."""
        result = self._loading(received, declared).run()
        if result.status != "landed" or result.data_count > CHECKED_AT_ONCE:
            return result
        assert result.file_id is not None
        explanation = check_content(self._connection, result.file_id)
        if explanation is None:
            return result
        with transaction(self._connection) as cursor:
            return replace(result_of(cursor, result.file_id), explanation=explanation)

    def _land_archive(
        self, received: Received, archive: Archive, declared: Source | None
    ) -> list[FileResult]:
        loading = self._loading(received, declared)
        known = loading.seen_before()
        if known is not None:
            return [known]
        try:
            archive.examine()
        except Hold as hold:
            return [loading.hold(hold)]
        results = []
        with tempfile.TemporaryDirectory(prefix="ratehouse-archive-") as folder:
            path = Path(folder) / "member"
            for name, blocks in archive.members():
                with path.open("wb") as stream:
                    for block in blocks:
                        stream.write(block)
                member = Received(path, f"{received.name}!{name}", f"{received.origin}!{name}")
                results.append(self._land(member, declared))
        # At the end: an archive in the registry is one whose files have all been taken.
        return [self._register_archive(loading, results), *results]

    def _register_archive(self, loading: Loading, members: list[FileResult]) -> FileResult:
        file_ids = [member.file_id for member in members]
        detection = {"members": [[m.file_name, m.file_id] for m in members]}
        with loading.turn() as cursor:
            known = loading.look(cursor)
            if known is not None:
                return known
            archive_id = loading.register_archive(cursor, json.dumps(detection))
            cursor.execute(
                "update control.file set archive_file_id = %s "
                "where file_id = any(%s) and archive_file_id is null",
                (archive_id, file_ids),
            )
            record_file_event(cursor, archive_id, "landed", {"members": file_ids})
            result = result_of(cursor, archive_id)
        return replace(result, explanation=f"an archive of {len(members)} files")


def _failed(received: Received, reason: str, explanation: str) -> FileResult:
    return FileResult(
        None, received.name, received.origin, "failed", reason, explanation=explanation
    )
