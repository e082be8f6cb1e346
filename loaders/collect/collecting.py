"""Collecting: look, wait until files are whole, fetch, land, remember, put away.

Killed between any two of these steps, the next look takes up where it stood: what is not
remembered is fetched again and the loader knows the bytes; what is remembered and not put away is
put away then. Nothing is put away before its landing and the memory of it are committed.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from psycopg2.extensions import connection as Connection

from loaders import settings
from loaders.collect.collector import Collector, read_collectors
from loaders.collect.errors import CollectError, FileError, TransientError
from loaders.collect.memory import Fetched, Known, Memory, key_of
from loaders.collect.names import is_unfinished, local_name
from loaders.collect.protocols import Line
from loaders.collect.remote import Remote, RemoteFile
from loaders.collect.retry import Patience
from loaders.collect.rules import Verdict
from loaders.errors import RatehouseError
from loaders.files import FileResult, Received, load_received
from loaders.files.names import shown as printable
from loaders.files.session import transaction
from loaders.files.sources import Sources, UnknownSource

_NOTHING_KNOWN = Known()
Say = Callable[[str], None]


@dataclass(frozen=True)
class CollectedFile:
    """What became of one file of the remote side, or would become of it.

    state: taken, wanted (dry run), known, waiting (still being written), ignored, failed.
    """

    file_name: str
    remote_url: str
    state: str
    source_code: str | None = None
    cadence: str | None = None
    reason: str = ""
    byte_count: int | None = None
    file_id: int | None = None
    # What the loader said of it: landed, already_loaded, held.
    load_status: str | None = None
    put_away: str | None = None


@dataclass
class CollectorResult:
    """One look of one collector. status: done, failed, busy (another process collects)."""

    collector_code: str
    status: str = "done"
    error: str | None = None
    files: list[CollectedFile] = field(default_factory=list)

    def count(self, *states: str) -> int:
        return sum(file.state in states for file in self.files)


def collect(
    connection: Connection,
    codes: Sequence[str] = (),
    *,
    dry_run: bool = False,
    patience: Patience | None = None,
    say: Say = lambda text: None,
) -> list[CollectorResult]:
    """Collect from the collectors named, or from every enabled one; one's failure stops no other.

    A dry run looks and says what it would take; it changes nothing, here or there.
    """
    patience = patience or Patience()
    return [
        _Collecting(connection, collector, dry_run, patience, say).run()
        for collector in read_collectors(connection, codes)
    ]


@dataclass(frozen=True)
class _Decision:
    """What is to be done with a file, before anything is fetched."""

    state: str
    verdict: Verdict | None = None
    code: str | None = None
    reason: str = ""


class _Collecting:
    """One look of one collector."""

    def __init__(
        self,
        connection: Connection,
        collector: Collector,
        dry_run: bool,
        patience: Patience,
        say: Say,
    ) -> None:
        self._connection = connection
        self._collector = collector
        self._dry_run = dry_run
        self._say = say
        self._memory = Memory(connection, collector)
        self._result = CollectorResult(collector.collector_code)
        self._patience = patience

    def run(self) -> CollectorResult:
        """Look and take. Failures of the remote side are part of the result."""
        started_at = datetime.now(UTC)
        result = self._result
        with self._memory.locked() as is_ours:
            if not is_ours:
                result.status = "busy"
                result.error = "another process is collecting from it"
                return result
            try:
                self._collect()
            except (CollectError, TransientError) as error:
                result.status = "failed"
                result.error = str(error)
                self._say(str(error))
            if not self._dry_run:
                counts = (
                    len(result.files), result.count("taken"), result.count("ignored"),
                    result.count("failed"),
                )  # fmt: skip
                self._memory.record_look(started_at, counts, result.error)
        return result

    def _collect(self) -> None:
        self._refuse_loop()
        self._sources = self._read_sources()
        line = self._line = Line(self._collector, self._patience, self._say)
        try:
            looked = self._look()
            known = self._known = self._memory.known(looked)
            decisions = {file.remote_name: self._decide(file, known) for file in looked}
            wanted = [f for f in looked if decisions[f.remote_name].state == "wanted"]
            changing = self._still_changing(wanted)
            for file in looked:
                decision = decisions[file.remote_name]
                if file.remote_name in changing:
                    decision = _Decision("waiting", reason="it is still being written")
                self._carry_out(file, decision)
            if not self._dry_run:
                self._put_away(looked)
        finally:
            line.close()

    # -- looking ---------------------------------------------------------------------------------

    def _refuse_loop(self) -> None:
        collector = self._collector
        target = (collector.after_folder or "").strip("/")
        if collector.after_collection == "move" and (
            not target or target in (*collector.rules.directories, collector.directory.strip("/"))
        ):
            raise collector.error(
                "after_folder must be a folder that is not collected from itself"
            )

    def _read_sources(self) -> Sources:
        with transaction(self._connection) as cursor:
            return Sources(cursor)

    def _look(self) -> list[RemoteFile]:
        settled = set() if self._line.needs_settling else self._memory.settled_units()
        directories = self._collector.rules.directories
        return self._line.do(lambda remote: remote.look(directories, settled))

    def _decide(
        self, file: RemoteFile, known: dict[tuple[str, str], Known]
    ) -> _Decision:
        may_be_growing = self._line.needs_settling and file.refusal is None
        if may_be_growing and is_unfinished(file.name):
            return _Decision("waiting", reason="by its name it is not complete yet")
        if file.refusal is not None:
            return _Decision("ignored", None, *file.refusal)
        verdict = self._collector.rules.verdict(file.facts)
        if verdict is None:
            return _Decision("ignored", None, "no_rule", "no rule of the collector fits it")
        before = known.get(key_of(file), _NOTHING_KNOWN)
        if before.taken_file_id is not None and not before.is_put_away:
            return _Decision("known", verdict, reason="it was taken before")
        try:
            self._check(file, verdict)
        except FileError as error:
            return _Decision("failed", verdict, error.code, error.reason)
        return _Decision("wanted", verdict)

    def _check(self, file: RemoteFile, verdict: Verdict) -> None:
        if verdict.source_code is not None:
            try:
                source = self._sources.named(verdict.source_code)
            except UnknownSource as error:
                raise FileError("unknown_source", str(error)) from None
            kinds = {verdict.file_kind, source.file_kind} - {None, "mixed"}
            if len(kinds) > 1:
                raise FileError(
                    "wrong_kind",
                    f"the rule says {verdict.file_kind}, but source {source.source_code} is of "
                    f"kind {source.file_kind}",
                )
        self._check_size(file.byte_count or 0)

    def _check_size(self, byte_count: int) -> None:
        if byte_count > self._collector.maximum_bytes:
            raise FileError(
                "too_large",
                f"it is larger than maximum_megabytes allows "
                f"({self._collector.maximum_megabytes:,} MB)",
            )

    def _still_changing(self, wanted: list[RemoteFile]) -> set[str]:
        """A second look: what is not as it was is left for the next time."""
        if not wanted or not self._line.needs_settling:
            return set()
        time.sleep(self._collector.settle_seconds)
        now = {file.remote_name: file.stamp for file in self._look()}
        return {f.remote_name for f in wanted if now.get(f.remote_name) != f.stamp}

    # -- taking ----------------------------------------------------------------------------------

    def _carry_out(self, file: RemoteFile, decision: _Decision) -> None:
        verdict = decision.verdict
        if decision.state == "wanted" and not self._dry_run:
            try:
                self._result.files.append(self._take(file, decision.verdict))
                return
            except FileError as error:
                decision = _Decision("failed", verdict, error.code, error.reason)
        if decision.state in ("ignored", "failed") and not self._dry_run:
            self._remember(file, decision)
        self._result.files.append(
            CollectedFile(
                file.name,
                self._collector.url(file.remote_name),
                decision.state,
                verdict.source_code if verdict else None,
                verdict.cadence if verdict else None,
                decision.reason,
                file.byte_count,
            )
        )

    def _remember(self, file: RemoteFile, decision: _Decision) -> None:
        """Ignored and failed files: once, not at every look."""
        before = self._known.get(key_of(file), _NOTHING_KNOWN)
        if (before.last_status, before.last_reason) != (decision.state, decision.reason):
            self._memory.record(
                file,
                decision.state,
                verdict=decision.verdict,
                reason_code=decision.code,
                reason=decision.reason,
            )
        elif decision.code == "no_rule" and not self._line.needs_settling:
            # Newer than the rules: the message need not be looked into again.
            self._memory.record(
                file, decision.state, reason_code=decision.code, reason=decision.reason
            )

    def _take(self, file: RemoteFile, verdict: Verdict | None) -> CollectedFile:
        assert verdict is not None
        with _workspace(self._collector.collector_code) as folder:
            path = folder / "file"
            fetched = self._fetch(file, path)
            landed = self._land(file, path, verdict)
        self._memory.record_taken(file, verdict, fetched, landed)
        # The worst, where an archive held several.
        shown = next((one for one in landed if one.status == "held"), landed[0])
        self._say(f"{printable(file.name)}: {shown.status.replace('_', ' ')}")
        return CollectedFile(
            file.name,
            self._collector.url(file.remote_name),
            "taken",
            shown.source_code,
            verdict.cadence,
            shown.explanation,
            fetched.byte_count,
            shown.file_id,
            shown.status,
        )

    def _fetch(self, file: RemoteFile, path: Path) -> Fetched:
        """Bring the bytes here; what breaks off is started again from its beginning."""

        def once(remote: Remote) -> Fetched:
            digest = hashlib.sha256()
            byte_count = 0
            with path.open("wb") as stream:

                def sink(block: bytes) -> None:
                    nonlocal byte_count
                    byte_count += len(block)
                    self._check_size(byte_count)
                    digest.update(block)
                    try:
                        stream.write(block)
                    except OSError as error:
                        # Not the network's fault, and no better at the next attempt.
                        raise self._unwritable(file, error) from None

                remote.fetch(file, sink)
            if remote.stamp(file) != file.stamp:
                raise FileError("changed", "it changed while it was fetched; next time, then")
            if file.byte_count is not None and byte_count != file.byte_count:
                raise TransientError(
                    str(
                        self._collector.error(
                            f"{file.name}: {byte_count:,} of {file.byte_count:,} bytes arrived"
                        )
                    )
                )
            return Fetched(digest.hexdigest(), byte_count)

        try:
            return self._line.do(once)
        except FileError:
            # Given up in the middle of a transfer: what is left of it must not reach the next.
            self._line.close()
            raise
        except OSError as error:
            raise self._unwritable(file, error) from None

    def _unwritable(self, file: RemoteFile, error: OSError) -> CollectError:
        return self._collector.error(
            f"{printable(file.name)} cannot be written here: {error.strerror or error}"
        )

    def _land(self, file: RemoteFile, path: Path, verdict: Verdict) -> list[FileResult]:
        """The registry's files: one, or an archive and those in it."""
        received = Received(
            path, local_name(file.name), printable(self._collector.url(file.remote_name))
        )
        try:
            results = load_received(
                self._connection, received, source_code=verdict.source_code
            )
        except RatehouseError as error:
            raise FileError("not_landed", str(error)) from None
        landed = [result for result in results if result.file_id is not None]
        if not landed:
            words = "; ".join(result.explanation for result in results if result.explanation)
            raise FileError("not_landed", words or "the loader could not read it")
        return landed

    # -- putting away ----------------------------------------------------------------------------

    def _put_away(self, looked: list[RemoteFile]) -> None:
        """Move or delete what has landed, this time or before."""
        if self._collector.after_collection == "keep":
            return
        known = self._memory.known(looked)
        units: dict[str, list[RemoteFile]] = {}
        for file in looked:
            units.setdefault(file.unit or file.remote_name, []).append(file)
        for files in units.values():
            taken = [f for f in files if known.get(key_of(f), _NOTHING_KNOWN).taken_file_id]
            if not taken or any(not self._is_done_with(f, known) for f in files):
                continue
            try:
                done = self._line.do(lambda remote, taken=taken: self._put_one(remote, taken[0]))
            except FileError as error:
                self._say(f"{printable(taken[0].name)}: {error.reason}")
                self._note(taken, f"{error.reason} (it has landed)")
                continue
            if done is not None:
                status = "moved" if self._collector.after_collection == "move" else "deleted"
                for file in taken:
                    self._memory.record(file, status, reason=done or None)
                self._note(taken, "", put_away=f"{status} {done}".strip())

    def _is_done_with(self, file: RemoteFile, known: dict[tuple[str, str], Known]) -> bool:
        """Taken and no longer held, or nothing that anybody wants."""
        entry = known.get(key_of(file), _NOTHING_KNOWN)
        if entry.taken_file_id is not None:
            return entry.may_be_put_away
        return entry.last_status == "ignored"

    def _put_one(self, remote: Remote, file: RemoteFile) -> str | None:
        # Somebody wrote to it since: that is another file, which nobody has fetched.
        if remote.stamp(file) != file.stamp:
            return None
        if self._collector.after_collection == "move":
            return remote.move(file, self._collector.after_folder or "")
        remote.delete(file)
        return ""

    def _note(self, files: list[RemoteFile], reason: str, put_away: str | None = None) -> None:
        """Add to the result what became of files afterwards."""
        urls = {self._collector.url(file.remote_name) for file in files}
        self._result.files = [
            replace(entry, put_away=put_away, reason=reason or entry.reason)
            if entry.remote_url in urls
            else entry
            for entry in self._result.files
        ]


@contextmanager
def _workspace(collector_code: str) -> Iterator[Path]:
    """A folder for one file under way; what a killed process left behind is removed."""
    # Only whoever holds the collector's lock comes here.
    base = settings.home() / "collect" / collector_code
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(parents=True)
    base.chmod(0o700)
    try:
        yield Path(tempfile.mkdtemp(dir=base))
    finally:
        shutil.rmtree(base, ignore_errors=True)
