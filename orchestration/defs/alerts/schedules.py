"""Alerts and the report by the clock. Stopped until somebody switches them on; they mail then."""

import dagster as dg

from orchestration.defs.alerts.jobs import daily_report_job, send_alerts

alerts_hourly = dg.ScheduleDefinition(
    name="alerts_hourly",
    job=send_alerts,
    cron_schedule="20 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    run_config={"ops": {"look_for_alerts": {"config": {"preview": False, "send": True}}}},
    description="Every hour: look for alerts, mail each once. Needs the mail settings.",
)

report_daily = dg.ScheduleDefinition(
    name="report_daily",
    job=daily_report_job,
    cron_schedule="0 6 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    run_config={"ops": {"report_day": {"config": {"send": True}}}},
    description="Every morning: mail the traffic of yesterday. Needs the mail settings.",
)
