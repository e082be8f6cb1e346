"""Alerts, the daily report, mail."""
