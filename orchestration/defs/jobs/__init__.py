"""The jobs people and schedules start."""
