"""Start a job in this process, with the history in Dagster and the progress on the screen."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loaders import database
from loaders.errors import RatehouseError
from orchestration.lib import dbt_environment, instance, manifest, paths, progress

_KEPT_LOGS = 20


class JobFailed(RatehouseError):
    """A step of a job failed, for the reason in its message."""


@dataclass
class JobResult:
    """What a job left behind for its caller: Dagster's run, and the events that were logged."""

    run_id: str
    events: list[Any] = field(default_factory=list)

    def keys_under(self, prefix: str) -> list[str]:
        """Keys of the assets below a prefix that this job materialized, in order."""
        keys = [
            event.asset_key.to_user_string()
            for event in self.events
            if event.is_step_materialization
        ]
        return [key for key in dict.fromkeys(keys) if key.startswith(f"{prefix}/")]

    def metadata_of(self, asset_key: str) -> list[Mapping[str, Any]]:
        """Metadata of every materialization and observation of an asset, in order."""
        found = []
        for event in self.events:
            if event.asset_key is None or event.asset_key.to_user_string() != asset_key:
                continue
            if event.is_step_materialization:
                metadata = event.step_materialization_data.materialization.metadata
            elif event.event_type_value == "ASSET_OBSERVATION":
                metadata = event.asset_observation_data.asset_observation.metadata
            else:
                continue
            found.append({name: value.value for name, value in metadata.items()})
        return found


@contextlib.contextmanager
def quiet_process(name: str) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """Send what libraries print to a log file; give a function that still reaches the screen."""
    folder = paths.log_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.glob("*.log"))[:-_KEPT_LOGS]:
        old.unlink(missing_ok=True)
    log = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{name}-{os.getpid()}.log"
    sys.stdout.flush()
    sys.stderr.flush()
    screen_out, screen_error = os.dup(1), os.dup(2)
    screen = os.fdopen(os.dup(screen_error), "w", buffering=1)
    with log.open("wb") as handle:
        os.dup2(handle.fileno(), 1)
        os.dup2(handle.fileno(), 2)
    try:
        yield log, lambda text: print(text, file=screen, flush=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(screen_out, 1)
        os.dup2(screen_error, 2)
        os.close(screen_out)
        os.close(screen_error)
        screen.close()


def run_job(
    name: str,
    op_config: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    wording: Callable[[str], str] = str,
    requested_by: str | None = None,
) -> JobResult:
    """Run a job of the code location to its end; raises JobFailed with the reason in words.

    One line per step of the work goes to standard error as it happens, put by `wording`.
    """
    url = database.ensure_database()
    with (
        dbt_environment.variables(instance.prepare(url)),
        quiet_process(name) as (log, screen),
        progress.listening(lambda text: screen(wording(text))),
    ):
        progress.say("reading the dbt project")
        manifest.ensure_manifest()
        return _execute(name, op_config or {}, log, requested_by)


def _execute(
    name: str, op_config: Mapping[str, Mapping[str, Any]], log: Path, requested_by: str | None
) -> JobResult:
    import dagster as dg

    from orchestration.definitions import defs

    tags = {instance.PROCESS_TAG: instance.process_tag()}
    if requested_by:
        tags["ratehouse/requested_by"] = requested_by
    with dg.DagsterInstance.get() as history:
        instance.hold_connections(history)
        instance.end_dead_runs(history)
        result = defs.resolve_job_def(name).execute_in_process(
            run_config={"ops": {op: {"config": dict(c)} for op, c in op_config.items()}},
            instance=history,
            tags=tags,
            raise_on_error=False,
        )
    events = list(result.all_events)
    if not result.success:
        raise JobFailed(_reason(events, name, log))
    return JobResult(run_id=result.run_id, events=events)


def _reason(events: list[Any], name: str, log: Path) -> str:
    """The words of the step that failed; a stack trace stays in the log."""
    for event in events:
        if event.event_type_value != "STEP_FAILURE":
            continue
        data = event.step_failure_data
        if data.user_failure_data is not None and data.user_failure_data.description:
            return f"{data.user_failure_data.description}\nEverything that was said: {log}"
        error = data.error
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None:
            words = error.message.strip().splitlines()[0]
            return f"{event.step_key} failed: {words}\nEverything that was said: {log}"
    return f"job {name} failed; everything that was said: {log}"
