"""dbt for one run: its token, its target folder, its progress, its end."""

from __future__ import annotations

import contextlib
import ctypes
import queue
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg2
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage

from loaders import database
from loaders.runs import locks
from orchestration.lib import manifest, paths, progress, standing
from orchestration.lib.dbt_in_process import Outcome
from orchestration.lib.translator import RatehouseTranslator

# Folders of failed dbt processes are kept for a person to look at, but not for ever.
_KEPT_FAILURES = 5
# How long dbt may take to end after its last word, and after it was told to stop.
_NORMAL_END_SECONDS = 60
_END_SECONDS = 20

Context = dg.AssetExecutionContext | dg.OpExecutionContext


class DbtProcess:
    """Runs dbt once; afterwards tells what became of each step."""

    def __init__(self, name: str) -> None:
        self.target = paths.dbt_runs_folder() / name
        self.results: list[dict[str, Any]] = []

    def stream(self, tag: str, run_environment: Mapping[str, str]) -> Iterator[Any]:
        """Dagster's events of the nodes as they end; raises dg.Failure in words."""
        refuse_outdated_code_location()
        remove_old_folders()
        plan = standing.plan(database.database_url(), tag, build_schema=paths.build_schema())
        progress.say(plan.describe())
        nodes, translator = manifest.load_manifest(), RatehouseTranslator()
        work = Work(plan, run_environment, self.target)
        with work:
            for raw_event in work.events():
                line = progress_line(raw_event)
                if line is not None:
                    progress.say(line)
                # Without the context: events of assets, not outputs of the step. Outputs may be
                # told once, and Dagster looks up the versions of all their inputs, which stand
                # for nothing where views are left as they are.
                yield from DbtCoreCliEventMessage(raw_event, {}).to_default_asset_events(
                    manifest=nodes, dagster_dbt_translator=translator
                )
        outcome = work.outcome()
        self.results = outcome.results
        if not outcome.succeeded:
            raise dg.Failure(
                description=outcome.describe_failure(self.target / "dbt.log"),
                allow_retries=False,
            )
        shutil.rmtree(self.target, ignore_errors=True)

    def counts(self) -> dict[str, int]:
        """Steps by kind and outcome: `model success` 41, `test pass` 97 ..."""
        counted = Counter(
            f"{result['unique_id'].split('.', 1)[0]} {result['status']}" for result in self.results
        )
        return dict(sorted(counted.items()))

    def slowest(self, number: int = 5) -> list[tuple[str, float]]:
        """The steps that took longest, in seconds."""
        ordered = sorted(self.results, key=lambda r: r.get("execution_time", 0), reverse=True)
        return [
            (result["unique_id"].split(".")[2], round(result.get("execution_time", 0), 2))
            for result in ordered[:number]
        ]


def refuse_outdated_code_location() -> None:
    """Models may be edited while the code location stays loaded, but not come and go."""
    if not manifest.is_loaded_manifest_outdated():
        return
    raise dg.Failure(
        description=(
            "Models were added to the dbt project, or removed from it, since the code location "
            "was loaded. Reload it in the UI (Deployment, Reload), or start the command again."
        ),
        allow_retries=False,
    )


_RESULT_EVENTS = {"LogModelResult", "LogSeedResult", "LogTestResult", "LogSnapshotResult"}


def progress_line(raw_event: Mapping[str, Any]) -> str | None:
    """One line for each model and seed when it is done, and for each test that fails."""
    name, data = raw_event["info"]["name"], raw_event["data"]
    if name == "SkippingDetails":
        return f"  {data['resource_type']} {data['node_name']}: skipped after a failure"
    if name not in _RESULT_EVENTS:
        return None
    node, status = data["node_info"], data["status"].split(" ")[0].lower()
    if name == "LogTestResult" and status == "pass":
        return None
    kind, total = node["resource_type"], data.get("total") or data.get("num_models")
    seconds = data["execution_time"]
    # A success is told by the last SQL command (CREATE VIEW, SELECT 5, ANALYZE): no news.
    outcome = status if status in ("error", "fail", "warn", "skipped") else "done"
    return f"  {data['index']:>3}/{total} {kind} {node['node_name']}: {outcome}, {seconds:.1f} s"


def remove_old_folders() -> None:
    """Keep the newest few folders of failed (or killed) processes."""
    root = paths.dbt_runs_folder()
    if not root.is_dir():
        return
    folders = []
    for folder in root.iterdir():
        with contextlib.suppress(FileNotFoundError):
            folders.append((folder.stat().st_mtime, folder))
    for _, folder in sorted(folders, reverse=True)[_KEPT_FAILURES:]:
        shutil.rmtree(folder, ignore_errors=True)


class Work:
    """dbt at work in a thread, so that a step can tell of each node when it ends."""

    def __init__(
        self, plan: standing.Plan, run_environment: Mapping[str, str], target: Path
    ) -> None:
        self._plan = plan
        self._environment = run_environment
        self._target = target
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._is_told = False
        self._outcome: Outcome | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._build, name="dbt", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        """However the step ends, its dbt does not outlive it."""
        self._thread.join(timeout=_NORMAL_END_SECONDS if self._is_told else 0)
        if not self._thread.is_alive():
            return
        # As Ctrl-C would be for a dbt of its own: it begins no further node once one has ended,
        # and those at work end with their sessions.
        assert self._thread.ident is not None
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(self._thread.ident), ctypes.py_object(KeyboardInterrupt)
        )
        deadline = time.monotonic() + _END_SECONDS
        while self._thread.is_alive() and time.monotonic() < deadline:
            self._end_sessions()
            self._thread.join(timeout=0.5)

    def events(self) -> Iterator[dict[str, Any]]:
        """What dbt tells of its nodes, until it has ended."""
        while (event := self._events.get()) is not None:
            yield event
        self._is_told = True

    def outcome(self) -> Outcome:
        """How it ended."""
        if self._error is not None:
            raise self._error
        assert self._outcome is not None
        return self._outcome

    def _build(self) -> None:
        try:
            self._outcome = self._plan.build(
                self._environment, self._target, listener=self._events.put, options=()
            )
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._error = error
        finally:
            self._events.put(None)

    def _end_sessions(self) -> None:
        with (
            contextlib.suppress(psycopg2.Error),
            contextlib.closing(database.connect(url=self._plan.url)) as connection,
        ):
            locks.end_abandoned_dbt_sessions(connection, self._plan.place.build_schema)


def folder_name(context: Context, *parts: object) -> str:
    """A name no other dbt process has: the Dagster run, and which of its runs this is."""
    return "-".join([context.run_id[:8], *(str(part) for part in parts)])
