"""The environment of dbt processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

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
