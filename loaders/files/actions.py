"""What a person decides about a file: release, discard, download. Recorded with who and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from loaders.errors import RatehouseError
from loaders.files.gaps import Place
from loaders.files.landing import PASSES, Attempt, LandingError, Loading, Received, counts_of
from loaders.files.names import shown
from loaders.files.originals import open_originals
from loaders.files.overlap import check_content
from loaders.files.records import decide_encoding
from loaders.files.registry import record_file_event, result_of
from loaders.files.results import FileResult
from loaders.files.session import transaction
from loaders.files.sources import UNASSIGNED, Source, Sources
from loaders.files.stored import Hold
from loaders.files.streams import NotUtf8, RecordStream
from loaders.layouts import LAYOUTS


class ActionRefused(RatehouseError):
    """What was asked is not possible for this file as it stands."""


@dataclass(frozen=True)
class Decision:
    """What was done, or would be: ``is_changed`` says whether anything is other than before."""

    file_id: int
    is_changed: bool
    explanation: str
    # The file afterwards.
    result: FileResult


@dataclass(frozen=True)
class _Row:
    """The registry row an action is about, as it stands under its lock."""

    file_id: int
    file_name: str
    origin: str
    source_code: str
    sha256: str
    status: str
    status_reason: str | None
    data_count: int
    duplicate_of_file_id: int | None
    # Held after it had landed: the rows are there.
    has_rows: bool
    released_at: datetime | None
    released_by: str | None

    @property
    def named(self) -> str:
        return f"file {self.file_id} ({shown(self.file_name)})"


class _Undo(Exception):
    """Ends a preview: its transaction is rolled back."""


def release(
    connection: Connection,
    file_id: int,
    *,
    reason: str,
    actor: str,
    layout_code: str | None = None,
    source_code: str | None = None,
    preview: bool = False,
) -> Decision:
    """Let a held (or discarded) file land, whatever held it; the next rating run takes it.

    ``preview`` does all of it and takes it back.
    """
    _require_reason(reason, preview)
    if layout_code is not None and layout_code not in LAYOUTS:
        raise ActionRefused(
            f"there is no layout '{layout_code}'; there are: {', '.join(sorted(LAYOUTS))}"
        )
    with transaction(connection) as cursor:
        row = _locked(cursor, file_id)
        sources = Sources(cursor)
        if source_code is not None:
            sources.named(source_code)
        done = _already_released(cursor, row)
        if done is None and row.has_rows:
            done = _release_landed(cursor, row, reason, actor)
            if preview:
                connection.rollback()
    if done is None:
        done = _land_original(
            connection, row, sources, reason, actor, layout_code, source_code, preview
        )
        if not preview:
            # Its records are known to later files from now on; nothing holds it again.
            check_content(connection, file_id)
    return done


def discard(
    connection: Connection, file_id: int, *, reason: str, actor: str, preview: bool = False
) -> Decision:
    """Put a held file aside for good; ``release`` takes that back."""
    _require_reason(reason, preview)
    with transaction(connection) as cursor:
        row = _locked(cursor, file_id)
        result = result_of(cursor, file_id)
        if row.status == "discarded":
            return Decision(file_id, False, f"{row.named} is discarded already", result)
        if row.status == "landed":
            raise ActionRefused(
                f"{row.named} has landed, so it cannot be discarded; "
                f"`ratehouse files delete {file_id}` takes out what it has caused"
            )
        if row.status != "held":
            raise ActionRefused(f"{row.named} is {row.status}; only a held file can be discarded")
        if not preview:
            cursor.execute(
                "update control.file set status = 'discarded' where file_id = %s", (file_id,)
            )
            record_file_event(cursor, file_id, "discarded", {"reason": reason}, actor)
        return Decision(
            file_id, True, f"{row.named} is discarded", replace(result, status="discarded")
        )


def download(connection: Connection, file_id: int, target: Path | None, *, actor: str) -> Path:
    """Copy the original, byte for byte and verified, to a file or into a folder."""
    with transaction(connection) as cursor:
        row = _read(cursor, file_id)
    name = shown(row.file_name).replace("/", "_").lstrip(".") or f"file_{file_id}"
    target = Path(name) if target is None else target
    if target.is_dir():
        target = target / name
    if target.exists() or target.is_symlink():
        raise ActionRefused(f"{target} exists already; name another place with --to")
    if not target.parent.is_dir():
        raise ActionRefused(f"{target.parent} is not a folder")
    open_originals().copy_to(row.sha256, target)
    with transaction(connection) as cursor:
        record_file_event(cursor, file_id, "downloaded", {"to": str(target)}, actor)
    return target


def _require_reason(reason: str, preview: bool) -> None:
    if not reason.strip() and not preview:
        raise ActionRefused("say why: a reason is kept with the file")


def _already_released(cursor: Cursor, row: _Row) -> Decision | None:
    if row.status == "landed" and row.released_at is not None:
        return Decision(
            row.file_id,
            False,
            f"{row.named} was released already, by {row.released_by} "
            f"on {row.released_at:%Y-%m-%d %H:%M} UTC",
            result_of(cursor, row.file_id),
        )
    if row.status == "landed":
        raise ActionRefused(f"{row.named} has landed: there is nothing to release")
    if row.status not in ("held", "discarded"):
        raise ActionRefused(
            f"{row.named} is {row.status}; only a held or discarded file can be released"
            + (f". `ratehouse files restore {row.file_id}` takes its withdrawal back"
               if row.status == "withdrawn" else "")  # fmt: skip
        )
    return None


def _release_landed(cursor: Cursor, row: _Row, reason: str, actor: str) -> Decision:
    """The rows are there: from now on they count."""
    _mark_released(cursor, row, actor)
    cursor.execute(
        "update control.file set status = 'landed', status_reason = null, "
        "detection = detection - 'explanation' where file_id = %s",
        (row.file_id,),
    )
    _record_release(cursor, row, reason, actor, {})
    return _released(cursor, row)


def _land_original(
    connection: Connection,
    row: _Row,
    sources: Sources,
    reason: str,
    actor: str,
    layout_code: str | None,
    source_code: str | None,
    preview: bool,
) -> Decision:
    declared = _declared(row, sources, layout_code, source_code)
    with open_originals().as_file(row.sha256) as path:
        received = Received(path, row.file_name, row.origin)
        loading = _Release(connection, received, sources, declared, row.file_id, reason, actor)
        try:
            return loading.release(preview)
        except Hold as hold:
            hint = (
                "; name its layout with --layout or its source with --source"
                if hold.code == "unknown_layout"
                else ""
            )
            raise ActionRefused(
                f"{row.named} cannot be released: {hold.explanation}{hint}"
            ) from hold


def _declared(
    row: _Row, sources: Sources, layout_code: str | None, source_code: str | None
) -> Source | None:
    """The source the file lands for; None: the built-in one of the layout recognised."""
    known = None if row.source_code.startswith("unassigned") else row.source_code
    code = source_code or known
    source = sources.named(code) if code is not None else None
    if layout_code is None:
        return source
    if source is None:
        source = sources.unassigned(LAYOUTS[layout_code])
    return replace(source, layout_code=layout_code)


class _Release(Loading):
    """The landing of a held file, from its original and under its own number."""

    def __init__(
        self,
        connection: Connection,
        received: Received,
        sources: Sources,
        declared: Source | None,
        file_id: int,
        reason: str,
        actor: str,
    ) -> None:
        super().__init__(connection, received, sources, declared, None)
        self._released_id = file_id
        self._reason = reason
        self._actor = actor
        self._row: _Row | None = None

    def release(self, preview: bool) -> Decision:
        """Land; in a preview take it back again."""
        forced_encoding: tuple[str, bool] | None = None
        for _ in range(PASSES):
            attempt = Attempt(self._declared or UNASSIGNED)
            decision: Decision | None = None
            try:
                with self.turn() as cursor:
                    row = self._row = _locked(cursor, self._released_id)
                    # Somebody else may have been quicker.
                    decision = _already_released(cursor, row)
                    if decision is None:
                        self.land(cursor, attempt, forced_encoding)
                        decision = _released(cursor, row)
                    if preview:
                        raise _Undo
                return decision
            except _Undo:
                assert decision is not None
                return decision
            except NotUtf8:
                forced_encoding = decide_encoding(self._stored.blocks())
            finally:
                if attempt.stream is not None:
                    attempt.stream.close()
        raise LandingError(f"{self._origin} cannot be read twice alike")

    def _file_id(self, cursor: Cursor, source: Source) -> int:
        return self._released_id

    def _check_name(self, cursor: Cursor, source: Source) -> None:
        """A person has decided."""

    def _check_whole(self, source: Source, stream: RecordStream) -> None:
        """A person has decided."""

    def _check_sequence(self, cursor: Cursor, attempt: Attempt) -> Place | None:
        attempt.source = replace(
            attempt.source,
            gap_rule="report" if attempt.source.gap_rule == "hold" else attempt.source.gap_rule,
        )
        return super()._check_sequence(cursor, attempt)

    def _landed(self, cursor: Cursor, file_id: int, attempt: Attempt) -> None:
        assert self._row is not None
        # Before it counts as landed: the same bytes may have landed already.
        repeats = _mark_released(cursor, self._row, self._actor)
        self._register(cursor, file_id, attempt, "landed", None, repeats)
        _record_release(cursor, self._row, self._reason, self._actor, counts_of(attempt))


def _mark_released(cursor: Cursor, row: _Row, actor: str) -> int | None:
    """Say who lets it land; the file it repeats, if there is one."""
    cursor.execute(
        "update control.file as f set released_at = clock_timestamp(), released_by = %s, "
        "duplicate_of_file_id = coalesce(f.duplicate_of_file_id, ("
        "select min(o.file_id) from control.file as o where o.sha256 = f.sha256 "
        "and o.status = 'landed' and o.data_count > 0 and o.file_id <> f.file_id)) "
        "where f.file_id = %s returning duplicate_of_file_id",
        (actor, row.file_id),
    )
    return cursor.fetchone()[0]


def _record_release(
    cursor: Cursor, row: _Row, reason: str, actor: str, counts: dict[str, object]
) -> None:
    detail = {"reason": reason, "was": row.status, "held_for": row.status_reason, **counts}
    record_file_event(cursor, row.file_id, "released", detail, actor)


def _released(cursor: Cursor, row: _Row) -> Decision:
    result = result_of(cursor, row.file_id)
    return Decision(
        row.file_id,
        True,
        f"{row.named} has landed with {result.data_count:,} records; "
        "`ratehouse rate` rates them",
        result,
    )


_COLUMNS = (
    "file_id, file_name, origin, source_code, sha256, status, status_reason, data_count, "
    "duplicate_of_file_id, content_checked_at is not null, released_at, released_by"
)


def _locked(cursor: Cursor, file_id: int) -> _Row:
    return _read(cursor, file_id, " for update")


def _read(cursor: Cursor, file_id: int, lock: str = "") -> _Row:
    cursor.execute(f"select {_COLUMNS} from control.file where file_id = %s{lock}", (file_id,))
    found: tuple[Any, ...] | None = cursor.fetchone()
    if found is None:
        raise ActionRefused(f"there is no file {file_id}; `ratehouse files` lists them")
    return _Row(*found)
