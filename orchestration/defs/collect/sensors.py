"""Collecting by the clock of each collector."""

import time
from contextlib import closing

import dagster as dg

from loaders import database
from loaders.collect import due_collectors


@dg.sensor(
    job_name="collect_now",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Starts collect_now for the collectors whose poll interval is over.",
)
def collect_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask for one run for all collectors that are due."""
    with closing(database.connect(role="ratehouse_loader")) as connection:
        due = due_collectors(connection)
    if not due:
        return dg.SkipReason("no collector is due")
    codes = [code for code, _ in due]
    # One request per interval: a look that is still at work is not asked for again, and a process
    # that was killed does not keep its collectors from the next one.
    now = int(time.time())
    key = ",".join(f"{code}@{now // (minutes * 60)}" for code, minutes in due)
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=key,
                run_config=dg.RunConfig(
                    ops={"collect_files": {"config": {"collectors": codes}}}
                ),
                tags={"ratehouse/collectors": str(len(codes))},
            )
        ]
    )
