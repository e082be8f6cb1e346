"""The manifest is parsed once per session; jobs run in a home folder of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def manifest(own_environment: None) -> Path:
    """The dbt manifest of this checkout, in the session's temporary home."""
    from orchestration.lib.manifest import ensure_manifest

    return ensure_manifest()


@pytest.fixture(scope="session")
def definitions(manifest: Path) -> Iterator[object]:
    """The code location as Dagster loads it."""
    from orchestration.definitions import defs

    yield defs
