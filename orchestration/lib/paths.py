"""Where the code location finds its files."""

from __future__ import annotations

import os
from pathlib import Path

from loaders import settings
from loaders.errors import RatehouseError

DROP_FOLDER_VARIABLE = "RATEHOUSE_DROP_DIR"
REFERENCE_FOLDER_VARIABLE = "RATEHOUSE_REFERENCE_DIR"
CLUSTER_VARIABLE = "RATEHOUSE_CLUSTER"
BUILD_SCHEMA_VARIABLE = "RATEHOUSE_BUILD_SCHEMA"


def _folder(variable: str, default: str) -> Path:
    configured = os.environ.get(variable, "").strip()
    return Path(configured).expanduser().absolute() if configured else settings.home() / default


def drop_folder() -> Path:
    """Files put here are landed; a sub-folder's name is the code of the source they come from."""
    return _folder(DROP_FOLDER_VARIABLE, "drop")


def reference_folder() -> Path:
    """Reference files, one `<kind>.csv` each."""
    return _folder(REFERENCE_FOLDER_VARIABLE, "reference")


def export_folder() -> Path:
    """Where exports are written if nothing else is said."""
    return settings.home() / "exports"


def export_path(name: str) -> Path:
    """A file of the export folder; a name cannot lead out of it."""
    if Path(name).name != name or name in ("", ".", ".."):
        raise RatehouseError(f"'{name}' is not a file name: exports are written into one folder")
    return export_folder() / name


def dagster_home() -> Path:
    """Dagster's instance settings, schedules' state on disk and logs."""
    return settings.home() / "dagster"


def log_folder() -> Path:
    """What dbt and Dagster say during a command, kept for a person to read."""
    return settings.home() / "logs"


def dbt_project_folder() -> Path:
    return settings.project_root() / "dbt_project"


def dbt_target_folder() -> Path:
    """Manifest and partial parse. Not in the project: dbt's parse holds for one database address,
    and two installations that share a checkout would undo each other's."""
    return settings.home() / "dbt" / "target"


def dbt_runs_folder() -> Path:
    """One sub-folder per dbt process, removed when it has done well."""
    return settings.home() / "dbt" / "runs"


def build_schema() -> str:
    """Prefix of every schema dbt builds; empty in production."""
    return os.environ.get(BUILD_SCHEMA_VARIABLE, "").strip()


def dbt_target_name(schema: str | None = None) -> str:
    """The output of profiles.yml: `prod` writes the plain schemas, `dev` prefixed ones.

    On a cluster `citus` and `citus_dev`: RATEHOUSE_CLUSTER says so.
    """
    is_prefixed = bool(build_schema() if schema is None else schema)
    cluster = os.environ.get(CLUSTER_VARIABLE, "").strip()
    if cluster not in ("", "citus"):
        raise RatehouseError(f"{CLUSTER_VARIABLE} is {cluster!r}; it may be citus, or unset")
    if cluster:
        return "citus_dev" if is_prefixed else "citus"
    return "dev" if is_prefixed else "prod"
