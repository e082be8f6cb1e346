"""What dbt is told to do. Pure functions, so that the tests need neither dbt nor a database."""

from __future__ import annotations

RATING_SELECTION = "tag:rating"
BILLING_SELECTION = "tag:billing"


def build_arguments(selection: str | None = None) -> list[str]:
    """`dbt build` without the unit tests: those test the code, not the data of a run."""
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    return [*arguments, "--select", selection] if selection else arguments
