"""The environment of dbt processes, and the dbt resource that uses it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from importlib import metadata
from pathlib import Path

from dagster_dbt import DbtCliResource
from packaging.version import Version, parse

from loaders import settings
from orchestration.lib import paths


def dbt_executable() -> str:
    """dbt of this very environment, whether or not it is on the PATH."""
    beside = Path(sys.executable).parent / "dbt"
    return str(beside) if beside.exists() else "dbt"


def process_environment(url: str | None, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a dbt process needs beside the inherited variables; no URL: parsing needs no server."""
    return {
        **(settings.dbt_environment(url) if url else {}),
        "DBT_TARGET_PATH": str(paths.dbt_target_folder()),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        **(extra or {}),
    }


@contextmanager
def variables(changes: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while: dbt processes inherit this one's."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class RatehouseDbt(DbtCliResource):
    """dbt without what costs seconds at each start and gains nothing here.

    `dbt --version` asks a package index for news over the network, and the adapter handle serves
    only row counts and column metadata that this project does not fetch.
    """

    @cached_property
    def _cli_version(self) -> Version:
        return parse(metadata.version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: object) -> None:
        return None


def make_dbt_resource() -> RatehouseDbt:
    """dbt on this checkout's project, for the target that the build schema implies."""
    project = str(paths.dbt_project_folder())
    return RatehouseDbt(
        project_dir=project,
        profiles_dir=project,
        target=paths.dbt_target_name(),
        dbt_executable=dbt_executable(),
    )
