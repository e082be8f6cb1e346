"""A run states the code that made it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from loaders.runs import code_version


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "macros").mkdir()
    (tmp_path / "macros" / "a.sql").write_text("select 1")
    (tmp_path / "README.md").write_text("read me")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_a_clean_checkout_is_its_commit(checkout: Path) -> None:
    version = code_version(checkout)
    assert (version.commit, version.is_dirty) == (git(checkout, "rev-parse", "HEAD"), False)


@pytest.mark.parametrize("name", ["a.sql", "new.sql"])
def test_changed_or_added_code_is_dirty(checkout: Path, name: str) -> None:
    (checkout / "macros" / name).write_text("select 2")
    assert code_version(checkout).is_dirty


def test_a_changed_document_is_not_code(checkout: Path) -> None:
    (checkout / "README.md").write_text("changed")
    assert not code_version(checkout).is_dirty


def test_a_folder_inside_another_repository_is_not_its_commit(checkout: Path) -> None:
    inner = checkout / "somewhere"
    inner.mkdir()
    assert code_version(inner).commit != git(checkout, "rev-parse", "HEAD")
