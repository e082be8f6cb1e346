"""What the tests of file history share: an empty warehouse with its own storage of originals."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from loaders.database import connect
from tests.loaders.conftest import Warehouse


@pytest.fixture
def originals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which originals are kept."""
    folder = tmp_path / "originals"
    monkeypatch.setenv("RATEHOUSE_ORIGINALS_URL", folder.as_uri())
    return folder


@pytest.fixture
def warehouse(database: str, tmp_path: Path, originals: Path) -> Iterator[Warehouse]:
    """A database nothing has been loaded into."""
    with contextlib.closing(connect("ratehouse_loader", database)) as session:
        yield Warehouse(session, tmp_path / "in")
