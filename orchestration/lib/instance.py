"""Dagster's instance: history in the warehouse's own PostgreSQL, settings in the home folder."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from loaders import settings
from orchestration.lib import paths

if TYPE_CHECKING:
    import dagster as dg

STORAGE_URL_VARIABLE = "RATEHOUSE_DAGSTER_POSTGRES_URL"
PROCESS_TAG = "ratehouse/process"

# The address comes from the environment: the embedded server's port may change, and a password
# has no place in a settings file.
_DAGSTER_YAML = f"""\
# Written by ratehouse at each start; changes made here are lost.
storage:
  postgres:
    postgres_url:
      env: {STORAGE_URL_VARIABLE}

telemetry:
  enabled: false

# No community dialog in front of an operator's first look.
nux:
  enabled: false

# A person who starts a job looks at it: five seconds in the queue, the default, are long.
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 1

concurrency:
  runs:
    max_concurrent_runs: 4
  pools:
    # One writer at a time: incremental models of one table must never overlap. By run, not by
    # step: a killed process would keep a step's slot, and the next run would wait for ever.
    default_limit: 1
    granularity: run

run_monitoring:
  enabled: true

retention:
  schedule:
    purge_after_days: 30
  sensor:
    purge_after_days:
      skipped: 7
      success: 30

local_artifact_storage:
  module: dagster.core.storage.root
  class: LocalArtifactStorage
  config:
    base_dir: {{home}}/storage

compute_logs:
  module: dagster.core.storage.local_compute_log_manager
  class: LocalComputeLogManager
  config:
    base_dir: {{home}}/compute_logs
"""

_WORKSPACE_YAML = """\
# Written by ratehouse at each start; changes made here are lost.
load_from:
  - python_module:
      module_name: orchestration.definitions
      working_directory: {root}
      location_name: ratehouse
"""


def storage_url(url: str) -> str:
    """The warehouse's address, with Dagster's tables in the schema `dagster`."""
    parameters = settings.connection_parameters(url)
    plain = settings.make_database_url(
        host=parameters["host"],
        port=int(parameters["port"]),
        user=parameters["user"],
        password=parameters["password"],
        dbname=parameters["dbname"],
    )
    options = {
        name: value
        for name, value in parameters.items()
        if name not in ("host", "port", "user", "password", "dbname", "options")
    }
    earlier = parameters.get("options", "")
    options["options"] = f"{earlier} -c search_path=dagster".strip()
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
    # The driver is named: SQLAlchemy's default for plain postgresql:// depends on its version.
    return f"{plain.replace('postgresql://', 'postgresql+psycopg2://', 1)}?{query}"


def prepare(url: str) -> dict[str, str]:
    """Write the settings and give the environment every Dagster process needs."""
    home = paths.dagster_home()
    home.mkdir(parents=True, exist_ok=True)
    write_if_changed(home / "dagster.yaml", _DAGSTER_YAML.replace("{home}", str(home)))
    write_if_changed(
        workspace_path(), _WORKSPACE_YAML.format(root=json.dumps(str(settings.project_root())))
    )
    return {
        "DAGSTER_HOME": str(home),
        STORAGE_URL_VARIABLE: storage_url(url),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        # The database may be the embedded one: other processes must not look for it again.
        "RATEHOUSE_HOME": str(settings.home()),
    }


def workspace_path() -> Path:
    """Which code `dagster dev` loads, and under what name."""
    return paths.dagster_home() / "workspace.yaml"


def write_if_changed(path: Path, text: str) -> None:
    """Replace a file in one step, so that nobody reads half of it."""
    if path.exists() and path.read_text() == text:
        return
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    partial.write_text(text)
    partial.replace(path)


def process_tag() -> str:
    """This process, told apart from a later one with the same number."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def is_alive(tag: str) -> bool:
    """Whether the process of a tag still runs; one of another machine counts as alive."""
    host, pid, started = tag.split(":", 2)
    if host != socket.gethostname():
        return True
    return _started(int(pid)) == started


def _started(pid: int) -> str:
    done = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return "-".join(done.stdout.split())


def hold_connections(instance: dg.DagsterInstance) -> None:
    """Keep the connections of the history open: by itself it opens one for every event.

    The way of Dagster's own web server, without its limit on the time of a statement.
    """
    instance.optimize_for_webserver(statement_timeout=0, pool_recycle=3600, max_overflow=20)


def mark_process(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> None:
    """Say which process a run is in, so that it is not taken for alive after a kill -9."""
    hold_connections(context.instance)
    if PROCESS_TAG not in context.run.tags:
        context.instance.add_run_tags(context.run_id, {PROCESS_TAG: process_tag()})


def end_dead_runs(instance: dg.DagsterInstance) -> int:
    """Mark runs failed whose process was killed: they would stand in the queue for ever."""
    import dagster as dg

    ended = 0
    unfinished = dg.RunsFilter(
        statuses=[
            dg.DagsterRunStatus.STARTED,
            dg.DagsterRunStatus.STARTING,
            dg.DagsterRunStatus.CANCELING,
        ]
    )
    for run in instance.get_runs(unfinished):
        tag = run.tags.get(PROCESS_TAG)
        if tag is not None and not is_alive(tag):
            instance.report_run_failed(
                run, "The process of this run was killed. The next run takes its work up again."
            )
            ended += 1
    return ended
