"""Watching the drop folder."""

import hashlib
import os

import dagster as dg

from orchestration.lib import drop, paths

# Set by `ratehouse dev`. Nothing runs by itself until somebody says so.
WATCH_VARIABLE = "RATEHOUSE_WATCH_DROP_FOLDER"


def default_status() -> dg.DefaultSensorStatus:
    """Running under `ratehouse dev`, stopped anywhere else until switched on in the UI."""
    watches = os.environ.get(WATCH_VARIABLE) == "1"
    return dg.DefaultSensorStatus.RUNNING if watches else dg.DefaultSensorStatus.STOPPED


@dg.sensor(
    job_name="rate_usage",
    minimum_interval_seconds=15,
    default_status=default_status(),
    description=(
        "Lands and rates files that arrive in the drop folder, once each has looked the same at "
        "two looks in a row."
    ),
)
def drop_folder_sensor(
    context: dg.SensorEvaluationContext,
) -> dg.SensorResult | dg.SkipReason:
    """Ask for one run for all files that have arrived since the last look."""
    cursor = drop.DropCursor.read(context.cursor)
    files = drop.find_files(paths.drop_folder())
    due, following = drop.next_look(cursor, files)
    requests = []
    if due:
        stamps = "\n".join(f"{file.path} {file.stamp}" for file in due)
        requests.append(
            dg.RunRequest(
                run_key=hashlib.sha256(stamps.encode()).hexdigest(),
                run_config=dg.RunConfig(
                    ops={"land_files": {"config": {"paths": [str(file.path) for file in due]}}}
                ),
                tags={"ratehouse/files": str(len(due))},
            )
        )
    return dg.SensorResult(
        run_requests=requests,
        cursor=following.write(),
        skip_reason=None if due else f"{len(files)} file(s) in the drop folder, none of them new",
    )
