"""dbt inside this process, with a manifest that is read once and fits every database.

A dbt process of its own takes six seconds of processor time before its first model: imports,
parsing, and code its libraries write at their first use. Here the imports are mostly Dagster's
anyway, and the second run of a process begins at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loaders import settings
from orchestration.lib import dbt_environment, paths
from orchestration.lib.manifest import Place, ensure_manifest

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

Listener = Callable[[dict[str, Any]], None]

# dbt keeps its flags, its adapter and its log in globals.
_one_at_a_time = threading.RLock()
_macros_as_parsed: dict[str, tuple[str, ...]] = {}
# Said while a node ends or is left out; all others are not worth translating.
_HEARD = {
    "LogModelResult", "LogSeedResult", "LogSnapshotResult", "LogTestResult", "SkippingDetails",
}  # fmt: skip


@dataclass(frozen=True)
class _Kept:
    """A manifest in memory: the file it was read from, when that was written, its present place."""

    path: Path
    written: int
    manifest: Manifest
    place: Place | None = None


_kept: _Kept | None = None


@dataclass
class Outcome:
    """How dbt ended."""

    succeeded: bool
    # unique_id, status, message and execution_time of each node, in the order they ended.
    results: list[dict[str, Any]] = field(default_factory=list)
    # What dbt called an error.
    said: list[str] = field(default_factory=list)

    def describe_failure(self, log: Path | None = None) -> str:
        """Which models and tests failed, and what the database said."""
        failed = [r for r in self.results if r["status"] in ("error", "fail", "runtime error")]
        where = f"; the log is {log}" if log else ""
        if not failed:
            reason = " ".join(" ".join(self.said).split()) or "it gave no reason"
            return f"dbt stopped before it built anything: {reason}{where}"
        lines = [f"dbt: {len(failed)} of {len(self.results)} steps failed"]
        for result in failed[:10]:
            kind, _, name = result["unique_id"].partition(".")
            message = " ".join((result.get("message") or result["status"]).split())
            lines.append(f"  {kind} {name.split('.', 1)[-1]}: {message}")
        if len(failed) > 10:
            lines.append(f"  and {len(failed) - 10} more{where}")
        return "\n".join(lines)


def invoke(
    arguments: Sequence[str],
    url: str,
    place: Place,
    environment: Mapping[str, str],
    target_folder: Path,
    *,
    listener: Listener | None = None,
    options: Sequence[str] = ("--log-level", "none", "--log-level-file", "none"),
) -> Outcome:
    """Run a dbt command; ``listener`` hears the events of nodes as they end, and errors."""
    from dbt.cli.main import dbtRunner
    from dbt_common.events.functions import msg_to_dict

    said: list[str] = []

    def hear(event: Any) -> None:
        is_error = event.info.level == "error"
        if is_error:
            said.append(event.info.msg)
        if listener is not None and (is_error or event.info.name in _HEARD):
            listener(msg_to_dict(event))

    project = str(paths.dbt_project_folder())
    changes = {**settings.dbt_environment(url), **environment}
    if place.build_schema:
        changes[paths.BUILD_SCHEMA_VARIABLE] = place.build_schema
    with _one_at_a_time, dbt_environment.variables(changes):
        done = dbtRunner(manifest=manifest_for(place), callbacks=[hear]).invoke(
            [
                "--no-use-colors", "--no-write-json", "--log-path", str(target_folder), *options,
                *arguments,
                "--project-dir", project, "--profiles-dir", project,
                "--target", place.target_name, "--target-path", str(target_folder),
            ]
        )  # fmt: skip
    if done.exception is not None:
        said.append(str(done.exception))
    results = [
        {
            # A macro that was run by name has no node.
            "unique_id": getattr(result, "node", result).unique_id,
            "status": str(result.status),
            "message": result.message,
            "execution_time": result.execution_time,
        }
        for result in getattr(done.result, "results", ())
    ]
    return Outcome(done.success, results, said)


def manifest_for(place: Place) -> Manifest:
    """The parsed project as if it had been parsed for this place.

    dbt parses again when the address changes, though nothing else than the names of databases and
    schemas in the result depends on it.
    """
    global _kept
    with _one_at_a_time:
        manifest = parsed_project()
        assert _kept is not None
        if _kept.place != place:
            move(manifest, place)
            manifest.build_flat_graph()
            _kept = replace(_kept, place=place)
        return manifest


def parsed_project() -> Manifest:
    """What dbt made of the project as it stands on disk; the places in it are anybody's."""
    global _kept
    from dbt.contracts.graph.manifest import Manifest

    path = ensure_manifest().with_name("partial_parse.msgpack")
    written = path.stat().st_mtime_ns
    with _one_at_a_time:
        if _kept is None or (_kept.path, _kept.written) != (path, written):
            _kept = _Kept(path, written, Manifest.from_msgpack(path.read_bytes()))
            # While dbt compiles, it adds what it meets: for another target, that is not the same.
            _macros_as_parsed.clear()
            _macros_as_parsed.update(
                (key, tuple(node.depends_on.macros)) for key, node in _kept.manifest.nodes.items()
            )
        return _kept.manifest


def macros_of(key: str) -> tuple[str, ...]:
    """The macros that a node names, as dbt found them when it parsed the project."""
    return _macros_as_parsed[key]


def move(manifest: Manifest, place: Place) -> None:
    """Name the database and the schemas of a place in every node and source."""
    for node in manifest.nodes.values():
        node.database = place.database
        node.schema = place.schema(node.config.schema)
        if node.relation_name is not None:
            node.relation_name = place.relation(node.schema, node.alias)
    for source in manifest.sources.values():
        source.database = place.database
        source.relation_name = place.relation(source.schema, source.identifier)
