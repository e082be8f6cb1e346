"""Landing that is taken back: what a preview needs to know what a file would become."""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor

from loaders.files.gaps import Place
from loaders.files.landing import PASSES, Attempt, LandingError, Loading, Received, detection_of
from loaders.files.overlap import check_in_transaction
from loaders.files.records import decide_encoding
from loaders.files.results import FileResult
from loaders.files.sources import UNASSIGNED, Source, Sources
from loaders.files.stored import Hold, StoredFile
from loaders.files.streams import NotUtf8, RecordStream


def land_in_transaction(
    cursor: Cursor,
    received: Received,
    sources: Sources,
    declared: Source | None,
    *,
    file_id: int,
    ignore_holds: bool = False,
) -> FileResult:
    """Land a file under a number of the caller's, who rolls back; no original is kept.

    What would hold the file is raised as a Hold; ``ignore_holds`` lands what can be read all the
    same: a repeat, or a file that is not as it says it is.
    """
    loading = _Trial(cursor, received, sources, declared, file_id, ignore_holds)
    forced_encoding: tuple[str, bool] | None = None
    cursor.execute("savepoint landing")
    for _ in range(PASSES):
        attempt = Attempt(declared or UNASSIGNED)
        try:
            if not ignore_holds and (seen := loading.look(cursor)) is not None:
                return seen
            result = loading.land(cursor, attempt, forced_encoding)
            if not ignore_holds:
                # Without the lock: a preview may take minutes, and nobody will see its sample.
                explanation = check_in_transaction(cursor, file_id, takes_lock=False)
                if explanation is not None:
                    raise Hold("same_content", explanation)
            return result
        except NotUtf8:
            cursor.execute("rollback to savepoint landing")
            forced_encoding = decide_encoding(StoredFile(received.path).blocks())
        except Hold as hold:
            hold.detection = detection_of(attempt, hold)
            raise
        finally:
            if attempt.stream is not None:
                attempt.stream.close()
    raise LandingError(
        f"{received.path} changed each time it was read; load it when it is complete"
    )


class _Trial(Loading):
    """A loading that is going to be rolled back."""

    def __init__(
        self,
        cursor: Cursor,
        received: Received,
        sources: Sources,
        declared: Source | None,
        file_id: int,
        ignores_holds: bool,
    ) -> None:
        super().__init__(cursor.connection, received, sources, declared, None)
        self._trial_id = file_id
        self._ignores_holds = ignores_holds

    def _file_id(self, cursor: Cursor, source: Source) -> int:
        cursor.execute(
            "insert into control.file (file_id, source_code, file_kind, file_name, origin, "
            "sha256, byte_count, status) overriding system value "
            "values (%s, %s, 'unknown', %s, %s, %s, 0, 'failed')",
            (self._trial_id, source.source_code, self._name, self._origin, "0" * 64),
        )
        return self._trial_id

    def _landed(self, cursor: Cursor, file_id: int, attempt: Attempt) -> None:
        if self._ignores_holds:
            # As if a person had released it: the same bytes may have landed before.
            cursor.execute(
                "update control.file set released_at = now(), released_by = session_user "
                "where file_id = %s",
                (file_id,),
            )
        self._register(
            cursor, file_id, attempt, "landed", None, file_id if self._ignores_holds else None
        )

    def _check_name(self, cursor: Cursor, source: Source) -> None:
        if not self._ignores_holds:
            super()._check_name(cursor, source)

    def _check_sequence(self, cursor: Cursor, attempt: Attempt) -> Place | None:
        return None if self._ignores_holds else super()._check_sequence(cursor, attempt)

    def _check_whole(self, source: Source, stream: RecordStream) -> None:
        if not self._ignores_holds:
            super()._check_whole(source, stream)
