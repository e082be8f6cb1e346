"""One dbt process for one run: its token, its target folder, its progress, its end."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliInvocation, DbtCliResource

from loaders import database
from orchestration.lib import dbt_environment, manifest, paths, progress, words
from orchestration.lib.translator import RatehouseTranslator

# Folders of failed dbt processes are kept for a person to look at, but not for ever.
_KEPT_FAILURES = 5

Context = dg.AssetExecutionContext | dg.OpExecutionContext


class DbtProcess:
    """Runs dbt once; afterwards tells what became of each step."""

    def __init__(self, name: str) -> None:
        self.target = paths.dbt_runs_folder() / name
        self.results: list[dict[str, Any]] = []
        # What dbt itself called an error.
        self.said: list[str] = []

    def stream(
        self,
        context: Context,
        dbt: DbtCliResource,
        arguments: Sequence[str],
        run_environment: Mapping[str, str],
    ) -> Iterator[Any]:
        """Dagster's events of the process as they happen; raises dg.Failure in words."""
        environment = dbt_environment.process_environment(database.database_url(), run_environment)
        refuse_outdated_code_location()
        remove_old_folders()
        # In an op there are no assets around it to tell the manifest.
        whole = (
            {}
            if isinstance(context, dg.AssetExecutionContext)
            else {
                "manifest": manifest.manifest_path(),
                "dagster_dbt_translator": RatehouseTranslator(),
            }
        )
        with dbt_environment.variables(environment):
            invocation = dbt.cli(
                list(arguments),
                context=context,
                target_path=self.target,
                raise_on_error=False,
                **whole,
            )
        try:
            yield from self._events(invocation)
            succeeded = invocation.is_successful()
        finally:
            _end(invocation.process)
        self.results = words.read_results(self.target)
        if not succeeded:
            raise dg.Failure(
                description=words.describe_dbt_failure(self.target, self.said),
                allow_retries=False,
            )
        shutil.rmtree(self.target, ignore_errors=True)

    def _events(self, invocation: DbtCliInvocation) -> Iterator[Any]:
        for event in invocation.stream_raw_events():
            if event.raw_event["info"]["level"] == "error":
                self.said.append(event.raw_event["info"]["msg"])
            line = progress_line(event.raw_event)
            if line is not None:
                progress.say(line)
            yield from event.to_default_asset_events(
                manifest=invocation.manifest,
                dagster_dbt_translator=invocation.dagster_dbt_translator,
                context=invocation.context,
                target_path=invocation.target_path,
                project=invocation.project,
            )

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


def _end(process: subprocess.Popen[bytes]) -> None:
    """However the step ends, its dbt does not outlive it."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def folder_name(context: Context, *parts: object) -> str:
    """A name no other dbt process has: the Dagster run, and which of its runs this is."""
    return "-".join([context.run_id[:8], *(str(part) for part in parts)])
