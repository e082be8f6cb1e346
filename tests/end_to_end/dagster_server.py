"""Dagster as an operator has it: a web server and a daemon, driven through GraphQL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.lib import instance
from orchestration.lib.dbt_environment import variables
from tests.collect.servers import free_port

_PATIENCE = 180
# A process for each run loads dbt and all definitions anew, five seconds of a processor every time.
# Here the daemon works runs itself, one after the other; RATEHOUSE_TEST_PROCESS_PER_RUN=1 has them
# made as in production.
_ONE_PROCESS = """
run_launcher:
  module: dagster._core.launcher.sync_in_memory_run_launcher
  class: SyncInMemoryRunLauncher
"""
_LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on PythonError { message }
  }
}
"""
_RUN = """
query ($id: ID!) {
  runOrError(runId: $id) {
    ... on Run {
      status
      jobName
      eventConnection(limit: 10000) {
        events {
          ... on ExecutionStepFailureEvent { failureMetadata { description } error { message } }
          ... on MaterializationEvent { metadataEntries { ...Entry } }
          ... on ObservationEvent { metadataEntries { ...Entry } }
        }
      }
    }
  }
}
fragment Entry on MetadataEntry {
  label
  ... on TextMetadataEntry { text }
  ... on MarkdownMetadataEntry { mdStr }
  ... on IntMetadataEntry { intRepr }
  ... on PathMetadataEntry { path }
}
"""
_RUNS = "query ($f: RunsFilter!) { runsOrError(filter: $f) { ... on Runs { results { runId } } } }"
_LOCATIONS = """
{ workspaceOrError { ... on Workspace { locationEntries {
  loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } } }
"""
_SENSOR = """
query ($s: SensorSelector!) { sensorOrError(sensorSelector: $s) {
  ... on Sensor { sensorState { id status } } } }
"""
_STOP = """
mutation ($id: String!) { stopSensor(id: $id) { __typename ... on PythonError { message } } }
"""
_OVER = ("SUCCESS", "FAILURE", "CANCELED")
_WHERE = {"repositoryLocationName": "ratehouse", "repositoryName": "__repository__"}


@dataclass(frozen=True)
class Finished:
    """A run that is over: how, why if it failed, and its reports by their labels, in order."""

    status: str
    failure: str
    reports: tuple[Mapping[str, str], ...]

    @property
    def summaries(self) -> str:
        """The first sentences of its reports."""
        return "\n".join(report["summary"] for report in self.reports if "summary" in report)

    def report(self, label: str) -> str:
        """What stands under a label, wherever it stands."""
        return "\n".join(report[label] for report in self.reports if label in report)


class Dagster:
    """The API that the pages of the browser use."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/graphql"

    def ask(self, query: str, **values: Any) -> Any:
        request = urllib.request.Request(
            self._url,
            json.dumps({"query": query, "variables": values}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)
        assert "errors" not in found, found["errors"]
        return found["data"]

    def run(self, job: str, op: str = "", **config: Any) -> Finished:
        """Start a job with these options, as the button Launch Run does, and wait for its end."""
        params = {
            "selector": {**_WHERE, "jobName": job},
            "runConfigData": {"ops": {op: {"config": config}}} if op else {},
        }
        launched = self.ask(_LAUNCH, params=params)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return self.finished(launched["run"]["runId"])

    def done(self, job: str, op: str = "", **config: Any) -> Finished:
        """Start a job that must end well."""
        run = self.run(job, op, **config)
        assert run.status == "SUCCESS", f"{job}: {run.failure}"
        return run

    def finished(self, run_id: str) -> Finished:
        for _ in ticks(f"run {run_id} to end"):
            found = self.ask(_RUN, id=run_id)["runOrError"]
            if found["status"] in _OVER:
                break
        events = found["eventConnection"]["events"]
        failures = [
            (event["failureMetadata"] or {}).get("description") or event["error"]["message"]
            for event in events
            if "error" in event
        ]
        reports = tuple(
            {
                entry["label"]: next((v for k, v in entry.items() if k != "label"), "")
                for entry in event["metadataEntries"]
            }
            for event in events
            if "metadataEntries" in event
        )
        return Finished(found["status"], "; ".join(failures), reports)

    def first_run_of(self, job: str) -> Finished:
        """The run of a job that something else than we asks for."""
        for _ in ticks(f"a run of {job}"):
            runs = self.ask(_RUNS, f={"pipelineName": job})["runsOrError"]["results"]
            if runs:
                return self.finished(runs[-1]["runId"])
        raise AssertionError("unreachable")

    def stop_sensor(self, name: str) -> None:
        """Switch a sensor off, as its page does."""
        sensor = self.ask(_SENSOR, s={**_WHERE, "sensorName": name})["sensorOrError"]
        stopped = self.ask(_STOP, id=sensor["sensorState"]["id"])["stopSensor"]
        assert "message" not in stopped, stopped

    def await_code(self) -> None:
        for _ in ticks("Dagster to start"):
            try:
                entries = self.ask(_LOCATIONS)["workspaceOrError"]["locationEntries"]
            except (urllib.error.URLError, ConnectionError):
                continue
            if entries and all(entry["loadStatus"] == "LOADED" for entry in entries):
                loaded = entries[0]["locationOrLoadError"]
                assert loaded["__typename"] == "RepositoryLocation", loaded
                return


def ticks(what: str) -> Iterator[None]:
    """Again and again for a while."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        yield
        time.sleep(0.2)
    raise AssertionError(f"waited {_PATIENCE} seconds for {what}")


@contextmanager
def running_dagster(url: str, environment: Mapping[str, str]) -> Iterator[Dagster]:
    """`dagster dev` over a warehouse: code server, web server and daemon; ended with everything."""
    port = free_port()
    with variables({**environment, "RATEHOUSE_DATABASE_URL": url}):
        prepared = instance.prepare(url)
        settings = Path(prepared["DAGSTER_HOME"]) / "dagster.yaml"
        if os.environ.get("RATEHOUSE_TEST_PROCESS_PER_RUN") != "1":
            settings.write_text(settings.read_text() + _ONE_PROCESS)
        log = settings.with_name("test.log")
        command = [
            str(Path(sys.executable).parent / "dagster"), "dev", "--host", "127.0.0.1",
            "--port", str(port), "--workspace", str(instance.workspace_path()),
        ]  # fmt: skip
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                env={**os.environ, **prepared},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    try:
        server = Dagster(port)
        server.await_code()
        yield server
    except BaseException:
        print(log.read_text()[-8000:])
        raise
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
