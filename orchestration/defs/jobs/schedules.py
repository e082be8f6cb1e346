"""What may run by the clock. Stopped until somebody switches it on."""

from __future__ import annotations

import dagster as dg

from orchestration.defs.jobs.jobs import rate_usage

rate_usage_daily = dg.ScheduleDefinition(
    name="rate_usage_daily",
    job=rate_usage,
    cron_schedule="15 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Once a day: land and rate whatever the sensor has not.",
)
