"""Dagster code location and the ratehouse command."""
